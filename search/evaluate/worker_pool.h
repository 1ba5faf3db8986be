#ifndef SQ_WORKER_POOL_H
#define SQ_WORKER_POOL_H

#include "search/evaluate/candidate_group.h"
#include "supernet/ranks/ranks.h"
#include "supernet/train/search_mask.h"

/* The ranks of a search: the first one asks a searcher and deals out candidates, all evaluate them, each in a group of
 * its own over the same weights and images. What a candidate scores is a function of its path, so the result does not
 * depend on who scored it. Candidates that share their first layers go to the same rank, in shares that get smaller
 * towards the end; whoever is idle gets the next one.
 *
 * A rank that dies, or is silent for the ranks' time limit and four times what its shares would take the first rank,
 * loses them to the others; when the candidates that were asked for are scored, sq_worker_pool_check says which rank it
 * was, and nothing collective may follow. */

typedef struct sq_worker_pool sq_worker_pool;

/* ranks   NULL: one
 * scope   what the search may draw, or NULL: its fixed first layers are computed once (sq_candidate_group_fix)
 * On every rank; group, space and ranks must outlive the pool. */
SQ_MUST_USE sq_status sq_worker_pool_create(sq_worker_pool **out, sq_candidate_group *group, const sq_space *space,
                                            const sq_search_mask *search_mask, sq_ranks *ranks);
/* When all ranks have agreed that each has its pool: from now on the others serve, or will. */
void sq_worker_pool_start(sq_worker_pool *pool);
/* On the first rank it sends the others home, who may be waiting in sq_worker_pool_serve. Accepts NULL. */
void sq_worker_pool_destroy(sq_worker_pool *pool);

/* The first rank: sq_candidate_group_evaluate of at most SQ_WORKER_POOL_CANDIDATES paths, shared out. Another rank's
 * failure is this one's: "rank 2: <its text>". */
enum { SQ_WORKER_POOL_CANDIDATES = 1024 };
SQ_MUST_USE sq_status sq_worker_pool_evaluate(sq_worker_pool *pool, const int *const *paths, int count, size_t images,
                                              sq_result *results);
/* SQ_COMMUNICATION when a rank has been lost. */
SQ_MUST_USE sq_status sq_worker_pool_check(const sq_worker_pool *pool);

/* The other ranks: evaluates what comes until the first one sends them home. SQ_COMMUNICATION: the first rank is gone,
 * or has lost another one, and says so itself. */
SQ_MUST_USE sq_status sq_worker_pool_serve(sq_worker_pool *pool);

int sq_worker_pool_size(const sq_worker_pool *pool); /* ranks */
typedef struct {
    int64_t candidates; /* scored by a rank so far */
    double seconds;     /* that it took for them */
} sq_worker_counters;
sq_worker_counters sq_worker_pool_counters(const sq_worker_pool *pool, int rank); /* the first rank knows them of all */

#endif
