/* The search's files. Floats are written with 17 digits: they read back as what they were. */
#include "search/state.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/retry.h"
#include "kernels/base/text.h"
#include "search/json_file.h"

enum { LARGEST_STATE = 1 << 30, ARCH_BYTES = 1024 };

static uint64_t hash_values(uint64_t hash, const double *values, size_t count)
{
    return values ? sq_hash(hash, values, count * sizeof *values) : hash;
}

/* Everything that a device's prediction and limits follow from; not its name or folder. */
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

/* What only some searchers read: the states of the others stay what they were. */
static uint64_t hash_kind(uint64_t hash, const sq_searcher *s)
{
    const sq_search_options *o = s->options;
    const double nsga[] = {o->nsga_crossover, o->nsga_mutation}, annealing[] = {o->temperature, o->final_temperature};
    const int halving[] = {o->eta, o->rungs, s->images, s->calibration_images};
    switch (o->kind) {
    case SQ_SEARCH_NSGA2:
        for (int m = 0; m < o->objectives.count; m++) {
            const int objective[] = {(int)o->objectives.list[m].kind, o->objectives.list[m].device};
            hash = sq_hash(hash, objective, sizeof objective);
        }
        return sq_hash(hash, nsga, sizeof nsga);
    case SQ_SEARCH_ANNEALING:
        return sq_hash(sq_hash(hash, annealing, sizeof annealing), &o->chains, sizeof o->chains);
    case SQ_SEARCH_HALVING:
        return sq_hash(hash, halving, sizeof halving);
    default:
        return hash;
    }
}

uint64_t sq_search_fingerprint(const sq_searcher *s, uint64_t weights)
{
    char text[512];
    const sq_search_options *o = s->options;
    const int length = snprintf(
        text, sizeof text, "%d %" PRIu64 " %d %d %d %d %d %a %d %d %d %d %d %d %a %a %a %016" PRIx64 " %016" PRIx64,
        (int)o->kind, o->seed, o->population, o->generations, o->parents, o->crossover, o->mutation,
        o->mutation_probability, o->tries, o->random_paths, o->calibration_images, o->calibration_batch,
        o->evaluation_batch, o->evaluation_images, o->limits.macs, o->limits.parameters, o->limits.memory_mb,
        sq_space_hash(s->space), weights);
    uint64_t hash = sq_search_mask_hash(sq_hash(SQ_HASH_START, text, (size_t)length), o->search_mask, s->space);
    for (int d = 0; s->devices && d < s->devices->count; d++)
        hash = hash_device(hash, &s->devices->list[d], s->space);
    return hash_kind(hash, s);
}

/* What a device is predicted to take; the first one's milliseconds stand beside the candidate's other costs. */
static json_t *prediction_object(const sq_search_device *device, const sq_prediction *p)
{
    json_t *object =
        json_pack("{s:s, s:f, s:f}", "device", device->name, "latency_ms", p->ms, "deviation_ms", p->deviation_ms);
    if (object && device->cache->filled_count)
        json_object_set_new(object, "filled_ms", json_real(p->filled_ms));
    if (object && device->cache->energy_mj)
        json_object_set_new(object, "energy_mj", json_real(p->energy_mj));
    if (object && device->cache->area_mm2)
        json_object_set_new(object, "area_mm2", json_real(p->area_mm2));
    return object;
}

static json_t *candidate_object(const sq_searcher *s, const sq_candidate *c)
{
    json_t *object = json_pack("{s:o, s:i, s:i, s:o, s:o, s:o, s:f, s:f, s:f}", "arch", sq_json_path(s->space, c->path),
                               "generation", c->generation, "images", c->images, "loss", sq_json_real(c->loss),
                               "top1_acc", sq_json_real(c->top1), "top5_acc", sq_json_real(c->top5), "macs_m", c->macs,
                               "parameters_m", c->parameters, "memory_mb", c->memory_mb);
    if (!object || !s->devices || s->devices->count == 0)
        return object;
    json_t *list = json_array();
    for (int d = 0; d < s->devices->count; d++)
        json_array_append_new(list, prediction_object(&s->devices->list[d], &c->on[d]));
    json_object_set_new(object, "latency_ms", json_real(c->on[0].ms));
    json_object_set_new(object, "devices", list);
    return object;
}

/* ---- State ---- */

/* One candidate after the other: a tree of all of them would be the largest thing in memory of a small search. */
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
    sq_file_drop(&w);
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
        return sq_fail(SQ_INVALID, "%s: a candidate that is no path of %s", path, space->name);
    out->images = (int)json_integer_value(json_object_get(object, "images"));
    out->loss = json_number_value(json_object_get(object, "loss"));
    out->top1 = json_number_value(json_object_get(object, "top1"));
    out->top5 = json_number_value(json_object_get(object, "top5"));
    return SQ_OK;
}

static sq_status read_list(const char *path, uint64_t fingerprint, const sq_space *space, const json_t *root,
                           sq_candidate **out, int *count)
{
    char mark[32];
    const char *found = json_string_value(json_object_get(root, "fingerprint"));
    const json_t *list = json_object_get(root, "scored");
    (void)snprintf(mark, sizeof mark, "%016" PRIx64, fingerprint);
    if (!found || !json_is_array(list))
        return sq_fail(SQ_INVALID, "%s: not a search's state", path);
    if (strcmp(found, mark) != 0)
        return sq_fail(
            SQ_INVALID,
            "%s: the state of another search (options, limits, device or weights differ); --resume never begins anew",
            path);
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
    const sq_status status = read_list(path, fingerprint, space, root, out, count);
    json_decref(root);
    return status;
}

/* ---- Report ---- */

static json_t *arch_object(const sq_searcher *s, const sq_candidate *best)
{
    const sq_space *space = s->space;
    char tuple[ARCH_BYTES], *nni = malloc(64 * SQ_MAX_LAYERS);
    json_error_t error;
    json_t *layers = NULL, *object = candidate_object(s, best);
    (void)sq_arch_print(space, best->path, tuple, sizeof tuple);
    if (nni && sq_arch_print_nni(space, best->path, nni, 64 * SQ_MAX_LAYERS) > 0)
        layers = json_loads(nni, 0, &error);
    free(nni);
    json_object_set_new(object, "tuple", json_string(tuple));
    json_object_set_new(object, "space", json_string(space->name));
    if (layers)
        json_object_set_new(object, "nni", layers);
    return object;
}

static void set_limit(json_t *object, const char *key, double limit)
{
    if (limit > 0)
        json_object_set_new(object, key, json_real(limit));
}

static json_t *limits_object(const sq_searcher *s)
{
    const sq_limits *limits = &s->options->limits;
    json_t *object = json_object(), *list = json_array();
    set_limit(object, "macs_m", limits->macs);
    set_limit(object, "parameters_m", limits->parameters);
    set_limit(object, "memory_mb", limits->memory_mb);
    for (int d = 0; s->devices && d < s->devices->count; d++) {
        const sq_search_device *device = &s->devices->list[d];
        json_t *item = json_pack("{s:s, s:b}", "device", device->name, "measured", device->cache->info.is_measured);
        set_limit(item, "latency_ms", device->limit_ms);
        set_limit(item, "margin", device->margin);
        set_limit(item, "energy_mj", device->limit_energy_mj);
        set_limit(item, "area_mm2", device->limit_area_mm2);
        json_array_append_new(list, item);
    }
    if (json_array_size(list))
        json_object_set(object, "devices", list);
    json_decref(list);
    return object;
}

/* The front, in which units its volume is taken, and up to which point. */
static void set_front(json_t *report, const sq_searcher *s, const sq_search_result *result)
{
    const sq_objectives *o = &s->options->objectives;
    json_t *names = json_array(), *front = json_array(), *reference = json_array();
    char name[32];
    for (int m = 0; m < o->count; m++) {
        json_array_append_new(names, json_string(sq_objective_name(&o->list[m], name, sizeof name)));
        json_array_append_new(reference, sq_json_real(result->reference.values[m]));
    }
    for (int i = 0; i < result->pareto_count; i++)
        json_array_append_new(front, json_integer(result->pareto[i]));
    json_object_set_new(report, "objectives", names);
    json_object_set_new(report, "pareto", front);
    json_object_set_new(report, "hypervolume", sq_json_real(result->hypervolume));
    json_object_set_new(report, "hypervolume_reference", reference);
}

static sq_status write_report(const char *folder, const sq_searcher *s, const sq_search_result *result)
{
    char path[SQ_PATH_BYTES];
    json_t *list = json_array();
    for (int i = 0; i < result->candidate_count; i++)
        json_array_append_new(list, candidate_object(s, &result->candidates[i]));
    json_t *report = json_pack("{s:s, s:s, s:I, s:o, s:i, s:o, s:o}", "space", s->space->name, "searcher",
                               sq_search_kind_name(s->options->kind), "seed", (json_int_t)s->options->seed, "limits",
                               limits_object(s), "best", result->best, "random_mean_top1_acc",
                               sq_json_real(result->random_mean_top1), "candidates", list);
    if (report && s->options->objectives.count)
        set_front(report, s, result);
    SQ_TRY(sq_text_path(path, sizeof path, folder, "search.json"));
    SQ_TRY(sq_json_write(path, report));
    SQ_TRY(sq_text_path(path, sizeof path, folder, "arch.json"));
    return sq_json_write(path, arch_object(s, &result->candidates[result->best]));
}

sq_status sq_search_report_write(const char *folder, const sq_searcher *s, const sq_search_result *result)
{
    sq_retry retry = sq_retry_begin(s->options->write_retries);
    sq_status status;
    do
        status = write_report(folder, s, result);
    while (sq_retry_again(&retry, status));
    return status;
}
