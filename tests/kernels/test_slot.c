/* Tests sizes of slots and the positions of channels in a slot. */
#include "kernels/slot.h"
#include "tests/support/support.h"

Test(slot, sizes_include_the_pitch)
{
    const sq_slot slot = {.dtype = SQ_BF16, .n = 2, .h = 3, .w = 5, .c = 6, .pitch = 8};
    cr_expect_eq(sq_slot_count(&slot), 240);
    cr_expect_eq(sq_slot_bytes(&slot), 480);
    cr_expect_eq(sq_dtype_bytes(SQ_F32), 4);
    cr_expect_eq(sq_dtype_bytes(SQ_I32), 4);
    cr_expect_eq(sq_dtype_bytes(SQ_U8), 1);
    cr_expect_eq(sq_dtype_bytes(SQ_BYTES), 1);
}

/* sq_view_channels and sq_slot_channel must give the same position for a channel. */
Test(slot, channels_of_parts_are_those_of_the_slot)
{
    for (int is_split = 0; is_split < 2; is_split++) {
        const sq_slot slot = {.n = 1, .h = 1, .w = 1, .c = 6, .pitch = 8, .is_split = is_split};
        const sq_channels even = sq_view_channels(&slot, SQ_EVEN), odd = sq_view_channels(&slot, SQ_ODD);
        cr_expect(even.c == 3 && odd.c == 3);
        for (int i = 0; i < 3; i++) {
            cr_expect_eq(even.first + i * even.step, sq_slot_channel(&slot, 2 * i));
            cr_expect_eq(odd.first + i * odd.step, sq_slot_channel(&slot, 2 * i + 1));
        }
    }
}
