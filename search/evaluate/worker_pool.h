#ifndef SQ_WORKER_POOL_H
#define SQ_WORKER_POOL_H

#include "search/evaluate/candidate_group.h"
#include "supernet/ranks/ranks.h"
#include "supernet/train/search_mask.h"

/* The ranks of a search. Rank 0 asks the searcher and distributes the candidates; all ranks evaluate them, each in its
 * own candidate group over the same weights and images. The score of a candidate depends on its path alone, so
 * the result does not depend on the rank that computed it. Candidates that share their first layers form a share, which
 * goes to one rank. Shares get smaller towards the end; an idle rank gets the next one.
 *
 * A rank is lost when it dies, or when it does not answer within the ranks' time limit plus four times the expected
 * duration of its shares. The other ranks then evaluate its shares. After the evaluation sq_worker_pool_check fails
 * with the lost rank's number, and no collective call may follow. */

typedef struct sq_worker_pool sq_worker_pool;

/* Called on every rank.
 *
 * group, space, ranks   must outlive the pool; ranks NULL: one rank
 * search_mask           the choices that the search may draw; NULL: all. Fixed first layers are computed once */
SQ_MUST_USE sq_status sq_worker_pool_create(sq_worker_pool **out, sq_candidate_group *group, const sq_space *space,
                                            const sq_search_mask *search_mask, sq_ranks *ranks);
/* Called on every rank after all have agreed that each has a pool; sq_worker_pool_destroy then ends the workers. */
void sq_worker_pool_start(sq_worker_pool *pool);
/* On rank 0 it also ends the workers, which return from sq_worker_pool_serve. Accepts NULL. */
void sq_worker_pool_destroy(sq_worker_pool *pool);

/* Rank 0: sq_candidate_group_evaluate of at most SQ_WORKER_POOL_CANDIDATES paths on all ranks. Returns a worker's error
 * as "rank 2: <its text>". */
enum { SQ_WORKER_POOL_CANDIDATES = 1024 };
SQ_MUST_USE sq_status sq_worker_pool_evaluate(sq_worker_pool *pool, const int *const *paths, int count, size_t images,
                                              sq_result *results);
/* SQ_COMMUNICATION when a rank is lost. */
SQ_MUST_USE sq_status sq_worker_pool_check(const sq_worker_pool *pool);

/* The other ranks: evaluates shares until rank 0 destroys its pool. SQ_COMMUNICATION: rank 0 is lost, or it has lost
 * another rank and reports that itself. */
SQ_MUST_USE sq_status sq_worker_pool_serve(sq_worker_pool *pool);

int sq_worker_pool_size(const sq_worker_pool *pool); /* number of ranks */

typedef struct {
    int64_t candidates; /* evaluated by the rank so far */
    double seconds;     /* that it needed for them */
} sq_worker_counters;
sq_worker_counters sq_worker_pool_counters(const sq_worker_pool *pool, int rank); /* rank 0 knows those of all ranks */

#endif
