/* Simulated annealing: what is told, read in order, says where each chain stands. */
#include <math.h>
#include <string.h>

#include "search/searchers/searcher.h"

/* Of step 1 .. steps - 1: from `temperature` to `final_temperature`. */
static double temperature_at(const sq_search_options *o, int step, int steps)
{
    const double share = steps > 2 ? (double)(step - 1) / (steps - 2) : 0;
    return o->temperature * pow(o->final_temperature / o->temperature, share);
}

/* Where a chain stands after everything told; NULL before its first candidate. */
static const sq_candidate *stand(const sq_searcher *s, int chain, int steps)
{
    const sq_search_options *o = s->options;
    const sq_candidate *at = NULL;
    for (int i = chain; i < s->observed_count; i += o->chains) {
        const sq_candidate *c = &s->observed[i];
        sq_rng rng = sq_rng_open(o->seed, SQ_RNG_SEARCH, SQ_STREAM_ACCEPT + (uint64_t)i);
        const double gain = at ? 100 * (c->top1 - at->top1) : 0;
        if (gain >= 0 || sq_rng_uniform(&rng) < exp(gain / temperature_at(o, i / o->chains, steps)))
            at = c;
    }
    return at;
}

/* Changes `changes` of the layers in open[0..count); may meet one twice. */
static void step_away(const sq_searcher *s, int changes, const int *open, int count, sq_rng *rng, int *path)
{
    for (int i = 0; i < changes; i++) {
        const int layer = open[sq_rng_below(rng, (uint32_t)count)], from = path[layer];
        while (path[layer] == from)
            path[layer] = sq_search_mask_draw(s->options->search_mask, s->space, layer, rng);
    }
}

/* Takes a neighbour of `from`; false when there was none to be found. */
static bool take_neighbour(const sq_searcher *s, const int *from, sq_generation *g)
{
    const sq_search_mask *search_mask = s->options->search_mask;
    int open[SQ_MAX_LAYERS], count = 0;
    sq_rng rng =
        sq_rng_open(s->options->seed, SQ_RNG_SEARCH, SQ_STREAM_NEIGHBOUR + (uint64_t)(s->observed_count + g->count));
    for (int l = 0; l < s->space->layer_count; l++)
        if ((search_mask ? search_mask->count[l] : s->space->layers[l].choice_count) > 1)
            open[count++] = l;
    for (int changes = 1; changes <= count; changes++)
        for (int t = 0; t < s->options->tries; t++) {
            memcpy(g->out[g->count].path, from, (size_t)s->space->layer_count * sizeof *from);
            step_away(s, changes, open, count, &rng, g->out[g->count].path);
            if (sq_generation_take(s, g))
                return true;
        }
    return false;
}

sq_status sq_annealing_ask(const sq_searcher *s, sq_candidate *out, int *count)
{
    const int chains = s->options->chains, left = sq_searcher_budget(s) - s->observed_count;
    const int steps = (sq_searcher_budget(s) + chains - 1) / chains;
    sq_generation g = {out, 0, 0, sq_generation_next(s)};
    const bool is_over = s->observed_count % chains != 0; /* a generation that could not be filled was the last */
    for (int chain = 0; chain < chains && chain < left && !is_over; chain++) {
        const sq_candidate *at = stand(s, chain, steps);
        g.limit = chain + 1;
        if (!at || !take_neighbour(s, at->path, &g))
            sq_generation_fill(s, &g);
        if (g.count < g.limit)
            break;
    }
    *count = g.count;
    return SQ_OK;
}
