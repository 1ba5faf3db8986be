/* Tests rounding to BF16 and packing in place. */
#include <math.h>

#include "kernels/base/bf16.h"
#include "tests/support/support.h"

Test(bf16, rounds_to_nearest_with_ties_to_even)
{
    /* BF16 has 8 significant bits, so near 1 its values are 1/128 apart. */
    cr_expect_eq(sq_bf16_to_float(sq_bf16_from_float(1 + 1.0f / 512)), 1);
    cr_expect_eq(sq_bf16_to_float(sq_bf16_from_float(1 + 1.0f / 256)), 1, "a tie");
    cr_expect_eq(sq_bf16_to_float(sq_bf16_from_float(1 + 3.0f / 256)), 1 + 4.0f / 256, "a tie");
    cr_expect_eq(sq_bf16_to_float(sq_bf16_from_float(1 + 1.5f / 128)), 1 + 2.0f / 128);
    cr_expect(isinf(sq_bf16_to_float(sq_bf16_from_float(3.4e38f))));
    cr_expect(isnan(sq_bf16_to_float(sq_bf16_from_float(NAN))));
}

Test(bf16, packing_in_place_rounds_every_value_once)
{
    enum { COUNT = 1000 }; /* not a multiple of the block size */
    float values[COUNT];
    for (int i = 0; i < COUNT; i++)
        values[i] = (float)i / 7 - 50;
    sq_bf16_pack(values, COUNT);
    sq_bf16_unpack(values, COUNT);
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(values[i], sq_bf16_to_float(sq_bf16_from_float((float)i / 7 - 50)), "%d", i);
}

Test(bf16, sums_are_rounded_once)
{
    sq_bf16 sum[] = {sq_bf16_from_float(1), sq_bf16_from_float(256)};
    const sq_bf16 more[] = {sq_bf16_from_float(2), sq_bf16_from_float(1)};
    sq_bf16_add(sum, more, 2);
    cr_expect_eq(sq_bf16_to_float(sum[0]), 3);
    cr_expect_eq(sq_bf16_to_float(sum[1]), 256, "257 is a tie");
}
