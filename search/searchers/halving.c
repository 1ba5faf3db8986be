/* Successive halving. Each rung is a generation. The best 1/eta of a rung's candidates are scored in the next rung on
 * eta times as many images. The last rung scores on all images. Source: Jamieson & Talwalkar 2016, "Non-stochastic best
 * arm identification and hyperparameter optimization". */
#include "search/searchers/halving.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/limits.h"
#include "search/searchers/generation.h"

static sq_rungs rungs_of(const sq_searcher *s, int first)
{
    const sq_search_options *o = s->options;
    sq_rungs rungs = {.count = {first}};
    for (int r = 1; r < o->rungs; r++)
        rungs.count[r] = rungs.count[r - 1] / o->eta > 1 ? rungs.count[r - 1] / o->eta : 1;
    rungs.images[o->rungs - 1] = s->evaluation_images;
    for (int r = o->rungs - 1; r > 0; r--)
        rungs.images[r - 1] = (rungs.images[r] + o->eta - 1) / o->eta;
    return rungs;
}

/* Returns the images that pass through a network, calibration included, if the first rung has `first` candidates. */
static double cost_of(const sq_searcher *s, int first)
{
    const sq_rungs rungs = rungs_of(s, first);
    double cost = 0;
    for (int r = 0; r < s->options->rungs; r++)
        cost += (double)rungs.count[r] * ((double)s->calibration_images + rungs.images[r]);
    return cost;
}

sq_rungs sq_halving_rungs(const sq_searcher *s)
{
    const sq_search_options *o = s->options;
    const double budget =
        (double)o->population * (o->generations + 1.0) * ((double)s->calibration_images + s->evaluation_images);
    int low = 1, high = SQ_LARGEST_BUDGET; /* one candidate is scored even if the budget is too small */
    while (low < high) {
        const int middle = low + (high - low + 1) / 2;
        if (cost_of(s, middle) <= budget)
            low = middle;
        else
            high = middle - 1;
    }
    return rungs_of(s, low);
}

typedef struct {
    const sq_candidate *candidate;
    int position;
} ranked;

static int best_first(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (sq_candidate_is_better(x->candidate, y->candidate))
        return -1;
    if (sq_candidate_is_better(y->candidate, x->candidate))
        return 1;
    return (x->position > y->position) - (x->position < y->position);
}

/* Adds the best candidates of the previous rung, best first. */
static sq_status promote(const sq_searcher *s, sq_generation *g)
{
    int first = s->observed_count, size = 0;
    while (first > 0 && s->observed[first - 1].generation == g->number - 1)
        first--;
    ranked *list = calloc((size_t)(s->observed_count - first), sizeof *list);
    if (!list)
        return sq_fail(SQ_NO_MEMORY, "search: a rung of %d candidates", s->observed_count - first);
    for (int i = first; i < s->observed_count; i++, size++)
        list[size] = (ranked){&s->observed[i], i};
    qsort(list, (size_t)size, sizeof *list, best_first);
    for (; g->count < g->limit && g->count < size; g->count++) {
        sq_candidate *to = &g->candidates[g->count];
        memcpy(to->path, list[g->count].candidate->path, (size_t)s->space->layer_count * sizeof *to->path);
        *to = (sq_candidate){.path = to->path, .generation = g->number};
        sq_limits_fill_costs(s, to);
    }
    free(list);
    return SQ_OK;
}

static sq_status ask(const sq_searcher *s, sq_generation *g)
{
    sq_rungs rungs = sq_halving_rungs(s);
    if (g->number == 0) {
        sq_generation_fill(s, g);
    } else if (g->number < s->options->rungs) {
        int first = 0; /* a small space may have fewer candidates than the budget allows */
        while (first < s->observed_count && s->observed[first].generation == 0)
            first++;
        rungs = rungs_of(s, first);
        g->limit = rungs.count[g->number];
        SQ_TRY(promote(s, g));
    }
    for (int i = 0; i < g->count; i++)
        g->candidates[i].images = rungs.images[g->number];
    return SQ_OK;
}

static int generation_limit(const sq_searcher *s)
{
    return sq_halving_rungs(s).count[0];
}

static int budget(const sq_searcher *s)
{
    const sq_rungs rungs = sq_halving_rungs(s);
    int sum = 0;
    for (int r = 0; r < s->options->rungs; r++)
        sum += rungs.count[r];
    return sum;
}

static sq_status check(const sq_searcher *s)
{
    const sq_search_options *o = s->options;
    if (s->evaluation_images < pow(o->eta, o->rungs - 1))
        return sq_fail(SQ_INVALID,
                       "search: halving: %d images for %d rungs of eta %d: the first rung has none; give fewer rungs",
                       s->evaluation_images, o->rungs, o->eta);
    return SQ_OK;
}

const sq_searcher_ops sq_searcher_halving = {
    .summary = "successive halving: many paths on few images, then the best of them on more",
    .ask = ask,
    .generation_limit = generation_limit,
    .budget = budget,
    .check = check,
    .varies_images = true,
};
