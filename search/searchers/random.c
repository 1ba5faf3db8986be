/* Random search: the baseline, with the budget of the others. */
#include "search/searchers/searcher.h"

sq_status sq_random_ask(const sq_searcher *s, sq_candidate *out, int *count)
{
    sq_generation g = {out, 0, s->options->population, sq_generation_next(s)};
    if (g.number <= s->options->generations)
        sq_generation_fill(s, &g);
    *count = g.count;
    return SQ_OK;
}
