/* Local search (hill climbing). Generation 0 is `population` random seeds. From the best seed the search scores all
 * neighbours, which are the paths with one layer changed. The search moves to the best neighbour as long as this
 * neighbour is better than the current path. At a local optimum the search restarts from the best unused seed; if all
 * seeds are used, new seeds are drawn. Each later generation has either new seeds or those neighbours of the current
 * path that have not been scored yet. Source: White et al. 2021, "Exploring the Loss Landscape in Neural Architecture
 * Search". */
#include <stdlib.h>
#include <string.h>

#include "search/searchers/generation.h"

/* The state of a search that is replayed from the observed candidates. `known` observes only the candidates that the
 * search had scored before the current decision. */
typedef struct {
    sq_searcher known;
    int total;                  /* observed candidates in all */
    int seeds_first, seeds_end; /* indices of the seeds that are in use */
    bool *is_used;              /* [total] by seed */
} climb;

/* Returns the best of the observed neighbours; NULL: none is observed. Adds the new and legal neighbours to the
 * generation. */
static const sq_candidate *visit_neighbours(const sq_searcher *s, const int *from, sq_generation *g)
{
    const int layers = s->space->layer_count;
    const sq_search_mask *mask = s->options->search_mask;
    const sq_candidate *best = NULL;
    int path[SQ_MAX_LAYERS];
    memcpy(path, from, (size_t)layers * sizeof *path);
    for (int l = 0; l < layers; l++) {
        for (int i = 0; i < sq_search_mask_count(mask, s->space, l); i++) {
            path[l] = sq_search_mask_choice(mask, l, i);
            const int at =
                path[l] == from[l] ? SQ_NONE : sq_candidate_find(s->observed, s->observed_count, path, layers);
            if (at != SQ_NONE && (!best || sq_candidate_is_better(&s->observed[at], best)))
                best = &s->observed[at];
            if (at != SQ_NONE || path[l] == from[l])
                continue;
            memcpy(g->candidates[g->count].path, path, (size_t)layers * sizeof *path);
            (void)sq_generation_add(s, g); /* an illegal neighbour is skipped */
        }
        path[l] = from[l];
    }
    return best;
}

/* Returns the best unused seed and marks it as used; NULL: all seeds are used. */
static const sq_candidate *take_seed(climb *c)
{
    int best = SQ_NONE;
    for (int i = c->seeds_first; i < c->seeds_end; i++)
        if (!c->is_used[i] &&
            (best == SQ_NONE || sq_candidate_is_better(&c->known.observed[i], &c->known.observed[best])))
            best = i;
    if (best == SQ_NONE)
        return NULL;
    c->is_used[best] = true;
    return &c->known.observed[best];
}

/* Makes the seeds of the next generation known. Returns false if these seeds have not been observed yet. */
static bool observe_seeds(climb *c)
{
    const int first = c->known.observed_count;
    int end = first;
    while (end < c->total && c->known.observed[end].generation == c->known.observed[first].generation)
        end++;
    c->seeds_first = first;
    c->known.observed_count = c->seeds_end = end;
    return end > first;
}

/* Climbs from a seed to a local optimum. Returns true if the climb requires candidates that have not been observed; the
 * generation then has these candidates. */
static bool needs_candidates(climb *c, const sq_candidate *current, sq_generation *g)
{
    for (;;) {
        g->count = 0;
        const sq_candidate *best = visit_neighbours(&c->known, current->path, g);
        if (c->known.observed_count + g->count > c->total)
            return true;
        if (g->count) { /* the observed generation after the known candidates has these neighbours */
            const sq_candidate *more = sq_candidate_best(c->known.observed + c->known.observed_count, g->count);
            c->known.observed_count += g->count;
            best = !best || sq_candidate_is_better(more, best) ? more : best;
        }
        if (!best || !sq_candidate_is_better(best, current))
            return false;
        current = best;
    }
}

/* Climbs from all observed seeds, best first. Returns true if candidates must be scored; the generation then has
 * them. */
static bool climb_all(climb *c, sq_generation *g)
{
    while (observe_seeds(c))
        for (const sq_candidate *seed = take_seed(c); seed; seed = take_seed(c))
            if (needs_candidates(c, seed, g))
                return true;
    return false;
}

static sq_status ask(const sq_searcher *s, sq_generation *g)
{
    const int left = sq_generation_population_budget(s) - s->observed_count;
    climb c = {.known = *s, .total = s->observed_count, .is_used = calloc((size_t)s->observed_count + 1, sizeof(bool))};
    c.known.observed_count = 0;
    if (!c.is_used)
        return sq_fail(SQ_NO_MEMORY, "search: %d candidates", c.total);
    if (left > 0 && !climb_all(&c, g)) { /* all seeds are used */
        g->count = 0;
        g->limit = s->options->population;
        sq_generation_fill(s, g);
    }
    g->count = g->count < left ? g->count : left;
    free(c.is_used);
    return SQ_OK;
}

/* Returns the larger of the number of neighbours of a path and the number of seeds. */
static int generation_limit(const sq_searcher *s)
{
    int neighbours = 0;
    for (int l = 0; l < s->space->layer_count; l++)
        neighbours += sq_search_mask_count(s->options->search_mask, s->space, l) - 1;
    return neighbours > s->options->population ? neighbours : s->options->population;
}

const sq_searcher_ops sq_searcher_local = {
    .summary = "local search: climb from the best random paths to local optima",
    .ask = ask,
    .generation_limit = generation_limit,
    .budget = sq_generation_population_budget,
    .check = sq_generation_no_check,
};
