/* Regularized (ageing) evolution. The population is the `population` youngest candidates. The parent of a child is the
 * best of `sample_size` members, which are drawn with replacement. The child is a neighbour of the parent. The child is
 * added to the population, and the oldest member is removed.
 *
 * Real et al. breed one child at a time. Here `children` children are bred from the same population, so that ranks can
 * evaluate the children in parallel. A child that was scored before or that exceeds a limit is drawn again
 * (sq_generation_add_neighbour). If no neighbour of the parent is legal and new, the child is a random path. Source:
 * Real et al. 2019, "Regularized Evolution for Image Classifier Architecture Search", algorithm 1. */
#include "search/searchers/generation.h"

static const sq_candidate *choose_parent(const sq_searcher *s, sq_rng *rng)
{
    const sq_search_options *o = s->options;
    const int alive = s->observed_count < o->population ? s->observed_count : o->population;
    const sq_candidate *population = s->observed + s->observed_count - alive, *best = NULL;
    for (int i = 0; i < o->sample_size; i++) {
        const sq_candidate *c = &population[sq_rng_below(rng, (uint32_t)alive)];
        if (!best || sq_candidate_is_better(c, best))
            best = c;
    }
    return best;
}

static sq_status ask(const sq_searcher *s, sq_generation *g)
{
    const int left = sq_generation_population_budget(s) - s->observed_count;
    if (g->number == 0) {
        g->limit = s->options->population;
        sq_generation_fill(s, g);
        return SQ_OK;
    }
    for (int child = 0; child < s->options->children && child < left; child++) {
        sq_rng rng = sq_generation_rng(s, (uint64_t)(s->observed_count + child));
        const sq_candidate *parent = choose_parent(s, &rng);
        g->limit = child + 1;
        if (!sq_generation_add_neighbour(s, g, parent->path, &rng))
            sq_generation_fill(s, g);
        if (g->count < g->limit)
            break; /* the space has no more paths */
    }
    return SQ_OK;
}

static int generation_limit(const sq_searcher *s)
{
    return s->options->children > s->options->population ? s->options->children : s->options->population;
}

const sq_searcher_ops sq_searcher_regularized = {
    .summary = "regularized (ageing) evolution: mutate the best of a sample, drop the oldest",
    .ask = ask,
    .generation_limit = generation_limit,
    .budget = sq_generation_population_budget,
    .check = sq_generation_no_check,
};
