/* Finds the Pareto front of the observed candidates and computes its hypervolume. */
#include "search/pareto_front.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/searchers/pareto.h"

static sq_status check_device(const sq_searcher *s, const sq_objective *o)
{
    char name[32];
    (void)sq_objective_name(o, name, sizeof name);
    if (!s->devices || o->device >= s->devices->count)
        return sq_fail(SQ_INVALID, "search.objectives: %s: no device %d, give --latency", name, o->device + 1);
    const sq_search_device *device = &s->devices->list[o->device];
    if (!sq_objective_is_available(o->kind, device->cache))
        return sq_fail(SQ_INVALID, "search.objectives: %s: %s: the table does not have it for every block", name,
                       device->name);
    return SQ_OK;
}

sq_status sq_pareto_front_check(const sq_searcher *s)
{
    const sq_objectives *objectives = &s->options->objectives;
    const sq_point *reference = &s->options->reference;
    if (reference->count && reference->count != objectives->count)
        return sq_fail(SQ_INVALID, "search.reference: %d numbers for %d objectives", reference->count,
                       objectives->count);
    for (int m = 0; m < objectives->count; m++)
        if (sq_objective_has_device(objectives->list[m].kind))
            SQ_TRY(check_device(s, &objectives->list[m]));
    return SQ_OK;
}

/* The candidates that were scored on the most images, as points: values[i * objectives + m] is cost m of point i. */
typedef struct {
    double *values;
    int *index; /* of each point's candidate */
    int *rank;
    int count;
} points;

/* Sets `reference` to the configured reference point, or to accuracy 0 and the largest observed costs. Maximised
 * objectives are negated, so that less is better. */
static void choose_reference(const sq_searcher *s, const points *p, double *reference)
{
    const sq_objectives *o = &s->options->objectives;
    const sq_point *configured = &s->options->reference;
    for (int m = 0; m < o->count; m++) {
        const bool is_maximised = sq_objective_is_maximised(o->list[m].kind);
        reference[m] = is_maximised ? 0 : -INFINITY;
        for (int i = 0; i < p->count && !is_maximised; i++)
            reference[m] = fmax(reference[m], p->values[i * o->count + m]);
        if (configured->count)
            reference[m] = is_maximised ? -configured->values[m] : configured->values[m];
    }
}

/* Fills in the front and its hypervolume. Moves the values of the front's points to the beginning of p->values. */
static sq_status fill_front(sq_pareto_front *front, const sq_searcher *s, const points *p)
{
    const sq_objectives *o = &s->options->objectives;
    double reference[SQ_MAX_OBJECTIVES];
    SQ_TRY(sq_pareto_ranks(p->values, p->count, o->count, p->rank));
    choose_reference(s, p, reference);
    for (int i = 0; i < p->count; i++)
        if (p->rank[i] == 0) {
            memmove(p->values + front->count * o->count, p->values + i * o->count,
                    (size_t)o->count * sizeof *p->values);
            front->candidates[front->count++] = p->index[i];
        }
    front->reference.count = o->count;
    for (int m = 0; m < o->count; m++)
        front->reference.values[m] = sq_objective_is_maximised(o->list[m].kind) ? 0 - reference[m] : reference[m];
    return sq_hypervolume(p->values, front->count, o->count, reference, &front->hypervolume);
}

static void gather(points *p, const sq_searcher *s, int images, int first)
{
    const sq_objectives *o = &s->options->objectives;
    for (int i = 0; i < s->observed_count; i++) {
        if (s->observed[i].images != images)
            continue;
        for (int m = 0; m < o->count; m++)
            p->values[p->count * o->count + m] = sq_objective_cost(&o->list[m], &s->observed[i]);
        p->index[p->count++] = first + i;
    }
}

sq_status sq_pareto_front_find(sq_pareto_front *out, const sq_searcher *s, int first)
{
    const int objectives = s->options->objectives.count;
    const sq_candidate *best = sq_candidate_best(s->observed, s->observed_count);
    const size_t all = (size_t)s->observed_count;
    *out = (sq_pareto_front){.count = 0};
    if (objectives == 0 || !best)
        return SQ_OK;
    sq_pareto_front front = {.candidates = calloc(all, sizeof *front.candidates)};
    points p = {.values = calloc(all * (size_t)objectives, sizeof *p.values),
                .index = calloc(all, sizeof *p.index),
                .rank = calloc(all, sizeof *p.rank)};
    sq_status status = p.values && p.index && p.rank && front.candidates
                           ? SQ_OK
                           : sq_fail(SQ_NO_MEMORY, "search: a Pareto front of %zu candidates", all);
    if (status == SQ_OK) {
        gather(&p, s, best->images, first);
        status = fill_front(&front, s, &p);
    }
    free(p.values);
    free(p.index);
    free(p.rank);
    if (status == SQ_OK)
        *out = front;
    else
        sq_pareto_front_clear(&front);
    return status;
}

void sq_pareto_front_clear(sq_pareto_front *front)
{
    free(front->candidates);
    *front = (sq_pareto_front){.count = 0};
}
