/* Simulated annealing with `chains` chains. Each generation has one candidate of every chain.
 *
 * A chain proposes its current path with one layer changed. sq_generation_add_neighbour describes the fallback if no
 * such neighbour is legal and new. If the fallback fails too, the chain proposes a random path. The chain moves to the
 * proposed path if its top-1 is not lower, otherwise with probability exp(gain / temperature), where gain is the
 * difference in top-1 in percentage points. Temperatures fall geometrically from `temperature` to `final_temperature`.
 * In contrast to the original method, a chain never proposes a path that any chain has proposed before, because a
 * search scores no path twice. Source: Kirkpatrick et al. 1983, "Optimization by simulated annealing". */
#include <math.h>

#include "search/searchers/generation.h"

/* Candidate i is drawn from stream i, and the decision to accept candidate i draws from stream ACCEPT + i. */
#define ACCEPT (UINT64_C(1) << 42) /* relative to the searcher's first stream, 1 << 42; the sum is 1 << 43 */

static int step_count(const sq_searcher *s)
{
    return (sq_generation_population_budget(s) + s->options->chains - 1) / s->options->chains;
}

/* Returns the temperature of a step from 1 to step_count - 1. */
static double temperature_at(const sq_searcher *s, int step)
{
    const sq_search_options *o = s->options;
    const int steps = step_count(s);
    const double share = steps > 2 ? (double)(step - 1) / (steps - 2) : 0;
    return o->temperature * pow(o->final_temperature / o->temperature, share);
}

/* Returns the current candidate of a chain after all observed candidates; NULL: the chain has none yet. */
static const sq_candidate *current_of(const sq_searcher *s, int chain)
{
    const sq_candidate *current = NULL;
    for (int i = chain; i < s->observed_count; i += s->options->chains) {
        const sq_candidate *c = &s->observed[i];
        sq_rng rng = sq_generation_rng(s, ACCEPT + (uint64_t)i);
        const double gain = current ? 100 * (c->top1 - current->top1) : 0;
        if (gain >= 0 || sq_rng_uniform(&rng) < exp(gain / temperature_at(s, i / s->options->chains)))
            current = c;
    }
    return current;
}

static bool add_neighbour(const sq_searcher *s, sq_generation *g, const sq_candidate *current)
{
    sq_rng rng = sq_generation_rng(s, (uint64_t)(s->observed_count + g->count));
    return sq_generation_add_neighbour(s, g, current->path, &rng);
}

static sq_status ask(const sq_searcher *s, sq_generation *g)
{
    const int chains = s->options->chains, left = sq_generation_population_budget(s) - s->observed_count;
    const bool is_over = s->observed_count % chains != 0; /* an incomplete generation was the last one */
    for (int chain = 0; chain < chains && chain < left && !is_over; chain++) {
        const sq_candidate *current = current_of(s, chain);
        g->limit = chain + 1;
        if (!current || !add_neighbour(s, g, current))
            sq_generation_fill(s, g);
        if (g->count < g->limit)
            break;
    }
    return SQ_OK;
}

static int generation_limit(const sq_searcher *s)
{
    return s->options->chains;
}

static sq_status check(const sq_searcher *s)
{
    const sq_search_options *o = s->options;
    if (!(o->temperature >= o->final_temperature))
        return sq_fail(SQ_INVALID, "search: annealing: temperature %g, final_temperature %g: expected a falling one",
                       o->temperature, o->final_temperature);
    return SQ_OK;
}

const sq_searcher_ops sq_searcher_annealing = {
    .summary = "simulated annealing: chains that change one layer at a time",
    .ask = ask,
    .generation_limit = generation_limit,
    .budget = sq_generation_population_budget,
    .check = check,
};
