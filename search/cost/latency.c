/* Opens a device, looks up the blocks of a space, and predicts paths. */
#include "search/cost/latency.h"
#include "search/cost/roofline_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "search/cost/coverage.h"
#include "search/cost/dialects/dialect.h"
#include "search/cost/fill.h"
#include "search/cost/latency_table.h"

/* ---- Opening ---- */

static sq_status open_folder(sq_latency *latency, const char *folder)
{
    char device[SQ_PATH_BYTES], table[SQ_PATH_BYTES], layers[SQ_PATH_BYTES], roofline[SQ_PATH_BYTES];
    SQ_TRY(sq_text_path(device, sizeof device, folder, "device.yaml"));
    SQ_TRY(sq_text_path(table, sizeof table, folder, "table.csv"));
    SQ_TRY(sq_text_path(roofline, sizeof roofline, folder, "roofline.yaml"));
    SQ_TRY(sq_text_path(layers, sizeof layers, folder, "layers.csv"));
    SQ_TRY(sq_device_read(&latency->info, device));
    latency->has_roofline = sq_path_exists(roofline);
    if (latency->has_roofline)
        SQ_TRY(sq_roofline_read(&latency->roofline, roofline));
    if (sq_path_exists(layers)) {
        if (sq_path_exists(table))
            return sq_fail(SQ_INVALID, "%s: found table.csv and layers.csv, expected one of them", folder);
        return sq_latency_read_layers(latency, layers);
    }
    if (latency->has_roofline && !sq_path_exists(table))
        return SQ_OK; /* the roofline predicts every block */
    return sq_latency_read_table(latency, table);
}

sq_status sq_latency_open(sq_latency **out, const char *path)
{
    struct stat info;
    sq_latency *latency = NULL;
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode))
        return sq_dialect_read(out, NULL, path, NULL);
    SQ_TRY(sq_latency_create(&latency, path));
    const sq_status status = open_folder(latency, path);
    if (status == SQ_OK)
        *out = latency;
    else
        sq_latency_close(latency);
    return status;
}

const sq_device_info *sq_latency_info(const sq_latency *latency)
{
    return &latency->info;
}

/* ---- One block ---- */

typedef struct {
    const sq_latency *latency;
    const sq_space *space;
    const int *path; /* look up only the blocks of this path; NULL: all blocks */
    sq_fill fill;
} lookup;

/* Finds or estimates the time of a block. A skip block without an entry takes no time, because an exported network does
 * not contain skip blocks. */
static sq_status find_block(const lookup *u, int layer, int choice, sq_block_time *out, bool *is_filled)
{
    const sq_block_key key = sq_block_key_of(u->space, layer, choice);
    const sq_latency_entry *entry = sq_latency_find(u->latency, &key);
    *is_filled = false;
    *out = (sq_block_time){0};
    if (entry) {
        *out = entry->time;
        return SQ_OK;
    }
    if (key.kind == SQ_BLOCK_SKIP)
        return SQ_OK;
    const bool is_modelled = sq_latency_is_modelled(u->latency);
    const sq_fill_request request = {u->latency, u->space, layer, choice};
    *is_filled = !is_modelled;
    *out = sq_block_time_of(0, 0, 1);
    return sq_fill_block(is_modelled ? SQ_FILL_ROOFLINE : u->fill, &request, &out->mean, &out->deviation);
}

/* Finds the time of a choice in a table by layer. A layer that is not searched has time 0, because the table's base
 * includes such layers. */
static sq_status find_layer(const lookup *u, int layer, int choice, sq_block_time *out)
{
    const sq_layer *l = &u->space->layers[layer];
    *out = (sq_block_time){0};
    if (l->searched_index == SQ_NONE)
        return SQ_OK;
    *out = sq_latency_find_layer(u->latency, l->searched_index, choice)->time; /* check_coverage found the entry */
    return SQ_OK;
}

static sq_status look_up(const lookup *u, int layer, int choice, sq_block_time *out, bool *is_filled)
{
    *is_filled = false;
    return u->latency->layer_count ? find_layer(u, layer, choice, out) : find_block(u, layer, choice, out, is_filled);
}

/* ---- All blocks ---- */

static sq_status allocate(sq_latency_cache *cache, const sq_space *space)
{
    for (int l = 0; l < space->layer_count; l++)
        cache->choice_limit =
            space->layers[l].choice_count > cache->choice_limit ? space->layers[l].choice_count : cache->choice_limit;
    const size_t count = (size_t)space->layer_count * (size_t)cache->choice_limit;
    cache->mean = calloc(count, sizeof *cache->mean);
    cache->variance = calloc(count, sizeof *cache->variance);
    cache->energy_mj = calloc(count, sizeof *cache->energy_mj);
    cache->area_mm2 = calloc(count, sizeof *cache->area_mm2);
    cache->is_filled = calloc(count, sizeof *cache->is_filled);
    if (!cache->mean || !cache->variance || !cache->energy_mj || !cache->area_mm2 || !cache->is_filled)
        return sq_fail(SQ_NO_MEMORY, "latency table: %zu blocks", count);
    return SQ_OK;
}

/* Frees the array if the value of any block is missing. */
static void drop_partial(double **values, size_t count)
{
    for (size_t i = 0; *values && i < count; i++)
        if (!isfinite((*values)[i])) {
            free(*values);
            *values = NULL;
        }
}

static sq_status fill_cache(sq_latency_cache *cache, const lookup *u)
{
    SQ_TRY(allocate(cache, u->space));
    for (int l = 0; l < u->space->layer_count; l++)
        for (int c = 0; c < u->space->layers[l].choice_count; c++) {
            const size_t i = (size_t)l * (size_t)cache->choice_limit + (size_t)c;
            sq_block_time time;
            if (u->path && u->path[l] != c)
                continue;
            SQ_TRY(look_up(u, l, c, &time, &cache->is_filled[i]));
            cache->mean[i] = time.mean;
            cache->variance[i] = time.deviation * time.deviation;
            cache->energy_mj[i] = time.energy_mj;
            cache->area_mm2[i] = time.area_mm2;
            cache->filled_count += cache->is_filled[i];
        }
    const size_t count = (size_t)u->space->layer_count * (size_t)cache->choice_limit;
    drop_partial(&cache->energy_mj, count);
    drop_partial(&cache->area_mm2, count);
    return SQ_OK;
}

/* Fails if entries are missing and cannot be estimated. Entries of a table by layer cannot be estimated with any fill
 * method, because such a table does not have the shapes of the layers. */
static sq_status check_coverage(const lookup *u)
{
    sq_coverage coverage;
    SQ_TRY(sq_coverage_find(&coverage, u->latency, u->space, u->path));
    const bool is_error = coverage.missing_count && (u->fill == SQ_FILL_NONE || u->latency->layer_count);
    const sq_status status = is_error ? sq_coverage_fail(&coverage, u->latency, u->space) : SQ_OK;
    sq_coverage_clear(&coverage);
    return status;
}

sq_status sq_latency_prepare_path(sq_latency_cache *out, const sq_latency *latency, const sq_space *space,
                                  const int *path, sq_fill fill)
{
    const lookup u = {latency, space, path, fill};
    sq_latency_cache cache = {.info = latency->info};
    SQ_TRY(check_coverage(&u));
    const sq_status status = fill_cache(&cache, &u);
    if (status == SQ_OK)
        *out = cache;
    else
        sq_latency_cache_clear(&cache);
    return status;
}

sq_status sq_latency_prepare(sq_latency_cache *out, const sq_latency *latency, const sq_space *space, sq_fill fill)
{
    return sq_latency_prepare_path(out, latency, space, NULL, fill);
}

sq_status sq_latency_load(sq_latency_cache *out, const char *device, const sq_space *space, sq_fill fill)
{
    sq_latency *latency = NULL;
    SQ_TRY(sq_latency_open(&latency, device));
    const sq_status status = sq_latency_prepare(out, latency, space, fill);
    sq_latency_close(latency);
    return status;
}

void sq_latency_cache_clear(sq_latency_cache *cache)
{
    free(cache->mean);
    free(cache->variance);
    free(cache->energy_mj);
    free(cache->area_mm2);
    free(cache->is_filled);
    memset(cache, 0, sizeof *cache);
}

/* ---- Prediction ---- */

sq_prediction sq_latency_predict(const sq_latency_cache *cache, const sq_space *space, const int *path)
{
    const double scale = cache->info.scale;
    double sum = 0, variance = 0, filled = 0, energy = 0, area = 0;
    for (int l = 0; l < space->layer_count; l++) {
        const size_t i = (size_t)l * (size_t)cache->choice_limit + (size_t)path[l];
        sum += cache->mean[i];
        variance += cache->variance[i];
        filled += cache->is_filled[i] ? cache->mean[i] : 0;
        energy += cache->energy_mj ? cache->energy_mj[i] : 0;
        area += cache->area_mm2 ? cache->area_mm2[i] : 0;
    }
    const double residual = cache->info.residual_ms;
    return (sq_prediction){.ms = cache->info.base_ms + scale * sum,
                           .deviation_ms = sqrt(scale * scale * variance + residual * residual),
                           .filled_ms = scale * filled,
                           .energy_mj = cache->energy_mj ? cache->info.base_energy_mj + energy : 0,
                           .area_mm2 = cache->area_mm2 ? cache->info.base_area_mm2 + area : 0};
}

double sq_latency_block_ms(const sq_latency_cache *cache, int layer, int choice, double *deviation_ms)
{
    const size_t i = (size_t)layer * (size_t)cache->choice_limit + (size_t)choice;
    *deviation_ms = cache->info.scale * sqrt(cache->variance[i]);
    return cache->info.scale * cache->mean[i];
}
