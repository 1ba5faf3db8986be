#ifndef SQ_SEARCH_H
#define SQ_SEARCH_H

#include "search/evaluate/worker_pool.h"
#include "search/pareto_front.h"

/* Searches for the most accurate path within hard limits. A searcher proposes candidates. The worker pool calibrates
 * the candidates' batch norms and scores the candidates on validation images. The searcher observes the scores. The
 * state is saved after every evaluation, so a search that was killed can resume and then writes the same files as an
 * uninterrupted search. */

typedef struct {
    sq_candidate *candidates; /* the random baseline first */
    int candidate_count;
    int best;                /* index of the best candidate (sq_candidate_best), baseline excluded */
    double random_mean_top1; /* of the baseline; NaN: no baseline */
    sq_pareto_front front;   /* of all candidates except the baseline; empty without objectives */
} sq_search_result;

void sq_search_result_clear(sq_search_result *result);

/* The run folder and the data of a search. */
typedef struct {
    const char *run_folder; /* the files are <run_folder>/search/{state.json, search.json, arch.json} */
    bool is_resumed;        /* continue from state.json */
    bool is_quiet;
    uint64_t weights_hash; /* of the supernet's weights; a search does not resume with other weights */
    int evaluation_images, calibration_images; /* numbers of images of the worker pool; they determine the budget of
                                                * halving */
} sq_search_context;

/* The space, the devices and the options of a search. */
typedef struct {
    const sq_search_options *options;
    const sq_space *space;
    const sq_search_devices *devices; /* NULL: none */
} sq_search_problem;

/* Makes the checks that sq_search makes before its first evaluation, for callers that write files before they call
 * sq_search. Reads only the image counts of the context.
 * returns SQ_INVALID: an option is out of range, or no path can meet a limit; the message then has the smallest
 * possible value */
SQ_MUST_USE sq_status sq_search_check(const sq_search_problem *problem, const sq_search_context *context);

/* Runs the search.
 * returns SQ_INVALID: as sq_search_check, or the state belongs to another search, or no path was found; SQ_INTERRUPTED:
 *         a signal was received; all candidates scored so far are saved */
SQ_MUST_USE sq_status sq_search(sq_search_result *out, const sq_search_problem *problem, sq_worker_pool *pool,
                                const sq_search_context *context);

#endif
