/* Tests the dropout mask. */
#include <math.h>
#include <stdlib.h>

#include "kernels/dropout.h"
#include "tests/support/support.h"

Test(dropout, the_mask_keeps_the_share_and_the_mean)
{
    enum { COUNT = 40000 };
    int dropped = 0;
    for (uint32_t i = 0; i < COUNT; i++) {
        const float scale = sq_dropout_scale(1, 2, i, 0.25f);
        cr_assert(scale == 0 || fabsf(scale - 4.0f / 3) < 1e-6f);
        dropped += scale == 0;
    }
    cr_expect_lt(abs(dropped - COUNT / 4), 5 * 87); /* five standard deviations of a binomial distribution */
}

Test(dropout, the_mask_depends_on_seed_and_step)
{
    int same_seed = 0, same_step = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        const float scale = sq_dropout_scale(1, 2, i, 0.5f);
        cr_assert_eq(scale, sq_dropout_scale(1, 2, i, 0.5f));
        same_seed += scale == sq_dropout_scale(1, 3, i, 0.5f);
        same_step += scale == sq_dropout_scale(3, 2, i, 0.5f);
    }
    cr_expect_lt(abs(same_seed - 500), 80);
    cr_expect_lt(abs(same_step - 500), 80);
}
