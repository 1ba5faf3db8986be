/* Tests the additive model on made-up tables and on published measurements of 5,000 networks on 27 devices (HELP, MIT
 * licence). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/rng.h"
#include "search/cost/fit/fit.h"
#include "search/cost/fit/fit_additive.h"
#include "search/cost/fit/measured.h"
#include "tests/support/support.h"

enum { LAYERS = 5, CHOICES = 4, MANY = 400 };

typedef struct {
    int paths[MANY * LAYERS];
    double ms[MANY], truth[LAYERS][CHOICES];
} drawn;

/* Draws networks and a table with base 3. The networks' times follow from the table, with normal noise. */
static void draw(drawn *d, double noise)
{
    sq_rng rng = sq_rng_open(2, SQ_RNG_TEST, 5);
    for (int l = 0; l < LAYERS; l++)
        for (int c = 0; c < CHOICES; c++)
            d->truth[l][c] = c == 0 ? 0 : 4 * sq_rng_uniform(&rng) - 1;
    for (int i = 0; i < MANY; i++) {
        d->ms[i] = 3 + noise * sq_rng_normal(&rng);
        for (int l = 0; l < LAYERS; l++) {
            d->paths[i * LAYERS + l] = (int)sq_rng_below(&rng, CHOICES);
            d->ms[i] += d->truth[l][d->paths[i * LAYERS + l]];
        }
    }
}

static double largest_error(const sq_additive *a, const drawn *d)
{
    double largest = fabs(a->base - 3);
    for (int l = 0; l < LAYERS; l++)
        for (int c = 0; c < CHOICES; c++)
            largest = fmax(largest, fabs(a->ms[l * a->choice_limit + c] - d->truth[l][c]));
    return largest;
}

Test(fit_additive, additive_recovers_an_exact_table)
{
    static drawn d;
    sq_additive *a = NULL;
    draw(&d, 0);
    for (int robust = 0; robust < 2; robust++) {
        const sq_additive_options options = {.method = robust ? SQ_ADDITIVE_ROBUST : SQ_ADDITIVE_PLAIN};
        MUST(sq_fit_additive(&a, &(sq_additive_data){d.paths, LAYERS, d.ms, MANY}, &options));
        /* The ridge of 1e-10 changes values of a few ms by less. */
        cr_expect_lt(largest_error(a, &d), 1e-8, "%g", largest_error(a, &d));
        cr_expect(a->unseen == 0 && a->choice_limit == CHOICES);
        cr_expect_float_eq(a->freedom, 1 + LAYERS * (CHOICES - 1), 1e-6, "%g", a->freedom);
        sq_additive_free(a);
    }
}

Test(fit_additive, additive_gauge_changes_no_prediction)
{
    static drawn d;
    static const int gauge[LAYERS] = {3, 2, 1, 0, 3};
    sq_additive *a = NULL, *b = NULL;
    draw(&d, 0.2);
    MUST(sq_fit_additive(&a, &(sq_additive_data){d.paths, LAYERS, d.ms, 30}, &(sq_additive_options){.ridge = 0.1}));
    MUST(sq_fit_additive(&b, &(sq_additive_data){d.paths, LAYERS, d.ms, 30},
                         &(sq_additive_options){.ridge = 0.1, .gauge = gauge}));
    for (int l = 0; l < LAYERS; l++)
        cr_expect(b->gauge[l] == gauge[l] && b->ms[l * CHOICES + gauge[l]] == 0);
    for (int i = 0; i < MANY; i++) {
        double x, y;
        MUST(sq_additive_predict(a, d.paths + i * LAYERS, &x));
        MUST(sq_additive_predict(b, d.paths + i * LAYERS, &y));
        cr_expect_float_eq(x, y, 1e-11);
    }
    sq_additive_free(a);
    sq_additive_free(b);
}

Test(fit_additive, additive_reports_unmeasured_choices)
{
    static drawn d;
    static const int limits[LAYERS] = {4, 4, 6, 4, 4}, path[LAYERS] = {0, 0, 5, 0, 0}, bad[LAYERS] = {0, 9, 0, 0, 0};
    sq_additive *a = NULL;
    double ms = 7;
    draw(&d, 0);
    MUST(sq_fit_additive(&a, &(sq_additive_data){d.paths, LAYERS, d.ms, MANY},
                         &(sq_additive_options){.limits = limits}));
    cr_expect(a->unseen == 2 && a->seen[2 * a->choice_limit + 5] == 0);
    cr_expect_eq(sq_additive_predict(a, path, &ms), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "layer 2, choice 5 was never measured"), "%s", sq_error_text());
    cr_expect_eq(sq_additive_predict(a, bad, &ms), SQ_DATA);
    cr_expect_eq(ms, 7);
    sq_additive_free(a);
    a = NULL;
    static const int low[LAYERS] = {4, 4, 3, 4, 4}, gauge[LAYERS] = {0, 0, 5, 0, 0};
    cr_expect_eq(
        sq_fit_additive(&a, &(sq_additive_data){d.paths, LAYERS, d.ms, MANY}, &(sq_additive_options){.limits = low}),
        SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "layer 2: choice 3, expected 0 to 2"), "%s", sq_error_text());
    cr_expect_eq(sq_fit_additive(&a, &(sq_additive_data){d.paths, LAYERS, d.ms, MANY},
                                 &(sq_additive_options){.limits = limits, .gauge = gauge}),
                 SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "gauge 5"), "%s", sq_error_text());
    cr_expect_eq(sq_fit_additive(&a, &(sq_additive_data){d.paths, LAYERS, d.ms, 2}, &(sq_additive_options){.ridge = 0}),
                 SQ_INVALID);
    cr_expect_null(a);
}

/* One measurement in twelve is wrong. Huber's weights keep the table accurate, but plain least squares does not. */
Test(fit_additive, additive_robust_fit_withstands_outliers)
{
    static drawn d;
    sq_additive *plain = NULL, *robust = NULL;
    draw(&d, 0.05);
    for (int i = 0; i < MANY; i += 12)
        d.ms[i] += 40;
    MUST(sq_fit_additive(&plain, &(sq_additive_data){d.paths, LAYERS, d.ms, MANY},
                         &(sq_additive_options){.ridge = 1e-6, .method = SQ_ADDITIVE_PLAIN}));
    MUST(sq_fit_additive(&robust, &(sq_additive_data){d.paths, LAYERS, d.ms, MANY},
                         &(sq_additive_options){.ridge = 1e-6, .method = SQ_ADDITIVE_ROBUST}));
    cr_expect_gt(largest_error(plain, &d), 1, "%g", largest_error(plain, &d));
    cr_expect_lt(largest_error(robust, &d), 0.1, "%g", largest_error(robust, &d));
    sq_additive_free(robust);
    MUST(sq_fit_additive(&robust, &(sq_additive_data){d.paths, LAYERS, d.ms, MANY},
                         &(sq_additive_options){.ridge = 1e-6}));
    cr_expect_eq(robust->method, SQ_ADDITIVE_ROBUST);
    sq_additive_free(plain);
    sq_additive_free(robust);
}

static double error_of(const sq_additive *a, const drawn *d)
{
    double squares = 0;
    for (int i = MANY / 2; i < MANY; i++) {
        double ms;
        MUST(sq_additive_predict(a, d->paths + i * LAYERS, &ms));
        squares += (ms - d->ms[i]) * (ms - d->ms[i]);
    }
    return sqrt(squares / (MANY - MANY / 2));
}

/* With hardly more networks than values, cross-validation selects a ridge that predicts better than no ridge. */
Test(fit_additive, additive_cross_validation_helps_small_samples)
{
    static drawn d;
    sq_additive *none = NULL, *chosen = NULL;
    draw(&d, 1.5);
    MUST(
        sq_fit_additive(&none, &(sq_additive_data){d.paths, LAYERS, d.ms, 22}, &(sq_additive_options){.ridge = 1e-10}));
    MUST(sq_fit_additive(&chosen, &(sq_additive_data){d.paths, LAYERS, d.ms, 22}, &(sq_additive_options){.ridge = 0}));
    cr_expect_gt(chosen->ridge, 1e-3, "%g", chosen->ridge);
    cr_expect_lt(error_of(chosen, &d), error_of(none, &d), "%g, %g", error_of(chosen, &d), error_of(none, &d));
    sq_additive_free(none);
    sq_additive_free(chosen);
}

static const char help[] = "../shared/luts/help-fbnet";

/* A device, and the held-out MAPE of its additive table fitted by ordinary least squares, from
 * additive_fit_quality.csv. */
typedef struct {
    char name[64];
    double mape;
} published_device;

static int read_published(published_device *devices)
{
    char *text = NULL, path[1200];
    size_t bytes;
    int count = 0;
    (void)snprintf(path, sizeof path, "%s/%s/additive_fit_quality.csv", source_path(""), help);
    if (!sq_path_exists(path))
        return 0;
    MUST(sq_file_read(path, 1 << 20, &text, &bytes));
    for (char *line = strchr(text, '\n'); line && line[1] && count < 64; line = strchr(line + 1, '\n'))
        count += sscanf(line + 1, "%63[^,],%*f,%*f,%lf", devices[count].name, &devices[count].mape) == 2;
    free(text);
    return count;
}

static sq_quality held_out(const sq_measured *m, size_t train, const sq_additive_options *options,
                           double *standard_error)
{
    sq_additive *a = NULL;
    sq_quality q;
    double squares = 0;
    const size_t rest = m->count - train;
    double *predicted = malloc(rest * sizeof *predicted);
    MUST(sq_fit_additive(&a, &(sq_additive_data){m->paths, m->layers, m->ms, train}, options));
    for (size_t i = 0; i < rest; i++)
        MUST(sq_additive_predict(a, m->paths + (train + i) * (size_t)m->layers, &predicted[i]));
    MUST(sq_fit_quality(&q, predicted, m->ms + train, rest));
    for (size_t i = 0; i < rest; i++)
        squares += pow(100 * fabs(predicted[i] / m->ms[train + i] - 1) - q.mape, 2);
    *standard_error = sqrt(squares / (double)(rest - 1) / (double)rest);
    free(predicted);
    sq_additive_free(a);
    return q;
}

/* Uses the split of the published figures: 4,000 rows to fit and 1,000 rows to test. Least squares with a tiny ridge
 * must reproduce the published figures within 1e-4. The default options must not be worse. */
Test(fit_additive, additive_is_no_worse_on_published_devices, .timeout = 300)
{
    static const sq_additive_options least_squares = {.method = SQ_ADDITIVE_PLAIN, .ridge = 1e-9},
                                     chosen = {.ridge = 0};
    published_device devices[64];
    const int count = read_published(devices);
    char path[1200];
    if (count == 0)
        cr_skip_test("skipped: %s is not here", help);
    (void)snprintf(path, sizeof path, "%s/%s/fbnet_cifar100_latency_ms.csv", source_path(""), help);
    printf("held-out MAPE in percent\n%-15s %8s %8s %8s %6s %6s %6s %7s\n", "device", "told", "squares", "default",
           "error", "in 5", "in 10", "tau");
    for (int d = 0; d < count; d++) {
        sq_measured *m = NULL;
        double error;
        MUST(sq_measured_read(&m, path, devices[d].name));
        cr_assert(m->count == 5000 && m->layers == 22);
        const sq_quality plain = held_out(m, 4000, &least_squares, &error), q = held_out(m, 4000, &chosen, &error);
        printf("%-15s %8.4f %8.4f %8.4f %6.3f %6.1f %6.1f %7.4f\n", devices[d].name, devices[d].mape, plain.mape,
               q.mape, error, q.within_5, q.within_10, q.tau);
        cr_expect_float_eq(plain.mape, devices[d].mape, 1e-4, "%s: %g", devices[d].name, plain.mape);
        cr_expect_leq(q.mape, devices[d].mape + 1e-4, "%s: %g", devices[d].name, q.mape);
        sq_measured_free(m);
    }
}
