/* Evolution as in SPOS. The parents are the best `parents` candidates of all generations. They produce `crossover`
 * children by crossover and `mutation` children by mutation, and random paths fill the rest of a generation. Source:
 * Guo et al. 2020 (arXiv 1904.00420), section 3.4; SPOS repository, src/Search/search.py. */
#include <stdlib.h>

#include "search/searchers/generation.h"

typedef struct {
    const sq_candidate **list; /* best first */
    int count;
} parents;

/* Chooses the best `options.parents` of all observed candidates. */
static void choose_parents(const sq_searcher *s, parents *p)
{
    for (int i = 0; i < s->observed_count; i++) {
        const sq_candidate *c = &s->observed[i];
        int at = p->count < s->options->parents ? p->count++ : s->options->parents;
        while (at > 0 && sq_candidate_is_better(c, p->list[at - 1])) {
            if (at < s->options->parents)
                p->list[at] = p->list[at - 1];
            at--;
        }
        if (at < s->options->parents)
            p->list[at] = c;
    }
}

static void draw_child(const sq_searcher *s, bool is_crossover, const parents *p, sq_rng *rng, int *path)
{
    const int *a = p->list[sq_rng_below(rng, (uint32_t)p->count)]->path;
    if (is_crossover)
        sq_generation_cross(s, rng, a, p->list[sq_rng_below(rng, (uint32_t)p->count)]->path, path);
    else
        sq_generation_mutate(s, s->options->mutation_probability, rng, a, path);
}

/* Adds the children by crossover or by mutation, with `tries` draws per child. In generation g, mutation draws from
 * stream 2g and crossover from stream 2g + 1. */
static void breed(const sq_searcher *s, sq_generation *g, bool is_crossover, const parents *p)
{
    const int wanted = is_crossover ? s->options->crossover : s->options->mutation;
    sq_rng rng = sq_generation_rng(s, 2 * (uint64_t)g->number + is_crossover);
    for (int tries = wanted * s->options->tries, made = 0; tries > 0 && made < wanted && g->count < g->limit; tries--) {
        draw_child(s, is_crossover, p, &rng, g->candidates[g->count].path);
        made += sq_generation_add(s, g);
    }
}

static sq_status ask(const sq_searcher *s, sq_generation *g)
{
    if (g->number > s->options->generations)
        return SQ_OK;
    if (g->number > 0) {
        parents p = {.list = malloc((size_t)s->options->parents * sizeof *p.list)};
        if (!p.list)
            return sq_fail(SQ_NO_MEMORY, "search: %d parents", s->options->parents);
        choose_parents(s, &p);
        breed(s, g, true, &p);
        breed(s, g, false, &p);
        free(p.list);
    }
    sq_generation_fill(s, g);
    return SQ_OK;
}

const sq_searcher_ops sq_searcher_evolution = {
    .summary = "evolution as in SPOS: crossover and mutation of the best paths of all generations",
    .ask = ask,
    .generation_limit = sq_generation_population,
    .budget = sq_generation_population_budget,
    .check = sq_generation_no_check,
};
