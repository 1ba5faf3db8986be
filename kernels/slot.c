/* Computes sizes and channel positions of slots and views. */
#include "kernels/slot.h"

#include <assert.h>

size_t sq_slot_count(const sq_slot *slot)
{
    return (size_t)slot->n * (size_t)slot->h * (size_t)slot->w * (size_t)slot->pitch;
}

size_t sq_dtype_bytes(sq_dtype dtype)
{
    static const size_t bytes[] = {[SQ_F32] = 4, [SQ_BF16] = 2, [SQ_I32] = 4, [SQ_U8] = 1, [SQ_BYTES] = 1};
    _Static_assert(sizeof bytes / sizeof *bytes == SQ_DTYPES, "one size per dtype");
    assert((unsigned)dtype < SQ_DTYPES);
    return bytes[dtype];
}

size_t sq_slot_bytes(const sq_slot *slot)
{
    return sq_slot_count(slot) * sq_dtype_bytes(slot->dtype);
}

int sq_slot_channel(const sq_slot *slot, int i)
{
    return slot->is_split ? i % 2 * (slot->pitch / 2) + i / 2 : i;
}

sq_view sq_view_none(void)
{
    return (sq_view){SQ_NONE, SQ_NONE, SQ_LINEAR, SQ_NONE, SQ_ALL};
}

sq_view sq_view_plain(int slot, sq_part part)
{
    return (sq_view){slot, SQ_NONE, SQ_LINEAR, SQ_NONE, part};
}

sq_view sq_view_pending(int slot, int norm, sq_activation activation, int gate)
{
    return (sq_view){slot, norm, activation, gate, SQ_ALL};
}

sq_channels sq_view_channels(const sq_slot *slot, sq_part part)
{
    const int half = slot->pitch / 2;
    assert((unsigned)part < SQ_PARTS);
    if (part == SQ_ALL)
        return (sq_channels){0, 1, slot->c};
    if (slot->is_split)
        return (sq_channels){part == SQ_ODD ? half : 0, 1, slot->c / 2};
    return (sq_channels){part == SQ_ODD, 2, slot->c / 2};
}
