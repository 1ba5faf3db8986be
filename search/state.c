/* The search's files. Floats are written with 17 digits: they read back as what they were. */
#include "search/state.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"

enum { PATH_BYTES = 4096, LARGEST_STATE = 1 << 30, ARCH_BYTES = 1024 };

uint64_t sq_search_fingerprint(const sq_search_options *o, const sq_space *space, const sq_latency_cache *latency,
                               uint64_t weights)
{
    char text[512];
    const int length = snprintf(
        text, sizeof text, "%d %" PRIu64 " %d %d %d %d %d %a %d %d %d %d %d %d %a %a %a %016" PRIx64 " %016" PRIx64,
        (int)o->kind, o->seed, o->population, o->generations, o->parents, o->crossover, o->mutation,
        o->mutation_probability, o->tries, o->random_paths, o->calibration_images, o->calibration_batch,
        o->evaluation_batch, o->evaluation_images, o->limits.macs, o->limits.parameters, o->limits.latency_ms,
        sq_space_hash(space), weights);
    uint64_t hash = sq_hash(SQ_HASH_START, text, (size_t)length);
    if (latency)
        hash = sq_hash(hash, latency->mean,
                       (size_t)space->layer_count * (size_t)latency->choice_limit * sizeof *latency->mean);
    return hash;
}

static json_t *real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *path_of(const sq_space *space, const int *path)
{
    json_t *list = json_array();
    for (int l = 0; l < space->layer_count; l++)
        if (space->layers[l].searched_index != SQ_NONE)
            json_array_append_new(list, json_integer(path[l]));
    return list;
}

static json_t *candidate_object(const sq_space *space, const sq_candidate *c)
{
    json_t *object = json_pack("{s:o, s:i, s:o, s:o, s:o, s:f, s:f}", "arch", path_of(space, c->path), "generation",
                               c->generation, "loss", real(c->loss), "top1_acc", real(c->top1), "top5_acc",
                               real(c->top5), "macs_m", c->macs, "parameters_m", c->parameters);
    if (object && c->latency_ms > 0)
        json_object_set_new(object, "latency_ms", real(c->latency_ms));
    return object;
}

static sq_status write_json(const char *path, json_t *object)
{
    char *text = object ? json_dumps(object, JSON_INDENT(1) | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(object);
    if (!text)
        return sq_fail(SQ_NO_MEMORY, "%s: JSON", path);
    const sq_piece pieces[2] = {{text, strlen(text)}, {"\n", 1}};
    const sq_status status = sq_file_replace(path, pieces, 2);
    free(text);
    return status;
}

/* ---- State ---- */

sq_status sq_search_state_write(const char *path, uint64_t fingerprint, const sq_candidate *candidates, int count,
                                const sq_space *space)
{
    char mark[32];
    json_t *list = json_array();
    (void)snprintf(mark, sizeof mark, "%016" PRIx64, fingerprint);
    for (int i = 0; i < count; i++)
        json_array_append_new(list,
                              json_pack("{s:o, s:f, s:f, s:f}", "arch", path_of(space, candidates[i].path), "loss",
                                        candidates[i].loss, "top1", candidates[i].top1, "top5", candidates[i].top5));
    return write_json(path, json_pack("{s:s, s:o}", "fingerprint", mark, "scored", list));
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

static json_t *arch_object(const sq_space *space, const sq_candidate *best)
{
    char tuple[ARCH_BYTES], *nni = malloc(64 * SQ_MAX_LAYERS);
    json_error_t error;
    json_t *layers = NULL, *object = candidate_object(space, best);
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

static json_t *limits_object(const sq_limits *limits)
{
    json_t *object = json_object();
    if (limits->macs > 0)
        json_object_set_new(object, "macs_m", json_real(limits->macs));
    if (limits->parameters > 0)
        json_object_set_new(object, "parameters_m", json_real(limits->parameters));
    if (limits->latency_ms > 0)
        json_object_set_new(object, "latency_ms", json_real(limits->latency_ms));
    return object;
}

sq_status sq_search_report_write(const char *folder, const sq_search_options *options, const sq_space *space,
                                 const sq_search_result *result)
{
    char path[PATH_BYTES];
    json_t *list = json_array();
    for (int i = 0; i < result->candidate_count; i++)
        json_array_append_new(list, candidate_object(space, &result->candidates[i]));
    json_t *report =
        json_pack("{s:s, s:s, s:I, s:o, s:i, s:o, s:o}", "space", space->name, "searcher",
                  options->kind == SQ_SEARCH_EVOLUTION ? "evolution" : "random", "seed", (json_int_t)options->seed,
                  "limits", limits_object(&options->limits), "best", result->best, "random_mean_top1_acc",
                  real(result->random_mean_top1), "candidates", list);
    if (!sq_text_path(path, sizeof path, folder, "search.json"))
        return sq_fail(SQ_INVALID, "%s: the path is too long", folder);
    SQ_TRY(write_json(path, report));
    if (!sq_text_path(path, sizeof path, folder, "arch.json"))
        return sq_fail(SQ_INVALID, "%s: the path is too long", folder);
    return write_json(path, arch_object(space, &result->candidates[result->best]));
}
