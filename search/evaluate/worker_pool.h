#ifndef SQ_WORKER_POOL_H
#define SQ_WORKER_POOL_H

#include "search/evaluate/candidate_group.h"
#include "supernet/ranks/ranks.h"
#include "supernet/train/search_mask.h"

/* Distributes the candidates of a search over ranks. Rank 0 calls the searcher, distributes the proposed candidates and
 * evaluates some of them; the other ranks are its workers. Each rank has its own candidate group with the same weights
 * and images. The score of a candidate depends only on the candidate's path, so the rank that computes it does not
 * matter. Candidates are sorted by path and divided into shares, so that candidates with common first layers are mostly
 * in one share. An idle rank gets the next share. Later shares are smaller.
 *
 * A rank is lost when it dies, or when it does not answer within the ranks' time limit plus four times the expected
 * duration of its shares. The other ranks then evaluate the lost rank's shares. After the evaluation
 * sq_worker_pool_check fails with the lost rank's number, and no collective call may follow. */

typedef struct sq_worker_pool sq_worker_pool;

/* Creates the pool. Must be called on every rank.
 *
 * group, space, ranks   must outlive the pool; ranks NULL: one rank
 * search_mask           choices that the search may draw; NULL: all. First layers with one choice are computed only
 *                       once */
SQ_MUST_USE sq_status sq_worker_pool_create(sq_worker_pool **out, sq_candidate_group *group, const sq_space *space,
                                            const sq_search_mask *search_mask, sq_ranks *ranks);
/* Must be called on every rank, after the ranks have agreed that each of them has a pool. After this call
 * sq_worker_pool_destroy on rank 0 ends the workers. */
void sq_worker_pool_start(sq_worker_pool *pool);
/* Frees the pool; accepts NULL. On rank 0 of a started pool, this also makes the workers return from
 * sq_worker_pool_serve. */
void sq_worker_pool_destroy(sq_worker_pool *pool);

/* Does on all ranks what sq_candidate_group_evaluate does on one. Must be called on rank 0, with at most
 * SQ_WORKER_POOL_CANDIDATES paths. Returns a worker's error as "rank 2: <text of the error>". */
enum { SQ_WORKER_POOL_CANDIDATES = 1024 };
SQ_MUST_USE sq_status sq_worker_pool_evaluate(sq_worker_pool *pool, const int *const *paths, int count, size_t images,
                                              sq_result *results);
/* Returns SQ_COMMUNICATION if a rank is lost. */
SQ_MUST_USE sq_status sq_worker_pool_check(const sq_worker_pool *pool);

/* Evaluates shares until rank 0 destroys its pool. Must be called on all ranks except rank 0. SQ_COMMUNICATION: rank 0
 * is lost, or rank 0 has lost another rank; in the latter case rank 0 reports the loss. */
SQ_MUST_USE sq_status sq_worker_pool_serve(sq_worker_pool *pool);

int sq_worker_pool_size(const sq_worker_pool *pool); /* number of ranks */

typedef struct {
    int64_t candidates; /* evaluated by the rank so far */
    double seconds;     /* duration of these evaluations */
} sq_worker_counters;
sq_worker_counters sq_worker_pool_counters(const sq_worker_pool *pool, int rank); /* rank 0 knows all ranks */

#endif
