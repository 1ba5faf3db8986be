/* Writes and reads state.json. Floats have 17 digits, so that they are read back exactly. */
#include "search/state.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "search/json_file.h"
#include "search/searchers/searchers.h"

enum { LARGEST_STATE = 1 << 30, ARCH_BYTES = 1024 };

static uint64_t hash_values(uint64_t hash, const double *values, size_t count)
{
    return values ? sq_hash(hash, values, count * sizeof *values) : hash;
}

/* Continues `hash` with all values that determine a device's predictions and limits. Name and folder do not count. */
static uint64_t hash_device(uint64_t hash, const sq_search_device *d, const sq_space *space)
{
    const sq_latency_cache *cache = d->cache;
    const size_t count = (size_t)space->layer_count * (size_t)cache->choice_limit;
    const double numbers[] = {d->limit_ms,
                              d->margin,
                              d->limit_energy_mj,
                              d->limit_area_mm2,
                              cache->info.base_ms,
                              cache->info.scale,
                              cache->info.residual_ms,
                              cache->info.base_energy_mj,
                              cache->info.base_area_mm2};
    hash = hash_values(hash, numbers, sizeof numbers / sizeof *numbers);
    hash = hash_values(hash, cache->mean, count);
    hash = hash_values(hash, cache->variance, count);
    hash = hash_values(hash, cache->energy_mj, count);
    return hash_values(hash, cache->area_mm2, count);
}

uint64_t sq_search_fingerprint(const sq_searcher *s, uint64_t weights_hash)
{
    char text[512];
    const sq_search_options *o = s->options;
    const int length = snprintf(
        text, sizeof text, "%d %" PRIu64 " %d %d %d %d %d %a %d %d %d %d %d %d %a %a %a %016" PRIx64 " %016" PRIx64,
        (int)o->kind, o->seed, o->population, o->generations, o->parents, o->crossover, o->mutation,
        o->mutation_probability, o->tries, o->random_paths, o->calibration_images, o->calibration_batch,
        o->evaluation_batch, o->evaluation_images, o->limits.macs, o->limits.parameters, o->limits.memory_mb,
        sq_space_hash(s->space), weights_hash);
    uint64_t hash = sq_search_mask_hash(sq_hash(SQ_HASH_START, text, (size_t)length), o->search_mask, s->space);
    for (int d = 0; s->devices && d < s->devices->count; d++)
        hash = hash_device(hash, &s->devices->list[d], s->space);
    return sq_searcher_hash(hash, s);
}

/* Writes one candidate. Candidates are written one by one, because a JSON tree of all candidates would be the largest
 * allocation of a small search. */
static bool write_scored(FILE *file, const sq_candidate *c, const sq_space *space)
{
    json_t *scored = json_pack("{s:o, s:i, s:f, s:f, s:f}", "arch", sq_json_path(space, c->path), "images", c->images,
                               "loss", c->loss, "top1", c->top1, "top5", c->top5);
    const bool is_written = scored && json_dumpf(scored, file, JSON_COMPACT | JSON_REAL_PRECISION(17)) == 0;
    json_decref(scored);
    return is_written;
}

sq_status sq_search_state_write(const char *path, uint64_t fingerprint, const sq_search_scored *scored,
                                const sq_space *space)
{
    sq_file_writer w;
    bool is_whole = true;
    SQ_TRY(sq_file_begin(&w, path));
    (void)fprintf(w.stream, "{\"fingerprint\": \"%016" PRIx64 "\",\n\"limit\": %d,\n\"scored\": [", fingerprint,
                  scored->limit);
    for (int i = 0; i < scored->count; i++) {
        (void)fputs(i ? ",\n" : "\n", w.stream);
        is_whole = is_whole && write_scored(w.stream, &scored->list[i], space);
    }
    (void)fputs("\n]}\n", w.stream);
    if (is_whole)
        return sq_file_finish(&w, path);
    sq_file_discard(&w);
    return sq_fail(SQ_NO_MEMORY, "%s: JSON", path);
}

static sq_status read_candidate(const char *path, const sq_space *space, const json_t *object, sq_candidate *out)
{
    char text[ARCH_BYTES * 4];
    json_t *wrapped = json_pack("{s:O}", "arch", json_object_get(object, "arch"));
    char *arch = wrapped ? json_dumps(wrapped, JSON_COMPACT) : NULL;
    (void)snprintf(text, sizeof text, "%s", arch ? arch : "");
    free(arch);
    json_decref(wrapped);
    out->path = calloc((size_t)space->layer_count, sizeof *out->path);
    if (!out->path)
        return sq_fail(SQ_NO_MEMORY, "%s: candidates", path);
    if (!text[0] || sq_arch_read(space, text, out->path) != SQ_OK)
        return sq_fail(SQ_INVALID, "%s: found a candidate that is not a path of space %s", path, space->name);
    out->images = (int)json_integer_value(json_object_get(object, "images"));
    out->loss = json_number_value(json_object_get(object, "loss"));
    out->top1 = json_number_value(json_object_get(object, "top1"));
    out->top5 = json_number_value(json_object_get(object, "top5"));
    return SQ_OK;
}

static sq_status check_state(const char *path, uint64_t fingerprint, const json_t *root)
{
    char expected[32];
    const char *found = json_string_value(json_object_get(root, "fingerprint"));
    (void)snprintf(expected, sizeof expected, "%016" PRIx64, fingerprint);
    if (!found || !json_is_array(json_object_get(root, "scored")))
        return sq_fail(SQ_INVALID, "%s: not the state of a search", path);
    if (strcmp(found, expected) != 0)
        return sq_fail(SQ_INVALID,
                       "%s: the state of another search (options, limits, device or weights differ); use --resume "
                       "never to start over",
                       path);
    return SQ_OK;
}

static sq_status read_list(const char *path, const sq_space *space, const json_t *list, sq_candidate **out, int *count)
{
    const size_t size = json_array_size(list);
    sq_candidate *candidates = calloc(size + 1, sizeof *candidates);
    sq_status status = candidates ? SQ_OK : sq_fail(SQ_NO_MEMORY, "%s: candidates", path);
    for (size_t i = 0; status == SQ_OK && i < size; i++)
        status = read_candidate(path, space, json_array_get(list, i), &candidates[i]);
    if (status == SQ_OK) {
        *out = candidates;
        *count = (int)size;
        return SQ_OK;
    }
    for (size_t i = 0; candidates && i < size; i++)
        free(candidates[i].path);
    free(candidates);
    return status;
}

sq_status sq_search_state_read(const char *path, uint64_t fingerprint, const sq_space *space, sq_candidate **out,
                               int *count)
{
    char *text = NULL;
    size_t bytes = 0;
    json_error_t error;
    *count = 0;
    if (!sq_path_exists(path))
        return SQ_OK;
    SQ_TRY(sq_file_read(path, LARGEST_STATE, &text, &bytes));
    json_t *root = json_loadb(text, bytes, 0, &error);
    free(text);
    if (!root)
        return sq_fail(SQ_INVALID, "%s:%d: %s", path, error.line, error.text);
    sq_status status = check_state(path, fingerprint, root);
    if (status == SQ_OK)
        status = read_list(path, space, json_object_get(root, "scored"), out, count);
    json_decref(root);
    return status;
}
