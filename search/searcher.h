#ifndef SQ_SEARCHER_H
#define SQ_SEARCHER_H

#include "search/search.h"

/* Searchers behind one interface: ask for candidates, tell their scores. A searcher's state is the list of candidates
 * told so far, and every draw is a function of (seed, candidate number, try); so replaying the list restores it. */

typedef struct {
    const sq_search_options *options;
    const sq_space *space;
    const sq_search_devices *devices;                 /* NULL: none */
    double macs[SQ_MAX_LAYERS][SQ_MAX_CHOICES];       /* millions */
    double parameters[SQ_MAX_LAYERS][SQ_MAX_CHOICES]; /* millions, norms included */
    double memory_mb[SQ_MAX_LAYERS][SQ_MAX_CHOICES];
    sq_candidate *told;                               /* borrowed from the search; generations >= 0 in order */
    int told_count;
} sq_searcher;

/* Adds up a path's costs and predictions. */
void sq_searcher_cost(const sq_searcher *searcher, sq_candidate *candidate);
bool sq_searcher_is_legal(const sq_searcher *searcher, const sq_candidate *candidate);
/* SQ_INVALID when no path can meet the limits, with the smallest possible value. */
SQ_MUST_USE sq_status sq_searcher_check_limits(const sq_searcher *searcher);

/* Whether a path has been told, or stands among `more` others. */
bool sq_searcher_knows(const sq_searcher *searcher, const int *path, const sq_candidate *more, int more_count);

/* A legal path that is not known yet, drawn by candidate number; false when `tries` draws found none. */
bool sq_searcher_random(const sq_searcher *searcher, uint64_t number, const sq_candidate *more, int more_count,
                        int *path);

/* Fills out[0..*count) with the next candidates (paths and costs; the paths are the caller's memory), at most one
 * generation. *count 0: the search is over. */
void sq_evolution_ask(const sq_searcher *searcher, sq_candidate *out, int *count);
void sq_random_ask(const sq_searcher *searcher, sq_candidate *out, int *count);

/* Order of candidates: top1, then top5, then lower loss; ties keep the earlier. Returns whether a is better than b. */
bool sq_candidate_is_better(const sq_candidate *a, const sq_candidate *b);

#endif
