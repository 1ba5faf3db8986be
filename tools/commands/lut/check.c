/* squall lut check, squall lut predict. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "search/cost/roofline_file.h"
#include "search/cost/latency_check.h"
#include "search/cost/coverage.h"
#include "search/cost/fit/fit.h"
#include "tools/commands/lut/lut.h"

enum { SHOWN = 8 }; /* number of lines of a list that are printed without --all */

typedef struct {
    const char *arch;
    int fill;
    bool is_all;
    sq_lut_shape shape;
} arguments;

/* ---- check ---- */

static void print_key(const char *what, const sq_block_key *key, const char *more)
{
    char text[SQ_BLOCK_KEY_BYTES];
    (void)sq_block_key_print(key, text, sizeof text);
    (void)printf("  %-12s %s%s\n", what, text, more);
}

static void print_rest(int count, int shown)
{
    if (count > shown)
        (void)printf("  %-12s %d more; --all shows them\n", "", count - shown);
}

static void print_missing(const sq_coverage *coverage, int limit)
{
    for (int i = 0; i < coverage->missing_count && i < limit; i++) {
        print_key("missing", &coverage->missing[i].key, "");
        if (coverage->missing[i].nearest)
            print_key("  the nearest", &coverage->missing[i].nearest->key, "");
    }
    print_rest(coverage->missing_count, limit);
}

static void print_check(const sq_latency *latency, const sq_latency_check *c, bool is_all)
{
    const int limit = is_all ? 1 << 30 : SHOWN;
    char more[64];
    for (int i = 0; i < c->noisy_count && i < limit; i++) {
        const sq_latency_entry *e = &latency->entries[c->noisy[i]];
        (void)snprintf(more, sizeof more, "  %.4g ms +- %.4g", e->time.mean, e->time.deviation);
        print_key("wide spread", &e->key, more);
    }
    print_rest(c->noisy_count, limit);
    for (int i = 0; i < c->inversion_count && i < limit; i++) {
        const sq_latency_inversion *o = &c->inversions[i];
        (void)snprintf(more, sizeof more, "  %.4g ms, slower than", o->smaller->time.mean);
        print_key("implausible", &o->smaller->key, more);
        (void)snprintf(more, sizeof more, "  %.4g ms", o->larger->time.mean);
        print_key("  the larger", &o->larger->key, more);
    }
    print_rest(c->inversion_count, limit);
    for (int i = 0; is_all && i < c->unused_count; i++)
        print_key("unused", &latency->entries[c->unused[i]].key, "");
}

/* Returns the reason why base and scale are implausible, from device.yaml or else from the values of base and scale;
 * NULL if they are plausible. Base and scale of a modelled device are chosen instead of fitted, so they are not
 * checked. */
static const char *doubt_of(const sq_latency *latency, char *out, size_t bytes)
{
    const sq_device_info *d = sq_latency_info(latency);
    const sq_line line = {.base = d->base_ms, .scale = d->scale};
    if (*d->doubt)
        return d->doubt;
    return d->is_measured && latency->count && sq_line_doubt(out, bytes, &line, INFINITY, 0) ? out : NULL;
}

static void print_device(const sq_latency *latency)
{
    const sq_device_info *d = sq_latency_info(latency);
    char threads[32], seen[sizeof d->doubt];
    (void)printf("%s: %s%s%s\n", d->name, *d->runtime ? d->runtime : "runtime not stated", d->is_measured ? "" : ", ",
                 d->is_measured ? "" : "modelled, not measured");
    sq_print_row("conditions", "%s, batch %d%s%s%s", *d->dtype ? d->dtype : "dtype not stated", d->batch,
                 sq_lut_threads(threads, sizeof threads, d->threads, false), *d->clocks ? ", " : "", d->clocks);
    char rules[128];
    sq_device_constraints_print(&d->constraints, rules, sizeof rules);
    if (*rules)
        sq_print_row("constraints", "no %s", rules);
    sq_print_row("whole network", "%.4g ms + %.4g x sum of blocks, +- %.4g ms", d->base_ms, d->scale, d->residual_ms);
    const char *doubt = doubt_of(latency, seen, sizeof seen);
    if (doubt)
        sq_print_row("implausible", "%s; measure again, or squall lut calibrate", doubt);
}

/* Checks a table by layer, which can be prepared only for the space that the table was made for. */
static sq_status check_layers(const sq_latency *latency, const sq_space *space)
{
    sq_latency_cache cache;
    SQ_TRY(sq_latency_prepare(&cache, latency, space, SQ_FILL_NONE));
    sq_print_row("coverage", "every choice of %d searched layers", space->searched_count);
    sq_latency_cache_clear(&cache);
    return SQ_OK;
}

static sq_status print_blocks(const sq_latency *latency, const sq_space *space, const sq_coverage *coverage,
                              const sq_latency_check *c, bool is_all)
{
    const int there = coverage->block_count - coverage->missing_count;
    char seen[128];
    sq_print_row("coverage", "%d of %d blocks of %s (%.1f %%)", there, coverage->block_count, space->name,
                 100.0 * there / coverage->block_count);
    sq_print_row("entries", "%zu: %d unused, %d of wide spread, %d implausible pairs%s", latency->count,
                 c->unused_count, c->noisy_count, c->inversion_count,
                 doubt_of(latency, seen, sizeof seen) ? " and 1 implausible line" : "");
    print_missing(coverage, is_all ? 1 << 30 : SHOWN);
    print_check(latency, c, is_all);
    if (coverage->missing_count == 0)
        return SQ_OK;
    return sq_fail(SQ_DATA, "%s: %d of the %d blocks of %s are missing", latency->path, coverage->missing_count,
                   coverage->block_count, space->name);
}

static sq_status check_blocks(const sq_latency *latency, const sq_space *space, bool is_all)
{
    sq_block_list list = {0};
    sq_latency_check c = {0};
    sq_coverage coverage = {0};
    SQ_TRY(sq_block_list_make(&list, space));
    sq_status status = sq_latency_check_table(&c, latency, &list);
    if (status == SQ_OK)
        status = sq_coverage_find(&coverage, latency, space, NULL);
    if (status == SQ_OK)
        status = print_blocks(latency, space, &coverage, &c, is_all);
    sq_coverage_clear(&coverage);
    sq_latency_check_clear(&c);
    sq_block_list_clear(&list);
    return status;
}

/* For a device without a table, compares the times of its roofline with published times of networks. */
static sq_status print_checks(const sq_latency *latency, const char *device)
{
    sq_roofline_check *checks = NULL;
    sq_quality quality;
    size_t count = 0;
    char path[4096];
    sq_print_row("coverage", "every block, by roofline.yaml");
    if (!sq_path_find(path, sizeof path, device, "checks.csv"))
        return SQ_OK;
    SQ_TRY(sq_roofline_checks(&latency->roofline, path, &checks, &count));
    double *values = calloc(2 * count + 1, sizeof *values);
    sq_status status = values ? SQ_OK : sq_fail(SQ_NO_MEMORY, "%s: %zu networks", path, count);
    for (size_t i = 0; status == SQ_OK && i < count; i++) {
        const sq_device_info *info = sq_latency_info(latency);
        values[i] = info->base_ms + info->scale * checks[i].predicted;
        values[count + i] = checks[i].measured;
        (void)printf("  %-24s %8.2f ms measured, %8.2f modelled, %+6.1f %%  (%s)\n", checks[i].network,
                     checks[i].measured, values[i], 100 * (values[i] / checks[i].measured - 1), checks[i].device);
    }
    if (status == SQ_OK && count)
        status = sq_fit_quality(&quality, values, values + count, count);
    if (status == SQ_OK && count)
        sq_print_row("error", "MAPE %.1f %%, within 10 %%: %.0f %% of %zu; tau %.2f", quality.mape, quality.within_10,
                     count, quality.tau);
    free(values);
    free(checks);
    return status;
}

static sq_status check(const char *file, const char *device, const arguments *a)
{
    sq_space *space = NULL;
    sq_latency *latency = NULL;
    sq_status status = sq_lut_space(&space, file, &a->shape);
    if (status == SQ_OK)
        status = sq_lut_device(&latency, device);
    if (status == SQ_OK) {
        print_device(latency);
        status = latency->layer_count ? check_layers(latency, space)
                 : latency->count     ? check_blocks(latency, space, a->is_all)
                                      : print_checks(latency, latency->path);
    }
    sq_latency_close(latency);
    sq_space_free(space);
    return status;
}

/* ---- predict ---- */

static void print_layers(const sq_latency_cache *cache, const sq_space *space, const int *path, double total)
{
    (void)printf("layer  %-14s %-18s %10s %10s %7s\n", "input", "choice", "ms", "+-", "share");
    for (int l = 0; l < space->layer_count; l++) {
        const sq_layer *layer = &space->layers[l];
        char shape[48];
        double deviation;
        const double ms = sq_latency_block_ms(cache, l, path[l], &deviation);
        (void)snprintf(shape, sizeof shape, "%dx%dx%d", layer->h_in, layer->w_in, layer->c_in);
        (void)printf("%5d  %-14s %-18s %10.4f %10.4f %6.1f%%%s\n", l, shape,
                     space->choices[layer->choices[path[l]]].name, ms, deviation, 100 * ms / total,
                     cache->is_filled[(size_t)l * (size_t)cache->choice_limit + (size_t)path[l]] ? "  filled in" : "");
    }
}

static sq_status print_prediction(const sq_latency *latency, const sq_space *space, const int *path, sq_fill fill)
{
    sq_latency_cache cache;
    SQ_TRY(sq_latency_prepare_path(&cache, latency, space, path, fill));
    const sq_prediction p = sq_latency_predict(&cache, space, path);
    print_layers(&cache, space, path, p.ms);
    (void)printf("%5s  %-33s %10.4f\n", "", "base", cache.info.base_ms);
    (void)printf("%5s  %-33s %10.4f %10.4f\n", "", "total", p.ms, p.deviation_ms);
    if (p.filled_ms > 0)
        sq_print_row("filled in", "%.4f ms, %.1f %% of the total", p.filled_ms, 100 * p.filled_ms / p.ms);
    if (cache.energy_mj)
        sq_print_row("energy", "%.4g mJ", p.energy_mj);
    if (cache.area_mm2)
        sq_print_row("area", "%.4g mm2", p.area_mm2);
    sq_latency_cache_clear(&cache);
    return SQ_OK;
}

static sq_status predict(const char *file, const char *device, const arguments *a)
{
    sq_space *space = NULL;
    sq_latency *latency = NULL;
    int path[SQ_MAX_LAYERS] = {0};
    sq_status status = sq_lut_space(&space, file, &a->shape);
    if (status == SQ_OK && (a->arch || space->searched_count))
        status = a->arch ? sq_arch_read(space, a->arch, path)
                         : sq_fail(SQ_INVALID, "%s: %d layers are searched: give --arch", file, space->searched_count);
    if (status == SQ_OK)
        status = sq_lut_device(&latency, device);
    if (status == SQ_OK) {
        print_device(latency);
        status = print_prediction(latency, space, path, (sq_fill)a->fill);
    }
    sq_latency_close(latency);
    sq_space_free(space);
    return status;
}

/* ---- Commands ---- */

static int run_check(const sq_options *options, const void *given)
{
    const sq_status status = check(options->arguments[0], options->arguments[1], given);
    return status == SQ_OK ? 0 : sq_command_fail("lut check", status);
}

static int run_predict(const sq_options *options, const void *given)
{
    const sq_status status = predict(options->arguments[0], options->arguments[1], given);
    return status == SQ_OK ? 0 : sq_command_fail("lut predict", status);
}

static const char expected[] = "a space file and a device";
static const sq_option check_options[] = {SQ_FLAG("--all", is_all), SQ_LUT_SHAPE_OPTIONS(shape), SQ_OPTIONS_END};
static const sq_option predict_options[] = {SQ_TEXT("--arch", arch), SQ_WORD("--fill", fill, SQ_LUT_FILL_WORDS),
                                            SQ_LUT_SHAPE_OPTIONS(shape), SQ_OPTIONS_END};

const sq_command sq_lut_check = {.name = "check",
                                 .options = check_options,
                                 .arguments_bytes = sizeof(arguments),
                                 .argument_min = 2,
                                 .argument_max = 2,
                                 .expected = expected,
                                 .run = run_check};

const sq_command sq_lut_predict = {.name = "predict",
                                   .options = predict_options,
                                   .arguments_bytes = sizeof(arguments),
                                   .argument_min = 2,
                                   .argument_max = 2,
                                   .expected = expected,
                                   .run = run_predict};
