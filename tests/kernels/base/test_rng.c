/* Tests random numbers: known answers, distributions, and independence of the streams for different purposes. */
#include <math.h>
#include <stdlib.h>

#include "kernels/base/rng.h"
#include "tests/support/support.h"

/* The expected values are the known answers of Random123's Philox-4x32-10. */
Test(rng, philox_known_answers)
{
    uint32_t out[4];
    const uint32_t zero[4] = {0}, ones[4] = {~0u, ~0u, ~0u, ~0u};
    sq_philox(out, zero, zero);
    cr_expect(out[0] == 0x6627e8d5 && out[1] == 0xe169c58d && out[2] == 0xbc57ac4c && out[3] == 0x9b00dbd8);
    sq_philox(out, ones, ones);
    cr_expect(out[0] == 0x408f276d && out[1] == 0x41c83b0e && out[2] == 0xa20bc7c6 && out[3] == 0x6d5451fd);
}

Test(rng, draws_are_uniform_and_normal)
{
    sq_rng rng = sq_rng_open(1, SQ_RNG_TEST, 0);
    int counts[7] = {0};
    double sum = 0, squares = 0;
    for (int i = 0; i < 70000; i++)
        counts[sq_rng_below(&rng, 7)]++;
    for (int i = 0; i < 7; i++)
        cr_expect_lt(abs(counts[i] - 10000), 5 * 93); /* five standard deviations of a binomial distribution */
    for (int i = 0; i < 20000; i++) {
        const double x = sq_rng_normal(&rng);
        sum += x;
        squares += x * x;
    }
    cr_expect_lt(fabs(sum / 20000), 5 / sqrt(20000));
    cr_expect_lt(fabs(squares / 20000 - 1), 5 * sqrt(2.0 / 20000));
}

Test(rng, a_stream_depends_on_seed_purpose_and_index_alone)
{
    sq_rng a = sq_rng_open(7, SQ_RNG_TEST, 3), b = sq_rng_open(7, SQ_RNG_TEST, 3);
    sq_rng others[] = {sq_rng_open(8, SQ_RNG_TEST, 3), sq_rng_open(7, SQ_RNG_PATH, 3), sq_rng_open(7, SQ_RNG_TEST, 4)};
    for (int i = 0; i < 9; i++) { /* more than two blocks of four words */
        const uint32_t word = sq_rng_u32(&a);
        cr_expect_eq(sq_rng_u32(&b), word);
        for (int k = 0; k < 3; k++)
            cr_expect_neq(sq_rng_u32(&others[k]), word, "stream %d, word %d", k, i);
    }
}
