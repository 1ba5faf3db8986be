/* Tests medians, spread and outliers of measured times. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/cost/measure/runner_samples.h"
#include "tests/support/support.h"

static void fill(sq_samples *samples, int count, const double *values)
{
    for (int i = 0; i < count; i++)
        MUST(sq_samples_add(samples, values[i]));
}

Test(runner_samples, median_of_odd_and_even_counts)
{
    sq_samples samples = {0};
    fill(&samples, 3, (const double[]){9, 1, 2});
    cr_assert_eq(sq_samples_median(&samples), 2);
    fill(&samples, 1, (const double[]){4});
    cr_assert_eq(sq_samples_median(&samples), 3);
    free(samples.values);
}

Test(runner_samples, spread_is_of_the_rounds_and_outliers_are_counted)
{
    sq_samples all = {0};
    sq_runner_time found;
    double medians[] = {10, 14, 12};
    /* The median is 12 and the absolute deviations are 0 0 1 1 2 2 2 2 28. Therefore the MAD is 2 and the bound 3 *
     * 1.4826 * 2 = 8.9. */
    fill(&all, 9, (const double[]){12, 12, 11, 13, 10, 10, 14, 14, 40});
    MUST(sq_samples_summarise(&found, &all, medians, 3));
    cr_assert_eq(found.median_ms, 12);
    cr_assert_float_eq(found.deviation_ms, 2, 1e-12);
    cr_assert_eq(found.count, 9);
    cr_assert_eq(found.outlier_count, 1);
    free(all.values);
}

Test(runner_samples, coarse_clocks_make_no_outliers)
{
    sq_samples all = {0};
    sq_runner_time found;
    double medians[] = {100, 100};
    /* The MAD is 0.45, so the bound is 2.0 instead of 1. */
    fill(&all, 6, (const double[]){100, 100, 100, 100.9, 99.1, 102});
    MUST(sq_samples_summarise(&found, &all, medians, 2));
    cr_assert_eq(found.outlier_count, 0);
    fill(&all, 5, (const double[]){100, 100, 100, 100, 101.5}); /* the MAD is 0, so the bound is 1 % */
    MUST(sq_samples_summarise(&found, &all, medians, 2));
    cr_assert_eq(found.outlier_count, 2);
    free(all.values);
}

Test(runner_samples, a_round_that_was_slower_for_all_models_is_levelled)
{
    enum { NINE = 9, ROUNDS = 5 };
    static const double factors[ROUNDS] = {1, 1.4, 0.9, 1, 1.2};
    double medians[NINE * ROUNDS], few[7 * ROUNDS];
    for (int i = 0; i < NINE * ROUNDS; i++)
        medians[i] = (1 + i / ROUNDS) * factors[i % ROUNDS];
    medians[3] = 7; /* a disturbance of a single model must stay */
    memcpy(few, medians, sizeof few);
    MUST(sq_samples_level_rounds(medians, NINE, ROUNDS));
    for (int i = 0; i < NINE * ROUNDS; i++)
        cr_expect_float_eq(medians[i], i == 3 ? 7 : 1 + i / ROUNDS, 1e-12, "%d: %g", i, medians[i]);
    const double before = few[6];
    MUST(sq_samples_level_rounds(few, 7, ROUNDS));
    cr_expect_eq(few[6], before, "seven models say too little of a round");
}
