/* Tests the fitted line and the quality of predictions. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/rng.h"
#include "search/cost/fit/fit.h"
#include "tests/support/support.h"

Test(fit, line_is_exact_on_a_line_and_robust_off_it)
{
    double x[40], y[40];
    sq_line line;
    for (int i = 0; i < 40; i++) {
        x[i] = 3 + 0.7 * i;
        y[i] = 2.5 + 1.25 * x[i];
    }
    for (int robust = 0; robust < 2; robust++) {
        MUST(sq_fit_line(&line, x, y, 40, robust));
        cr_expect_float_eq(line.base, 2.5, 1e-12, "%.17g", line.base);
        cr_expect_float_eq(line.scale, 1.25, 1e-13, "%.17g", line.scale);
        cr_expect_eq(line.outliers, 0);
    }
    for (int i = 0; i < 40; i += 5) /* a fifth of the values is wrong, always in a direction that lowers the slope */
        y[i] = i < 20 ? 300 : 1;
    MUST(sq_fit_line(&line, x, y, 40, true));
    cr_expect_float_eq(line.base, 2.5, 1e-9, "%.17g", line.base);
    cr_expect_float_eq(line.scale, 1.25, 1e-10, "%.17g", line.scale);
    cr_expect_eq(line.outliers, 8, "%zu", line.outliers);
}

/* Without outliers the robust fit loses little, so both fits are within a few standard errors of the true line. */
Test(fit, line_agrees_with_least_squares_on_clean_noise)
{
    enum { N = 4000 };
    static double x[N], y[N];
    sq_rng rng = sq_rng_open(1, SQ_RNG_TEST, 77);
    sq_line plain, robust;
    for (int i = 0; i < N; i++) {
        x[i] = 10 * sq_rng_uniform(&rng);
        y[i] = 1 + 2 * x[i] + 0.3 * sq_rng_normal(&rng);
    }
    MUST(sq_fit_line(&plain, x, y, N, false));
    MUST(sq_fit_line(&robust, x, y, N, true));
    /* Standard error of the slope: sigma / sqrt(sum of squares of x). */
    const double error = 0.3 / sqrt(N * 100.0 / 12);
    cr_expect_float_eq(plain.scale, 2, 4 * error);
    cr_expect_float_eq(robust.scale, 2, 4 * error);
    cr_expect_float_eq(robust.base, 1, 4 * error * 10);
}

Test(fit, a_line_that_cannot_be_true_is_doubted_with_its_reason)
{
    static const struct {
        double base, scale, network_ms, mape;
        const char *text; /* part of the reason for doubt; NULL: the line is plausible */
    } rows[] = {
        {0.2723, 0.1873, 1, 3, "scale 0.1873"},
        {-0.2488, 3.7434, 1, 3, "scale 3.7434"},
        {0, -1, 1, 0, "scale -1.0000"},
        {0, NAN, 1, 0, "scale nan"},
        {-1.1, 1, 1, 0, "base -1.1000 ms"},
        {0.1, 1, 1, 10.5, "missed by 10.5 %"},
        {0.1, 1, 1, NAN, "missed by nan %"},
        {0.1, 0.5, 1, 10, NULL},
        {-1.70734425, 1.10738265, 3.4, 0.3, NULL}, /* the line of OpenVINO in configs/devices/README.md */
        {-5, 2, INFINITY, 0, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const sq_line line = {.base = rows[i].base, .scale = rows[i].scale};
        char text[128] = "untouched";
        cr_expect_eq(sq_line_doubt(text, sizeof text, &line, rows[i].network_ms, rows[i].mape), rows[i].text != NULL);
        cr_expect_not_null(strstr(text, rows[i].text ? rows[i].text : "untouched"), "row %zu: %s", i, text);
    }
}

Test(fit, line_refuses_points_without_spread)
{
    const double x[] = {2, 2, 2, 2}, y[] = {1, 2, 3, NAN}, rising[] = {1, 2, 3, 4};
    sq_line line = {7, 7, 7};
    cr_expect_eq(sq_fit_line(&line, rising, y, 2, true), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "2 networks, expected at least 3"), "%s", sq_error_text());
    cr_expect_eq(sq_fit_line(&line, x, y, 3, true), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "all 3 predictions are 2"), "%s", sq_error_text());
    cr_expect_eq(sq_fit_line(&line, rising, y, 4, false), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "network 3"), "%s", sq_error_text());
    cr_expect_eq(line.base, 7);
}

static double tau_by_pairs(const double *x, const double *y, int n)
{
    double difference = 0, x_pairs = 0, y_pairs = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++) {
            const int a = (x[i] > x[j]) - (x[i] < x[j]), b = (y[i] > y[j]) - (y[i] < y[j]);
            difference += a * b;
            x_pairs += a != 0;
            y_pairs += b != 0;
        }
    return difference / sqrt(x_pairs * y_pairs);
}

Test(fit, quality_by_hand)
{
    const double measured[] = {10, 20, 40, 80}, predicted[] = {10.4, 18.2, 44, 60};
    sq_quality q;
    MUST(sq_fit_quality(&q, predicted, measured, 4));
    cr_expect_float_eq(q.mape, (4 + 9 + 10 + 25) / 4.0, 1e-12);
    cr_expect(q.count == 4 && q.within_5 == 25 && q.within_10 == 75, "%g %g", q.within_5, q.within_10);
    cr_expect_float_eq(q.rmse, sqrt((0.16 + 3.24 + 16 + 400) / 4), 1e-12);
    cr_expect(q.tau == 1 && fabs(q.spearman - 1) < 1e-15 && q.worst == 3);
    cr_expect_float_eq(q.worst_percent, -25, 1e-12);
    /* With ties, x = 1 2 2 3 and y = 1 3 2 2 have 3 concordant pairs and 1 discordant pair; x and y have 5 untied pairs
     * each. */
    const double x[] = {1, 2, 2, 3}, y[] = {1, 3, 2, 2};
    MUST(sq_fit_quality(&q, x, y, 4));
    cr_expect_float_eq(q.tau, 0.4, 1e-15, "%.17g", q.tau);
    /* The ranks are 1 2.5 2.5 4 and 1 4 2.5 2.5. */
    cr_expect_float_eq(q.spearman, 2.25 / 4.5, 1e-15, "%.17g", q.spearman);
}

Test(fit, quality_tau_equals_the_count_of_pairs)
{
    sq_rng rng = sq_rng_open(3, SQ_RNG_TEST, 9);
    for (int n = 2; n < 150; n = 2 * n + 1)
        for (uint32_t levels = 2; levels < 2000; levels *= 5) {
            double x[400], y[400];
            sq_quality q;
            for (int i = 0; i < n; i++) {
                x[i] = sq_rng_below(&rng, levels);
                y[i] = 1 + sq_rng_below(&rng, levels) + floor(x[i] / 2);
            }
            MUST(sq_fit_quality(&q, x, y, (size_t)n));
            const double wanted = tau_by_pairs(x, y, n);
            cr_expect(isnan(wanted) ? isnan(q.tau) : fabs(q.tau - wanted) < 1e-14, "%d: %g, %g", n, q.tau, wanted);
        }
}

Test(fit, quality_of_constants_and_bad_values)
{
    const double same[] = {2, 2, 2}, other[] = {1, 2, 3}, zero[] = {1, 0, 1};
    sq_quality q;
    MUST(sq_fit_quality(&q, same, other, 3));
    cr_expect(isnan(q.tau) && isnan(q.spearman));
    MUST(sq_fit_quality(&q, same, same, 1));
    cr_expect(isnan(q.tau) && q.mape == 0 && q.within_5 == 100);
    cr_expect_eq(sq_fit_quality(&q, other, zero, 3), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "network 1"), "%s", sq_error_text());
    cr_expect_eq(sq_fit_quality(&q, other, zero, 0), SQ_INVALID);
}
