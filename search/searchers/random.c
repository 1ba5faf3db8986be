/* Random search. Every other searcher must find better paths than this one with the same budget. */
#include "search/searchers/generation.h"

static sq_status ask(const sq_searcher *s, sq_generation *g)
{
    if (g->number <= s->options->generations)
        sq_generation_fill(s, g);
    return SQ_OK;
}

const sq_searcher_ops sq_searcher_random = {
    .summary = "random paths, each scored once: the baseline",
    .ask = ask,
    .generation_limit = sq_generation_population,
    .budget = sq_generation_population_budget,
    .check = sq_generation_no_check,
};
