/* Objectives of candidates, and the front of everything told. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/searchers/pareto.h"
#include "search/searchers/searcher.h"

sq_status sq_searcher_check_objectives(const sq_searcher *s)
{
    const sq_objectives *objectives = &s->options->objectives;
    const sq_point *reference = &s->options->reference;
    char name[32];
    if (reference->count && reference->count != objectives->count)
        return sq_fail(SQ_INVALID, "search.reference: %d numbers for %d objectives", reference->count,
                       objectives->count);
    for (int m = 0; m < objectives->count; m++) {
        const sq_objective *o = &objectives->list[m];
        const bool is_energy = o->kind == SQ_OBJECTIVE_ENERGY;
        if (o->kind != SQ_OBJECTIVE_LATENCY && !is_energy)
            continue;
        if (!s->devices || o->device >= s->devices->count)
            return sq_fail(SQ_INVALID, "search.objectives: %s: no device %d, give --latency",
                           sq_objective_name(o, name, sizeof name), o->device + 1);
        if (is_energy && !s->devices->list[o->device].cache->energy_mj)
            return sq_fail(SQ_INVALID, "search.objectives: %s: %s: the table does not have it for every block",
                           sq_objective_name(o, name, sizeof name), s->devices->list[o->device].name);
    }
    return SQ_OK;
}

double sq_searcher_objective(const sq_candidate *c, const sq_objective *o)
{
    switch (o->kind) {
    case SQ_OBJECTIVE_ACCURACY:
        return -c->top1;
    case SQ_OBJECTIVE_MACS:
        return c->macs;
    case SQ_OBJECTIVE_PARAMETERS:
        return c->parameters;
    case SQ_OBJECTIVE_MEMORY:
        return c->memory_mb;
    case SQ_OBJECTIVE_LATENCY:
        return c->on[o->device].ms;
    default:
        return c->on[o->device].energy_mj;
    }
}

/* The configured point, or 0 accuracy and the worst cost; -top1 is what is minimised. */
static void choose_reference(const sq_searcher *s, const double *values, int count, double *reference)
{
    const sq_objectives *o = &s->options->objectives;
    for (int m = 0; m < o->count; m++) {
        const bool is_accuracy = o->list[m].kind == SQ_OBJECTIVE_ACCURACY;
        reference[m] = is_accuracy ? 0 : -INFINITY;
        for (int i = 0; i < count && !is_accuracy; i++)
            reference[m] = fmax(reference[m], values[i * o->count + m]);
        if (s->options->reference.count)
            reference[m] = is_accuracy ? -s->options->reference.values[m] : s->options->reference.values[m];
    }
}

/* values, index: of those on the most images; values are left with the front's alone. */
static sq_status fill_front(const sq_searcher *s, double *values, const int *index, int count, int *rank,
                            sq_search_result *result)
{
    const sq_objectives *o = &s->options->objectives;
    double reference[SQ_MAX_OBJECTIVES];
    SQ_TRY(sq_pareto_ranks(values, count, o->count, rank));
    choose_reference(s, values, count, reference);
    for (int i = 0; i < count; i++)
        if (rank[i] == 0) {
            memmove(values + result->pareto_count * o->count, values + i * o->count, (size_t)o->count * sizeof *values);
            result->pareto[result->pareto_count++] = index[i];
        }
    result->reference.count = o->count;
    for (int m = 0; m < o->count; m++)
        result->reference.values[m] = o->list[m].kind == SQ_OBJECTIVE_ACCURACY ? 0 - reference[m] : reference[m];
    return sq_hypervolume(values, result->pareto_count, o->count, reference, &result->hypervolume);
}

sq_status sq_pareto_front_find(const sq_searcher *s, int first, sq_search_result *result)
{
    const sq_objectives *o = &s->options->objectives;
    const sq_candidate *best = sq_searcher_best(s);
    const size_t all = (size_t)s->observed_count;
    int count = 0;
    if (o->count == 0 || !best)
        return SQ_OK;
    double *values = calloc(all * (size_t)o->count, sizeof *values);
    int *index = calloc(2 * all, sizeof *index);
    result->pareto = calloc(all, sizeof *result->pareto);
    sq_status status = values && index && result->pareto ? SQ_OK : sq_fail(SQ_NO_MEMORY, "search: front");
    for (int i = 0; status == SQ_OK && i < s->observed_count; i++) {
        if (s->observed[i].images != best->images)
            continue;
        for (int m = 0; m < o->count; m++)
            values[count * o->count + m] = sq_searcher_objective(&s->observed[i], &o->list[m]);
        index[count++] = first + i;
    }
    if (status == SQ_OK)
        status = fill_front(s, values, index, count, index + all, result);
    free(index);
    free(values);
    return status;
}
