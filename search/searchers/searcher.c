/* What the searchers share: the interface, the order of candidates, and drawing. */
#include "search/searchers/searcher.h"

#include <math.h>
#include <string.h>

enum { RANDOM_TRIES = 20000, LARGEST_BUDGET = 100000000 };

typedef struct {
    const char *name;
    sq_status (*ask)(const sq_searcher *searcher, sq_candidate *out, int *count);
} searcher_kind;

static const searcher_kind kinds[SQ_SEARCH_KINDS] = {
    [SQ_SEARCH_EVOLUTION] = {"evolution", sq_evolution_ask},
    [SQ_SEARCH_RANDOM] = {"random", sq_random_ask},
    [SQ_SEARCH_NSGA2] = {"nsga2", sq_nsga_ask},
    [SQ_SEARCH_ANNEALING] = {"annealing", sq_annealing_ask},
    [SQ_SEARCH_HALVING] = {"halving", sq_halving_ask},
};

const char *sq_search_kind_name(sq_search_kind kind)
{
    return kinds[kind].name;
}

/* ---- The interface ---- */

static int last_generation_start(const sq_searcher *s)
{
    int start = s->observed_count;
    while (start > 0 && s->observed[start - 1].generation == s->observed[s->observed_count - 1].generation)
        start--;
    return start;
}

sq_status sq_searcher_ask(const sq_searcher *s, sq_candidate *out, int *count)
{
    sq_searcher before = *s;
    int proposed = 0;
    before.observed_count = last_generation_start(s);
    const int have = s->observed_count - before.observed_count;
    if (have > 0)
        SQ_TRY(kinds[s->options->kind].ask(&before, out, &proposed));
    if (proposed <= have)
        return kinds[s->options->kind].ask(s, out, count);
    for (int i = have; i < proposed; i++) { /* exchanged, as each has its path's memory */
        const sq_candidate first = out[i - have];
        out[i - have] = out[i];
        out[i] = first;
    }
    *count = proposed - have;
    return SQ_OK;
}

int sq_searcher_room(const sq_searcher *s)
{
    if (s->options->kind == SQ_SEARCH_HALVING)
        return sq_halving_rungs(s).count[0];
    return s->options->kind == SQ_SEARCH_ANNEALING ? s->options->chains : s->options->population;
}

int sq_searcher_budget(const sq_searcher *s)
{
    if (s->options->kind != SQ_SEARCH_HALVING)
        return s->options->population * (s->options->generations + 1);
    const sq_rungs rungs = sq_halving_rungs(s);
    int sum = 0;
    for (int r = 0; r < s->options->rungs; r++)
        sum += rungs.count[r];
    return sum;
}

static sq_status check_kind(const sq_searcher *s)
{
    const sq_search_options *o = s->options;
    if (o->kind == SQ_SEARCH_NSGA2 && (o->objectives.count < 2 || !(o->nsga_crossover >= 0 && o->nsga_crossover <= 1) ||
                                       !(o->nsga_mutation >= 0 && o->nsga_mutation <= 1)))
        return sq_fail(SQ_INVALID,
                       "search: nsga2: %d objectives, probabilities %g and %g: wanted at least 2, 0..1 and 0..1",
                       o->objectives.count, o->nsga_crossover, o->nsga_mutation);
    if (o->kind == SQ_SEARCH_ANNEALING &&
        (o->chains < 1 || !(o->final_temperature > 0) || !(o->temperature >= o->final_temperature)))
        return sq_fail(SQ_INVALID,
                       "search: annealing: %d chains, temperatures %g to %g: wanted at least 1, falling, above 0",
                       o->chains, o->temperature, o->final_temperature);
    if (o->kind != SQ_SEARCH_HALVING)
        return SQ_OK;
    if (o->eta < 2 || o->rungs < 1 || o->rungs > SQ_MAX_RUNGS)
        return sq_fail(SQ_INVALID, "search: halving: eta %d, %d rungs: wanted at least 2, and 1 to %d", o->eta,
                       o->rungs, SQ_MAX_RUNGS);
    if (s->images < pow(o->eta, o->rungs - 1))
        return sq_fail(SQ_INVALID, "search: halving: %d images for %d rungs of eta %d: the first would have none",
                       s->images, o->rungs, o->eta);
    return SQ_OK;
}

sq_status sq_searcher_check_options(const sq_searcher *s)
{
    const sq_search_options *o = s->options;
    if (o->population < 1 || o->generations < 0 || o->parents < 1 || o->crossover < 0 || o->mutation < 0 ||
        o->tries < 1 || !(o->mutation_probability >= 0 && o->mutation_probability <= 1))
        return sq_fail(
            SQ_INVALID,
            "search: population %d, generations %d, parents %d, tries %d, mutation probability %g: wanted at least 1, "
            "0, 1, 1 and 0..1",
            o->population, o->generations, o->parents, o->tries, o->mutation_probability);
    if ((double)o->population * (o->generations + 1.0) > LARGEST_BUDGET)
        return sq_fail(SQ_INVALID, "search: population %d, generations %d: more than %d candidates", o->population,
                       o->generations, LARGEST_BUDGET);
    SQ_TRY(sq_searcher_check_objectives(s));
    return check_kind(s);
}

/* ---- Order ---- */

bool sq_candidate_is_better(const sq_candidate *a, const sq_candidate *b)
{
    if (a->top1 != b->top1)
        return a->top1 > b->top1;
    if (a->top5 != b->top5)
        return a->top5 > b->top5;
    return a->loss < b->loss;
}

const sq_candidate *sq_searcher_best(const sq_searcher *s)
{
    const sq_candidate *best = NULL;
    for (int i = 0; i < s->observed_count; i++) {
        const sq_candidate *c = &s->observed[i];
        if (!best || c->images > best->images || (c->images == best->images && sq_candidate_is_better(c, best)))
            best = c;
    }
    return best;
}

/* ---- Drawing ---- */

bool sq_searcher_knows(const sq_searcher *s, const int *path, const sq_candidate *more, int more_count)
{
    const size_t bytes = (size_t)s->space->layer_count * sizeof *path;
    for (int i = 0; i < s->observed_count; i++)
        if (memcmp(s->observed[i].path, path, bytes) == 0)
            return true;
    for (int i = 0; i < more_count; i++)
        if (memcmp(more[i].path, path, bytes) == 0)
            return true;
    return false;
}

/* Whether the path may stand as a new candidate. */
static bool is_new(const sq_searcher *s, int *path, const sq_candidate *more, int more_count)
{
    sq_candidate candidate = {.path = path};
    sq_searcher_cost(s, &candidate);
    return sq_searcher_is_legal(s, &candidate) && !sq_searcher_knows(s, path, more, more_count);
}

bool sq_searcher_random(const sq_searcher *s, uint64_t number, const sq_candidate *more, int more_count, int *path)
{
    sq_rng rng = sq_rng_open(s->options->seed, SQ_RNG_SEARCH, number);
    for (int i = 0; i < RANDOM_TRIES; i++) {
        for (int l = 0; l < s->space->layer_count; l++)
            path[l] = sq_search_mask_draw(s->options->search_mask, s->space, l, &rng);
        if (is_new(s, path, more, more_count))
            return true;
    }
    return false;
}

static void accept(const sq_searcher *s, sq_generation *g)
{
    sq_candidate *c = &g->out[g->count++];
    *c = (sq_candidate){.path = c->path, .generation = g->number};
    sq_searcher_cost(s, c);
}

bool sq_generation_take(const sq_searcher *s, sq_generation *g)
{
    if (!is_new(s, g->out[g->count].path, g->out, g->count))
        return false;
    accept(s, g);
    return true;
}

void sq_generation_fill(const sq_searcher *s, sq_generation *g)
{
    while (g->count < g->limit &&
           sq_searcher_random(s, (uint64_t)(s->observed_count + g->count), g->out, g->count, g->out[g->count].path))
        accept(s, g);
}

int sq_generation_next(const sq_searcher *s)
{
    return s->observed_count ? s->observed[s->observed_count - 1].generation + 1 : 0;
}

void sq_searcher_mutate(const sq_searcher *s, double probability, sq_rng *rng, const int *from, int *path)
{
    for (int l = 0; l < s->space->layer_count; l++)
        path[l] = sq_rng_uniform(rng) < probability ? sq_search_mask_draw(s->options->search_mask, s->space, l, rng)
                                                    : from[l];
}

void sq_searcher_cross(const sq_searcher *s, sq_rng *rng, const int *a, const int *b, int *path)
{
    for (int l = 0; l < s->space->layer_count; l++)
        path[l] = sq_rng_below(rng, 2) ? a[l] : b[l];
}
