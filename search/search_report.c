/* Writes search.json and arch.json. Floats have 17 digits, so that they are read back exactly. */
#include "search/search_report.h"

#include <jansson.h>
#include <stdlib.h>

#include "kernels/base/retry.h"
#include "kernels/base/text.h"
#include "search/json_file.h"
#include "search/searchers/searchers.h"

enum { ARCH_BYTES = 1024, NNI_BYTES = 64 * SQ_MAX_LAYERS };

/* Returns the predictions for one device. */
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
    json_object_set_new(object, "latency_ms", json_real(c->on[0].ms)); /* of the first device */
    json_object_set_new(object, "devices", list);
    return object;
}

static json_t *arch_object(const sq_searcher *s, const sq_candidate *best)
{
    const sq_space *space = s->space;
    char tuple[ARCH_BYTES], *nni = malloc(NNI_BYTES);
    json_error_t error;
    json_t *layers = NULL, *object = candidate_object(s, best);
    (void)sq_arch_print(space, best->path, tuple, sizeof tuple);
    if (nni && sq_arch_print_nni(space, best->path, nni, NNI_BYTES) > 0)
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

/* Adds the Pareto front with its objectives, hypervolume and reference point to the report. */
static void set_front(json_t *report, const sq_searcher *s, const sq_search_result *result)
{
    const sq_objectives *o = &s->options->objectives;
    json_t *names = json_array(), *front = json_array(), *reference = json_array();
    char name[32];
    for (int m = 0; m < o->count; m++) {
        json_array_append_new(names, json_string(sq_objective_name(&o->list[m], name, sizeof name)));
        json_array_append_new(reference, sq_json_real(result->front.reference.values[m]));
    }
    for (int i = 0; i < result->front.count; i++)
        json_array_append_new(front, json_integer(result->front.candidates[i]));
    json_object_set_new(report, "objectives", names);
    json_object_set_new(report, "pareto", front);
    json_object_set_new(report, "hypervolume", sq_json_real(result->front.hypervolume));
    json_object_set_new(report, "hypervolume_reference", reference);
}

static sq_status write_report(const char *folder, const sq_searcher *s, const sq_search_result *result)
{
    char path[SQ_PATH_BYTES];
    json_t *list = json_array();
    for (int i = 0; i < result->candidate_count; i++)
        json_array_append_new(list, candidate_object(s, &result->candidates[i]));
    json_t *report = json_pack("{s:s, s:s, s:I, s:o, s:i, s:o, s:o}", "space", s->space->name, "searcher",
                               sq_searcher_name(s->options->kind), "seed", (json_int_t)s->options->seed, "limits",
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
