#ifndef SQ_GENERATION_H
#define SQ_GENERATION_H

#include "kernels/base/rng.h"
#include "search/searchers/searcher.h"

/* Builds a generation by drawing paths and adding the paths that are legal and new. A path is legal if it is within all
 * limits. A path is new if it has not been observed and is not part of the generation yet. */

enum { SQ_LARGEST_BUDGET = 100000000 }; /* candidates of a search */

/* Returns the number of the generation after the last observed one. */
int sq_generation_next_number(const sq_searcher *searcher);

/* Adds candidates[count], whose path the caller has written, if it is legal and new. Returns whether it was added. */
bool sq_generation_add(const sq_searcher *searcher, sq_generation *generation);

/* Adds random paths until the generation has `limit` candidates or no more paths are found. Candidate i of the search
 * draws from stream i. */
void sq_generation_fill(const sq_searcher *searcher, sq_generation *generation);

/* Adds a neighbour of `from`, that is, a path with one layer changed. After options.tries draws without a legal and new
 * path, two layers are changed, and so on. Returns false if no neighbour was found. */
bool sq_generation_add_neighbour(const sq_searcher *searcher, sq_generation *generation, const int *from, sq_rng *rng);

/* Writes a random path that is legal, has not been observed and is not among `others`. Returns false if 20,000 draws
 * found no such path. */
bool sq_generation_draw(const sq_searcher *searcher, uint64_t stream, const sq_candidate *others, int other_count,
                        int *path);
enum { SQ_BASELINE_STREAM = 50 }; /* path i of the baseline draws from stream (1 << 50) + i */

/* Returns the random stream (1 << STREAM) + index, where STREAM is in the searcher's row of SQ_SEARCHER_TABLE. */
sq_rng sq_generation_rng(const sq_searcher *searcher, uint64_t index);

/* Copies `from` to `path` and draws each layer again with the given probability. path may be `from`. */
void sq_generation_mutate(const sq_searcher *searcher, double probability, sq_rng *rng, const int *from, int *path);
/* Takes each layer of `path` from a or b with equal probability. */
void sq_generation_cross(const sq_searcher *searcher, sq_rng *rng, const int *a, const int *b, int *path);

/* Members of sq_searcher_ops that several searchers share. */
int sq_generation_population(const sq_searcher *searcher);        /* options.population */
int sq_generation_population_budget(const sq_searcher *searcher); /* population * (generations + 1) */
sq_status sq_generation_no_check(const sq_searcher *searcher);    /* returns SQ_OK, for searchers without further
                                                                   * checks */

#endif
