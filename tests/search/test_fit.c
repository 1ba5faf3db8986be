/* Measured networks, fits to them, measures of agreement, the scatter plot. */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/rng.h"
#include "search/cost/fit/fit.h"
#include "search/cost/fit/measured.h"
#include "search/cost/fit/scatter.h"
#include "tests/support/support.h"

/* ---- Measured networks ---- */

static sq_status read_measured(sq_measured **out, const char *text, const char *column)
{
    char *folder = make_folder(), path[600];
    const sq_piece piece = {text, strlen(text)};
    (void)snprintf(path, sizeof path, "%s/m.csv", folder);
    MUST(sq_file_replace(path, &piece, 1));
    const sq_status status = sq_measured_read(out, path, column);
    drop_folder(folder);
    return status;
}

Test(measured, reads_tuples_digits_and_units)
{
    static const struct {
        const char *text, *column;
        double ms, deviation;
    } files[] = {
        {"arch,ms\n\"(2, 1, 0)\",3.5\n", NULL, 3.5, 0},
        {"arch,ms,std_ms\n2;1;0,3.5,0.25\n", NULL, 3.5, 0.25},
        {"arch,us,std_us\r\n210,3500,250\r\n", NULL, 3.5, 0.25},
        {"note,pixel_s,arch\n\"a, \"\"b\"\"\",0.0035,\"2,1,0\"\n", "pixel_s", 3.5, 0},
        {"note,pixel_s,arch,pixel_std_s\nx,0.0035,210,0.00025\n", "pixel", 3.5, 0.25},
        {"\xef\xbb\xbf# from somewhere\narch,samsung_s7,samsung_s7_std\n\n210,3.5,0.25\n", "samsung_s7", 3.5, 0.25},
        {"arch,ms\n( 2,1 , 0 ),3.5", NULL, 0, 0}, /* unquoted commas: refused below */
    };
    for (size_t i = 0; i + 1 < sizeof files / sizeof *files; i++) {
        sq_measured *m = NULL;
        int limits[3];
        MUST(read_measured(&m, files[i].text, files[i].column));
        cr_expect(m->count == 1 && m->layers == 3, "file %zu", i);
        cr_expect(m->paths[0] == 2 && m->paths[1] == 1 && m->paths[2] == 0, "file %zu", i);
        cr_expect_float_eq(m->ms[0], files[i].ms, 1e-12, "file %zu: %g", i, m->ms[0]);
        cr_expect_float_eq(m->deviation[0], files[i].deviation, 1e-12, "file %zu: %g", i, m->deviation[0]);
        sq_measured_limits(m, limits);
        cr_expect(limits[0] == 3 && limits[1] == 2 && limits[2] == 1);
        sq_measured_free(m);
    }
}

Test(measured, keeps_every_measurement_of_an_architecture)
{
    sq_measured *m = NULL;
    MUST(read_measured(&m, "arch,ms\n012,1\n012,2\n000,3\n", NULL));
    cr_expect(m->count == 3 && m->ms[1] == 2 && m->lines[1] == 3);
    sq_measured_free(m);
}

Test(measured, refuses_bad_rows_by_line)
{
    static const struct {
        const char *text, *column, *wanted;
    } files[] = {
        {"", NULL, "not even a header"},
        {"arch,ms\n", NULL, "no measurements"},
        {"name,ms\n012,1\n", NULL, ":1: no column 'arch'"},
        {"arch,pixel2\n012,1\n", NULL, ":1: no column 'ms'"},
        {"arch,pixel2\n012,1\n", "pixel3", "did you mean 'pixel2'"},
        {"arch,ms\n012,1\n,1\n", NULL, ":3: arch is empty"},
        {"arch,ms\n012,1\n()\n", NULL, ":3: 1 columns, expected 2"},
        {"arch,ms\n(0, 1),1\n", NULL, ":2: 3 columns, expected 2"},
        {"arch,ms\n\"(0, 1,1\n", NULL, ":2: a quote that does not end"},
        {"arch,ms\n01x,1\n", NULL, ":2: arch is no list"},
        {"arch,ms\n0;;1,1\n", NULL, ":2: arch is no list"},
        {"arch,ms\n-1;0,1\n", NULL, ":2: arch is no list"},
        {"arch,ms\n012,1\n01,1\n", NULL, ":3: arch of 2 layers, expected 3 as in line 2"},
        {"arch,ms\n012,0\n", NULL, ":2: time '0'"},
        {"arch,ms\n012,-1\n", NULL, ":2: time '-1'"},
        {"arch,ms\n012,nan\n", NULL, ":2: time 'nan'"},
        {"arch,ms\n012,inf\n", NULL, ":2: time 'inf'"},
        {"arch,ms\n012,\n", NULL, ":2: time ''"},
        {"arch,ms,std_ms\n012,1,-1\n", NULL, ":2: deviation '-1'"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        sq_measured *m = NULL;
        cr_expect_eq(read_measured(&m, files[i].text, files[i].column), SQ_INVALID, "file %zu", i);
        cr_expect_not_null(strstr(sq_error_text(), files[i].wanted), "file %zu: %s", i, sq_error_text());
        cr_expect_null(m);
    }
}

/* ---- The line ---- */

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
    for (int i = 0; i < 40; i += 5) /* a fifth of them wrong, all to one side, and with leverage */
        y[i] = i < 20 ? 300 : 1;
    MUST(sq_fit_line(&line, x, y, 40, true));
    cr_expect_float_eq(line.base, 2.5, 1e-9, "%.17g", line.base);
    cr_expect_float_eq(line.scale, 1.25, 1e-10, "%.17g", line.scale);
    cr_expect_eq(line.outliers, 8, "%zu", line.outliers);
}

/* On clean noise the robust fit loses little: both are near the truth by their standard errors. */
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
    const double error = 0.3 / sqrt(N * 100.0 / 12); /* of the slope: sigma / sqrt(sum of squares of x) */
    cr_expect_float_eq(plain.scale, 2, 4 * error);
    cr_expect_float_eq(robust.scale, 2, 4 * error);
    cr_expect_float_eq(robust.base, 1, 4 * error * 10);
}

Test(fit, a_line_that_cannot_be_true_is_doubted_with_its_reason)
{
    static const struct {
        double base, scale, network_ms, mape;
        const char *text; /* NULL: believed */
    } rows[] = {
        {0.2723, 0.1873, 1, 3, "scale 0.1873"},
        {-0.2488, 3.7434, 1, 3, "scale 3.7434"},
        {0, -1, 1, 0, "scale -1.0000"},
        {0, NAN, 1, 0, "scale nan"},
        {-1.1, 1, 1, 0, "base -1.1000 ms"},
        {0.1, 1, 1, 10.5, "missed by 10.5 %"},
        {0.1, 1, 1, NAN, "missed by nan %"},
        {0.1, 0.5, 1, 10, NULL},
        {-1.70734425, 1.10738265, 3.4, 0.3, NULL}, /* OpenVINO's, configs/devices/README.md */
        {-5, 2, INFINITY, 0, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const sq_line line = {.base = rows[i].base, .scale = rows[i].scale};
        char text[128] = "untouched";
        cr_expect_eq(sq_line_doubt(text, sizeof text, &line, rows[i].network_ms, rows[i].mape), rows[i].text != NULL);
        cr_expect_not_null(strstr(text, rows[i].text ? rows[i].text : "untouched"), "row %zu: %s", i, text);
    }
}

Test(fit, line_refuses_what_has_no_line)
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

/* ---- The additive table ---- */

enum { LAYERS = 5, CHOICES = 4, MANY = 400 };

typedef struct {
    int paths[MANY * LAYERS];
    double ms[MANY], truth[LAYERS][CHOICES];
} drawn;

/* Networks of a known table with base 3; normal noise. */
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

Test(fit, additive_recovers_an_exact_table)
{
    static drawn d;
    sq_additive *a = NULL;
    draw(&d, 0);
    for (int robust = 0; robust < 2; robust++) {
        const sq_additive_options options = {.method = robust ? SQ_ADDITIVE_ROBUST : SQ_ADDITIVE_PLAIN};
        MUST(sq_fit_additive(&a, d.paths, LAYERS, d.ms, MANY, &options));
        cr_expect_lt(largest_error(a, &d), 1e-8, "%g", largest_error(a, &d)); /* ridge 1e-10 of values of a few ms */
        cr_expect(a->unseen == 0 && a->choice_limit == CHOICES);
        cr_expect_float_eq(a->freedom, 1 + LAYERS * (CHOICES - 1), 1e-6, "%g", a->freedom);
        sq_additive_free(a);
    }
}

Test(fit, additive_gauge_changes_no_prediction)
{
    static drawn d;
    static const int gauge[LAYERS] = {3, 2, 1, 0, 3};
    sq_additive *a = NULL, *b = NULL;
    draw(&d, 0.2);
    MUST(sq_fit_additive(&a, d.paths, LAYERS, d.ms, 30, &(sq_additive_options){.ridge = 0.1}));
    MUST(sq_fit_additive(&b, d.paths, LAYERS, d.ms, 30, &(sq_additive_options){.ridge = 0.1, .gauge = gauge}));
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

Test(fit, additive_reports_what_was_never_measured)
{
    static drawn d;
    static const int limits[LAYERS] = {4, 4, 6, 4, 4}, path[LAYERS] = {0, 0, 5, 0, 0}, bad[LAYERS] = {0, 9, 0, 0, 0};
    sq_additive *a = NULL;
    double ms = 7;
    draw(&d, 0);
    MUST(sq_fit_additive(&a, d.paths, LAYERS, d.ms, MANY, &(sq_additive_options){.limits = limits}));
    cr_expect(a->unseen == 2 && a->seen[2 * a->choice_limit + 5] == 0);
    cr_expect_eq(sq_additive_predict(a, path, &ms), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "layer 2, choice 5 was never measured"), "%s", sq_error_text());
    cr_expect_eq(sq_additive_predict(a, bad, &ms), SQ_DATA);
    cr_expect_eq(ms, 7);
    sq_additive_free(a);
    a = NULL;
    static const int low[LAYERS] = {4, 4, 3, 4, 4}, gauge[LAYERS] = {0, 0, 5, 0, 0};
    cr_expect_eq(sq_fit_additive(&a, d.paths, LAYERS, d.ms, MANY, &(sq_additive_options){.limits = low}), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "layer 2: choice 3, expected 0 to 2"), "%s", sq_error_text());
    cr_expect_eq(
        sq_fit_additive(&a, d.paths, LAYERS, d.ms, MANY, &(sq_additive_options){.limits = limits, .gauge = gauge}),
        SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "gauge 5"), "%s", sq_error_text());
    cr_expect_eq(sq_fit_additive(&a, d.paths, LAYERS, d.ms, 2, &(sq_additive_options){.ridge = 0}), SQ_INVALID);
    cr_expect_null(a);
}

/* Wrong measurements in one of twelve: Huber's weights keep the table, plain least squares does not. */
Test(fit, additive_robust_fit_withstands_outliers)
{
    static drawn d;
    sq_additive *plain = NULL, *robust = NULL;
    draw(&d, 0.05);
    for (int i = 0; i < MANY; i += 12)
        d.ms[i] += 40;
    MUST(sq_fit_additive(&plain, d.paths, LAYERS, d.ms, MANY,
                         &(sq_additive_options){.ridge = 1e-6, .method = SQ_ADDITIVE_PLAIN}));
    MUST(sq_fit_additive(&robust, d.paths, LAYERS, d.ms, MANY,
                         &(sq_additive_options){.ridge = 1e-6, .method = SQ_ADDITIVE_ROBUST}));
    cr_expect_gt(largest_error(plain, &d), 1, "%g", largest_error(plain, &d));
    cr_expect_lt(largest_error(robust, &d), 0.1, "%g", largest_error(robust, &d));
    sq_additive_free(robust);
    MUST(sq_fit_additive(&robust, d.paths, LAYERS, d.ms, MANY, &(sq_additive_options){.ridge = 1e-6}));
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

/* With hardly more networks than values, cross-validation takes a ridge that predicts better than none. */
Test(fit, additive_cross_validation_helps_small_samples)
{
    static drawn d;
    sq_additive *none = NULL, *chosen = NULL;
    draw(&d, 1.5);
    MUST(sq_fit_additive(&none, d.paths, LAYERS, d.ms, 22, &(sq_additive_options){.ridge = 1e-10}));
    MUST(sq_fit_additive(&chosen, d.paths, LAYERS, d.ms, 22, &(sq_additive_options){.ridge = 0}));
    cr_expect_gt(chosen->ridge, 1e-3, "%g", chosen->ridge);
    cr_expect_lt(error_of(chosen, &d), error_of(none, &d), "%g, %g", error_of(chosen, &d), error_of(none, &d));
    sq_additive_free(none);
    sq_additive_free(chosen);
}

/* ---- Quality ---- */

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
    /* Known values with ties: x 1 2 2 3, y 1 3 2 2 -> 3 concordant, 1 discordant of 5 and 5 untied pairs. */
    const double x[] = {1, 2, 2, 3}, y[] = {1, 3, 2, 2};
    MUST(sq_fit_quality(&q, x, y, 4));
    cr_expect_float_eq(q.tau, 0.4, 1e-15, "%.17g", q.tau);
    cr_expect_float_eq(q.spearman, 2.25 / 4.5, 1e-15, "%.17g", q.spearman); /* ranks 1 2.5 2.5 4 and 1 4 2.5 2.5 */
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

/* ---- Published measurements: 5,000 FBNets on 27 devices (HELP, MIT) ---- */

static const char help[] = "../shared/luts/help-fbnet";

/* Device and held-out MAPE of an additive table by ordinary least squares, as the data's folder tells it. */
typedef struct {
    char name[64];
    double mape;
} told_device;

static int read_told(told_device *devices)
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
    MUST(sq_fit_additive(&a, m->paths, m->layers, m->ms, train, options));
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

/* The split is that of the told figures: the first 4,000 rows against the last 1,000. Least squares without a ridge to
 * speak of must give the told figures to their four digits. The default must be no worse. */
Test(fit, additive_is_no_worse_on_published_devices, .timeout = 300)
{
    static const sq_additive_options least_squares = {.method = SQ_ADDITIVE_PLAIN, .ridge = 1e-9},
                                     chosen = {.ridge = 0};
    told_device devices[64];
    const int count = read_told(devices);
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

/* ---- The picture ---- */

static char *draw_picture(const sq_scatter_options *options, const sq_scatter_point *points, size_t n)
{
    char *folder = make_folder(), path[600], *text = NULL;
    size_t bytes;
    (void)snprintf(path, sizeof path, "%s/p.svg", folder);
    MUST(sq_scatter_write(path, options, points, n));
    MUST(sq_file_read(path, 8 << 20, &text, &bytes));
    drop_folder(folder);
    return text;
}

static int count_of(const char *text, const char *word)
{
    int count = 0;
    for (const char *p = strstr(text, word); p; p = strstr(p + 1, word))
        count++;
    return count;
}

Test(scatter, draws_every_point_once_and_tells_the_errors)
{
    const sq_scatter_point points[] = {{10.5, 10, 0.5, "a"}, {19, 20, 0, NULL}, {50, 30, 0, "out <1> & \"2\"\x01\xff"}};
    char *text = draw_picture(&(sq_scatter_options){.title = "a < b & c"}, points, 3);
    cr_expect_eq(count_of(text, "<circle"), 2);
    cr_expect_eq(count_of(text, "stroke-opacity=\"0.6\""), 1); /* one error bar */
    cr_expect_not_null(strstr(text, "a &lt; b &amp; c"));
    cr_expect_not_null(strstr(text, "<title>out &lt;1&gt; &amp; &quot;2&quot;?"
                                    "?</title>"));
    cr_expect_not_null(strstr(text, "MAPE 25.6 %"));
    cr_expect_not_null(strstr(text, "within 10 %: 66.7 %"));
    cr_expect_not_null(strstr(text, "3 networks"));
    free(text);
}

Test(scatter, thins_many_points_by_the_documented_rule)
{
    enum { N = 100000 };
    sq_scatter_point *points = calloc(N, sizeof *points);
    sq_rng rng = sq_rng_open(4, SQ_RNG_TEST, 1);
    for (int i = 0; i < N; i++) {
        points[i].measured = 10 + 5 * sq_rng_uniform(&rng);
        points[i].predicted = points[i].measured * (i % 50 ? 1.02 : 1.3);
    }
    char *text = draw_picture(&(sq_scatter_options){.title = ""}, points, N);
    cr_expect_eq(count_of(text, "<circle"), 98000 / 25);             /* k = ceil(98,000 / 4,000) */
    cr_expect_not_null(strstr(text, "100000 networks, 4920 drawn")); /* and every second of the 2,000 outside */
    cr_expect_lt(strlen(text), 400000);
    free(text);
    free(points);
}

Test(scatter, refuses_bad_points_and_leaves_nothing)
{
    const sq_scatter_point bad = {1, 0, 0, NULL}, good = {1, 1, 0, NULL};
    char *folder = make_folder(), path[600];
    (void)snprintf(path, sizeof path, "%s/p.svg", folder);
    cr_expect_eq(sq_scatter_write(path, &(sq_scatter_options){0}, &bad, 1), SQ_INVALID);
    cr_expect_eq(sq_scatter_write(path, &(sq_scatter_options){0}, &good, 0), SQ_INVALID);
    cr_expect_not(sq_path_exists(path));
    (void)snprintf(path, sizeof path, "%s/none/p.svg", folder);
    cr_expect_eq(sq_scatter_write(path, &(sq_scatter_options){0}, &good, 1), SQ_IO);
    drop_folder(folder);
}
