/* Converts the candidates of a search into columns. The file of an unfinished search (state.json) has only scores, so
 * costs and generations are computed from the space and the configuration. */
#include <string.h>

#include "search/searchers/searchers.h"
#include "supernet/space/cost.h"
#include "tools/report/report.h"

/* Columns of candidates: first the key in search.json, then the key in the report. */
static const char *const columns[][2] = {
    {"arch", "arch"},        {"generation", "generation"}, {"images", "images"}, {"loss", "loss"},
    {"top1_acc", "top1"},    {"top5_acc", "top5"},         {"macs_m", "macs"},   {"parameters_m", "parameters"},
    {"memory_mb", "memory"}, {"latency_ms", "latency"},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

static void append(json_t *list, json_t *value)
{
    if (value)
        json_array_append(list, value);
    else
        json_array_append_new(list, json_null());
}

/* Returns [latency_ms, deviation_ms, filled_ms, energy_mj, area_mm2] for each device in "devices" of a candidate. */
static json_t *predictions_of(const json_t *candidate)
{
    static const char *const keys[] = {"latency_ms", "deviation_ms", "filled_ms", "energy_mj", "area_mm2"};
    json_t *list = json_array();
    const json_t *devices = json_object_get(candidate, "devices");
    for (size_t d = 0; d < json_array_size(devices); d++) {
        json_t *row = json_array();
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
            append(row, json_object_get(json_array_get(devices, d), keys[k]));
        json_array_append_new(list, row);
    }
    return list;
}

static json_t *columns_of(const json_t *candidates)
{
    json_t *out = json_object(), *predictions = json_array();
    for (int c = 0; c < COLUMNS; c++) {
        json_t *list = json_array();
        for (size_t i = 0; i < json_array_size(candidates); i++)
            append(list, json_object_get(json_array_get(candidates, i), columns[c][0]));
        json_object_set_new(out, columns[c][1], list);
    }
    for (size_t i = 0; i < json_array_size(candidates); i++)
        json_array_append_new(predictions, predictions_of(json_array_get(candidates, i)));
    json_object_set_new(out, "predictions", predictions);
    return out;
}

/* Returns the names of the devices for which the candidates have predictions. */
static json_t *devices_of(const json_t *candidates)
{
    json_t *names = json_array();
    const json_t *devices = json_object_get(json_array_get(candidates, 0), "devices");
    for (size_t d = 0; d < json_array_size(devices); d++)
        append(names, json_object_get(json_array_get(devices, d), "device"));
    return names;
}

static json_t *finished(const json_t *report, json_t *notes)
{
    static const char *const keys[] = {"space",      "searcher", "seed",       "limits", "best", "random_mean_top1_acc",
                                       "objectives", "pareto",   "hypervolume"};
    const json_t *candidates = json_object_get(report, "candidates");
    if (!json_is_array(candidates) || json_array_size(candidates) == 0) {
        sq_report_note(notes, "search/search.json: found no candidates; another version may have written it");
        return NULL;
    }
    json_t *out = json_pack("{s:b, s:o, s:o}", "is_finished", true, "candidates", columns_of(candidates), "devices",
                            devices_of(candidates));
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
        if (json_object_get(report, keys[k]))
            json_object_set(out, keys[k], json_object_get(report, keys[k]));
    const json_int_t best = json_integer_value(json_object_get(report, "best"));
    if (best < 0 || (size_t)best >= json_array_size(candidates)) {
        sq_report_note(notes,
                       "search/search.json: best is %lld of %zu candidates; the report shows the most accurate one",
                       (long long)best, json_array_size(candidates));
        json_object_del(out, "best");
    }
    return out;
}

/* ---- An unfinished search ---- */

static void add_costs(json_t *candidate, const sq_space *space)
{
    int numbers[SQ_MAX_LAYERS], path[SQ_MAX_LAYERS];
    const json_t *arch = json_object_get(candidate, "arch");
    if (!space || json_array_size(arch) != (size_t)space->searched_count)
        return;
    for (int i = 0; i < space->searched_count; i++) {
        const json_int_t number = json_integer_value(json_array_get(arch, (size_t)i));
        numbers[i] = number < 0 || number >= SQ_MAX_CHOICES ? -1 : (int)number;
    }
    if (sq_arch_path(space, numbers, path) != SQ_NONE)
        return;
    const sq_cost cost = sq_cost_path(space, path);
    json_object_set_new(candidate, "macs_m", json_real(1e-6 * (double)cost.macs));
    json_object_set_new(candidate, "parameters_m", json_real(1e-6 * (double)(cost.weights + cost.norm_weights)));
    json_object_set_new(candidate, "memory_mb", json_real(1e-6 * (double)cost.activation_bytes));
}

/* Converts state.json of an unfinished search. This file lists first the random baseline and then the generations,
 * without generation numbers. */
static json_t *unfinished(json_t *state, const json_t *settings, const sq_space *space)
{
    json_t *scored = json_object_get(state, "scored"), *candidate;
    const char *searcher = sq_report_setting(settings, "search.searcher");
    const sq_searcher_kind kind = sq_searcher_find(*searcher ? searcher : "evolution"); /* the default searcher */
    const bool has_generations = kind != SQ_SEARCHERS && sq_searcher_has_equal_generations(kind);
    const int64_t random = (int64_t)sq_report_number(settings, "search.random_paths", 0),
                  population = (int64_t)sq_report_number(settings, "search.population", 0);
    size_t i;
    json_array_foreach(scored, i, candidate)
    {
        const int64_t number = (int64_t)i - random;
        json_object_set(candidate, "top1_acc", json_object_get(candidate, "top1"));
        json_object_set(candidate, "top5_acc", json_object_get(candidate, "top5"));
        if (has_generations && population > 0)
            json_object_set_new(candidate, "generation", json_integer(number < 0 ? -1 : number / population));
        add_costs(candidate, space);
    }
    return json_pack("{s:b, s:s, s:O*, s:o, s:[]}", "is_finished", false, "searcher", searcher, "limit",
                     json_object_get(state, "limit"), "candidates", columns_of(scored), "devices");
}

json_t *sq_report_search(const char *folder, const json_t *settings, const sq_space *space, json_t *notes)
{
    json_t *report = sq_report_json(folder, "search/search.json", notes), *out = NULL;
    if (report)
        out = finished(report, notes);
    json_decref(report);
    if (out)
        return out;
    json_t *state = sq_report_json(folder, "search/state.json", notes);
    const size_t count = json_array_size(json_object_get(state, "scored"));
    if (count) {
        sq_report_note(notes, "the search is unfinished: %zu candidates are scored so far; it is running or was stopped",
                       count);
        out = unfinished(state, settings, space);
    }
    json_decref(state);
    return out;
}
