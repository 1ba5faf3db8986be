#ifndef SQ_GENERATION_H
#define SQ_GENERATION_H

#include "kernels/base/rng.h"
#include "search/searchers/searcher.h"

/* Building a generation: drawing paths, and adding those that are legal and new. A path is new when it has neither been
 * observed nor is already part of the generation. */

enum { SQ_LARGEST_BUDGET = 100000000 }; /* candidates of a search */

/* The number of the generation after the observed ones. */
int sq_generation_next_number(const sq_searcher *searcher);

/* Adds candidates[count], whose path the caller has written, if it is legal and new. Returns whether it was added. */
bool sq_generation_add(const sq_searcher *searcher, sq_generation *generation);

/* Adds random paths up to the limit, or fewer when the space has no more. Candidate i of the search draws from stream
 * i. */
void sq_generation_fill(const sq_searcher *searcher, sq_generation *generation);

/* Adds a neighbour of `from`: one layer changed; after options.tries draws without success two layers, and so on.
 * Returns false when no neighbour was found. */
bool sq_generation_add_neighbour(const sq_searcher *searcher, sq_generation *generation, const int *from, sq_rng *rng);

/* Writes a random path that is legal and new; `others` are proposals that it must differ from. Returns false when many
 * draws found none. */
bool sq_generation_draw(const sq_searcher *searcher, uint64_t stream, const sq_candidate *others, int other_count,
                        int *path);
enum { SQ_BASELINE_STREAM = 50 }; /* the baseline's path i draws from stream (1 << 50) + i */

/* A random stream of the searcher's own: number (1 << STREAM of its row) + index. */
sq_rng sq_generation_rng(const sq_searcher *searcher, uint64_t index);

/* Draws each layer of `from` again with a probability; path may be `from`. */
void sq_generation_mutate(const sq_searcher *searcher, double probability, sq_rng *rng, const int *from, int *path);
/* Takes each layer from a or b with equal probability. */
void sq_generation_cross(const sq_searcher *searcher, sq_rng *rng, const int *a, const int *b, int *path);

/* Rows of sq_searcher_ops that several searchers share. */
int sq_generation_population(const sq_searcher *searcher);        /* options.population */
int sq_generation_population_budget(const sq_searcher *searcher); /* population * (generations + 1) */
sq_status sq_generation_no_check(const sq_searcher *searcher);    /* SQ_OK: the ranges of the options suffice */

#endif
