/* squall lut calibrate, squall lut compare: compare predictions with measurements of whole networks. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "search/cost/fit/fit.h"
#include "search/cost/fit/fit_additive.h"
#include "search/cost/fit/measured.h"
#include "search/cost/fit/scatter.h"
#include "search/cost/latency_table.h"
#include "tools/commands/lut/lut.h"

typedef struct {
    const char *space, *column, *out, *title, *name;
    int test;   /* number of networks that are excluded from the fit and test it */
    int fill;   /* sq_fill */
    int method; /* sq_additive_method, for --additive */
    bool is_additive, is_dry;
    sq_lut_shape shape;
} arguments;

#define METHOD_WORDS "auto plain robust" /* names of the values of sq_additive_method */

typedef struct {
    sq_space *space; /* NULL: not given; a table by layer does not require it */
    sq_latency *latency;
    sq_measured *measured;
    double *predicted; /* [measured->count] */
} job;

static void clear(job *j)
{
    free(j->predicted);
    sq_measured_free(j->measured);
    sq_latency_close(j->latency);
    sq_space_free(j->space);
}

/* ---- Predictions of all networks ---- */

static sq_status path_of(const job *j, size_t row, const char *file, int path[SQ_MAX_LAYERS])
{
    const sq_measured *m = j->measured;
    const int wrong = sq_arch_path(j->space, m->paths + row * (size_t)m->layers, path);
    if (wrong == SQ_NONE)
        return SQ_OK;
    const sq_layer *layer = &j->space->layers[wrong];
    return sq_fail(SQ_INVALID, "%s:%d: %d for searched layer %d, %s has %d choices there", file, m->lines[row],
                   path[wrong], layer->searched_index, j->space->name, layer->choice_count);
}

static sq_status predict_with_space(job *j, const char *file, sq_fill fill)
{
    sq_latency_cache cache;
    int path[SQ_MAX_LAYERS];
    if (j->measured->layers != j->space->searched_count)
        return sq_fail(SQ_INVALID, "%s: architectures of %d numbers, %s has %d searched layers", file,
                       j->measured->layers, j->space->name, j->space->searched_count);
    SQ_TRY(sq_latency_prepare(&cache, j->latency, j->space, fill));
    sq_status status = SQ_OK;
    for (size_t i = 0; status == SQ_OK && i < j->measured->count; i++) {
        status = path_of(j, i, file, path);
        if (status == SQ_OK)
            j->predicted[i] = sq_latency_predict(&cache, j->space, path).ms;
    }
    sq_latency_cache_clear(&cache);
    return status;
}

static sq_status predict_by_layer(job *j, const char *file)
{
    const sq_measured *m = j->measured;
    const sq_device_info *info = sq_latency_info(j->latency);
    for (size_t i = 0; i < m->count; i++) {
        double sum = 0;
        for (int l = 0; l < m->layers; l++) {
            const int choice = m->paths[i * (size_t)m->layers + (size_t)l];
            const sq_layer_entry *entry = sq_latency_find_layer(j->latency, l, choice);
            if (!entry)
                return sq_fail(SQ_DATA, "%s: no entry for layer %d, choice %d, which %s:%d needs", j->latency->path, l,
                               choice, file, m->lines[i]);
            sum += entry->time.mean;
        }
        j->predicted[i] = info->base_ms + info->scale * sum;
    }
    return SQ_OK;
}

static sq_status open_measured(job *j, const arguments *a, const char *file)
{
    SQ_TRY(sq_measured_read(&j->measured, file, a->column));
    j->predicted = calloc(j->measured->count, sizeof *j->predicted);
    return j->predicted ? SQ_OK : sq_fail(SQ_NO_MEMORY, "%s: %zu networks", file, j->measured->count);
}

/* Opens the device, the space and the measured networks, and predicts the networks. If is_only_read is true, the device
 * can also be in the share folder, which must not be changed. */
static sq_status open_job(job *j, const arguments *a, const char *device, const char *file, bool is_only_read)
{
    SQ_TRY(is_only_read ? sq_lut_device(&j->latency, device) : sq_latency_open(&j->latency, device));
    if (a->space)
        SQ_TRY(sq_lut_space(&j->space, a->space, &a->shape));
    else if (!j->latency->layer_count)
        return sq_fail(SQ_INVALID, "%s: a table by block: give --space", device);
    SQ_TRY(open_measured(j, a, file));
    return j->space ? predict_with_space(j, file, (sq_fill)a->fill) : predict_by_layer(j, file);
}

/* ---- Printing ---- */

static sq_status print_quality(const char *when, const double *predicted, const double *measured, size_t count)
{
    sq_quality q;
    SQ_TRY(sq_fit_quality(&q, predicted, measured, count));
    sq_print_row(when, "MAPE %.2f %%, within 5 %%: %.1f %%, within 10 %%: %.1f %% of %zu; tau %.3f; worst %+.1f %%",
                 q.mape, q.within_5, q.within_10, q.count, q.tau, q.worst_percent);
    return SQ_OK;
}

/* ---- calibrate: base and scale ---- */

static sq_status calibrate_line(job *j, const arguments *a, const char *device)
{
    const size_t count = j->measured->count;
    sq_device_info *info = &j->latency->info;
    sq_line line;
    double squares = 0;
    char path[4096];
    SQ_TRY(print_quality("before", j->predicted, j->measured->ms, count));
    SQ_TRY(sq_fit_line(&line, j->predicted, j->measured->ms, count, true));
    for (size_t i = 0; i < count; i++) {
        j->predicted[i] = line.base + line.scale * j->predicted[i];
        squares += pow(j->predicted[i] - j->measured->ms[i], 2);
    }
    SQ_TRY(print_quality("after", j->predicted, j->measured->ms, count));
    info->base_ms = line.base + line.scale * info->base_ms;
    info->scale *= line.scale;
    *info->doubt = 0; /* the doubt applied to the old base and scale */
    info->residual_ms = sqrt(squares / (double)(count - 2));
    sq_print_row("device", "base %.5g ms, scale %.5g, residual %.4g ms%s", info->base_ms, info->scale,
                 info->residual_ms, a->is_dry ? "; not written" : "");
    if (line.outliers)
        sq_print_row("outliers", "%zu networks have weight 0 in the fit", line.outliers);
    if (a->is_dry)
        return SQ_OK;
    if (!(info->scale > 0))
        return sq_fail(SQ_DATA, "%s: scale %g: the measured networks do not get slower with the prediction", device,
                       info->scale);
    if (!sq_path_find(path, sizeof path, device, "device.yaml"))
        return sq_fail(SQ_INVALID, "%s: no device folder: import the table first (squall lut import)", device);
    return sq_device_write(info, path);
}

/* ---- calibrate --additive: a table by layer from whole networks alone ---- */

static sq_status fill_table(sq_latency *table, const sq_additive *fit, double residual)
{
    for (int l = 0; l < fit->layers; l++)
        for (int c = 0; c < fit->choice_limit; c++) {
            const size_t i = (size_t)l * (size_t)fit->choice_limit + (size_t)c;
            const sq_block_time time = sq_block_time_of(fit->ms[i], 0, fit->seen[i]);
            if (fit->seen[i])
                SQ_TRY(sq_latency_add_layer(table, l, c, &time));
        }
    table->info.base_ms = fit->base;
    table->info.residual_ms = residual;
    return sq_latency_sort(table, table->path);
}

static sq_status make_additive(job *j, const arguments *a, const sq_additive *fit, size_t fitted, const char *device)
{
    const sq_measured *m = j->measured;
    double squares = 0;
    for (size_t i = 0; i < m->count; i++) {
        SQ_TRY(sq_additive_predict(fit, m->paths + i * (size_t)m->layers, &j->predicted[i]));
        squares += i < fitted ? pow(j->predicted[i] - m->ms[i], 2) : 0;
    }
    if (isfinite(fit->plain_error))
        sq_print_row("cross-validation",
                     "error %.3g %% by least squares, %.3g %% by the robust fit: %s taken (--method)",
                     100 * fit->plain_error, 100 * fit->robust_error,
                     fit->method == SQ_ADDITIVE_PLAIN ? "the first is" : "the second is");
    SQ_TRY(print_quality("fitted", j->predicted, m->ms, fitted));
    if (m->count > fitted)
        SQ_TRY(print_quality("tested", j->predicted + fitted, m->ms + fitted, m->count - fitted));
    if (fit->unseen)
        sq_print_row("unseen", "%d choices occur in no network and have no entry", fit->unseen);
    if (a->is_dry)
        return SQ_OK;
    SQ_TRY(sq_latency_create(&j->latency, device));
    sq_device_info *info = &j->latency->info;
    const char *name = a->name ? a->name : a->column ? a->column : "fitted";
    (void)snprintf(info->name, sizeof info->name, "%.60s", name);
    (void)snprintf(info->source, sizeof info->source, "squall lut calibrate --additive, %zu networks", fitted);
    if (j->space)
        (void)snprintf(info->space, sizeof info->space, "%s", j->space->name);
    info->is_measured = true;
    SQ_TRY(fill_table(j->latency, fit, sqrt(squares / fmax(1, (double)fitted - fit->freedom))));
    SQ_TRY(sq_latency_write(j->latency, device));
    sq_print_row("files", "%s/device.yaml, %s/layers.csv", device, device);
    return SQ_OK;
}

static sq_status calibrate_additive(job *j, const arguments *a, const char *device, const char *file)
{
    sq_additive *fit = NULL;
    if (a->space)
        SQ_TRY(sq_lut_space(&j->space, a->space, &a->shape));
    SQ_TRY(open_measured(j, a, file));
    if ((size_t)a->test >= j->measured->count)
        return sq_fail(SQ_INVALID, "--test %d: %s has %zu networks", a->test, file, j->measured->count);
    const size_t fitted = j->measured->count - (size_t)a->test;
    const sq_additive_options options = {.method = (sq_additive_method)a->method};
    const sq_additive_data data = {j->measured->paths, j->measured->layers, j->measured->ms, fitted};
    SQ_TRY(sq_fit_additive(&fit, &data, &options));
    const sq_status status = make_additive(j, a, fit, fitted, device);
    sq_additive_free(fit);
    return status;
}

/* ---- compare ---- */

static sq_status draw(const job *j, const arguments *a, const char *device)
{
    const size_t count = j->measured->count;
    sq_scatter_point *points = calloc(count, sizeof *points);
    const char *name = sq_latency_info(j->latency)->name;
    const sq_scatter_options options = {.title = a->title ? a->title : *name ? name : device};
    if (!points)
        return sq_fail(SQ_NO_MEMORY, "%s: %zu points", a->out, count);
    for (size_t i = 0; i < count; i++)
        points[i] = (sq_scatter_point){
            .predicted = j->predicted[i], .measured = j->measured->ms[i], .deviation = j->measured->deviation[i]};
    const sq_status status = sq_scatter_write(a->out, &options, points, count);
    free(points);
    if (status == SQ_OK)
        sq_print_row("picture", "%s", a->out);
    return status;
}

static sq_status compare(job *j, const arguments *a, const char *device, const char *file)
{
    SQ_TRY(open_job(j, a, device, file, true));
    SQ_TRY(print_quality("predicted", j->predicted, j->measured->ms, j->measured->count));
    return a->out ? draw(j, a, device) : SQ_OK;
}

static sq_status calibrate(job *j, const arguments *a, const char *device, const char *file)
{
    if (a->is_additive)
        return calibrate_additive(j, a, device, file);
    SQ_TRY(open_job(j, a, device, file, a->is_dry));
    return calibrate_line(j, a, device);
}

/* ---- Commands ---- */

static int run_calibrate(const sq_options *options, const void *given)
{
    job j = {0};
    const sq_status status = calibrate(&j, given, options->arguments[0], options->arguments[1]);
    clear(&j);
    return status == SQ_OK ? 0 : sq_command_fail("lut calibrate", status);
}

static int run_compare(const sq_options *options, const void *given)
{
    job j = {0};
    const sq_status status = compare(&j, given, options->arguments[0], options->arguments[1]);
    clear(&j);
    return status == SQ_OK ? 0 : sq_command_fail("lut compare", status);
}

#define MEASURED_OPTIONS                                                                                               \
    SQ_TEXT("--space", space), SQ_TEXT("--column", column), SQ_WORD("--fill", fill, SQ_LUT_FILL_WORDS),                \
        SQ_LUT_SHAPE_OPTIONS(shape)
static const char expected[] = "a device and a file of measured networks";
static const sq_option calibrate_options[] = {MEASURED_OPTIONS,
                                              SQ_FLAG("--additive", is_additive),
                                              SQ_INT("--test", test, 0, 1e9),
                                              SQ_WORD("--method", method, METHOD_WORDS),
                                              SQ_TEXT("--name", name),
                                              SQ_FLAG("--dry", is_dry),
                                              SQ_OPTIONS_END};
static const sq_option compare_options[] = {MEASURED_OPTIONS, SQ_TEXT("-o", out), SQ_TEXT("--out", out),
                                            SQ_TEXT("--title", title), SQ_OPTIONS_END};

const sq_command sq_lut_calibrate = {.name = "calibrate",
                                     .options = calibrate_options,
                                     .arguments_bytes = sizeof(arguments),
                                     .argument_min = 2,
                                     .argument_max = 2,
                                     .expected = expected,
                                     .run = run_calibrate};

const sq_command sq_lut_compare = {.name = "compare",
                                   .options = compare_options,
                                   .arguments_bytes = sizeof(arguments),
                                   .argument_min = 2,
                                   .argument_max = 2,
                                   .expected = expected,
                                   .run = run_compare};
