/* Evolution as SPOS runs it. Facts: SPOS, src/Search/search.py; papers: arXiv 1904.00420, section 3.4. */
#include <stdlib.h>

#include "search/searchers/searcher.h"

/* The best `options.parents` of everything told, best first. */
static int choose_parents(const sq_searcher *s, const sq_candidate **parents)
{
    int count = 0;
    for (int i = 0; i < s->observed_count; i++) {
        const sq_candidate *c = &s->observed[i];
        int at = count < s->options->parents ? count++ : s->options->parents;
        while (at > 0 && sq_candidate_is_better(c, parents[at - 1])) {
            if (at < s->options->parents)
                parents[at] = parents[at - 1];
            at--;
        }
        if (at < s->options->parents)
            parents[at] = c;
    }
    return count;
}

static void draw(const sq_searcher *s, bool is_crossover, const sq_candidate *const *parents, uint32_t count,
                 sq_rng *rng, int *path)
{
    const int *a = parents[sq_rng_below(rng, count)]->path;
    if (is_crossover)
        sq_searcher_cross(s, rng, a, parents[sq_rng_below(rng, count)]->path, path);
    else
        sq_searcher_mutate(s, s->options->mutation_probability, rng, a, path);
}

/* `wanted` children of one kind, each within `tries`; the first stream of a generation serves mutation, the second
 * crossover. */
static void breed(const sq_searcher *s, sq_generation *g, bool is_crossover, const sq_candidate *const *parents,
                  int parent_count)
{
    const int wanted = is_crossover ? s->options->crossover : s->options->mutation;
    sq_rng rng =
        sq_rng_open(s->options->seed, SQ_RNG_SEARCH, SQ_STREAM_EVOLUTION + 2 * (uint64_t)g->number + is_crossover);
    for (int tries = wanted * s->options->tries, made = 0; tries > 0 && made < wanted && g->count < g->limit; tries--) {
        draw(s, is_crossover, parents, (uint32_t)parent_count, &rng, g->out[g->count].path);
        made += sq_generation_take(s, g);
    }
}

sq_status sq_evolution_ask(const sq_searcher *s, sq_candidate *out, int *count)
{
    sq_generation g = {out, 0, s->options->population, sq_generation_next(s)};
    if (g.number > s->options->generations) {
        *count = 0;
        return SQ_OK;
    }
    if (g.number > 0) {
        const sq_candidate **parents = malloc((size_t)s->options->parents * sizeof *parents);
        if (!parents)
            return sq_fail(SQ_NO_MEMORY, "search: %d parents", s->options->parents);
        const int parent_count = choose_parents(s, parents);
        breed(s, &g, true, parents, parent_count);
        breed(s, &g, false, parents, parent_count);
        free(parents);
    }
    sq_generation_fill(s, &g);
    *count = g.count;
    return SQ_OK;
}
