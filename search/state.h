#ifndef SQ_SEARCH_STATE_H
#define SQ_SEARCH_STATE_H

#include "search/searchers/searcher.h"

/* What a search keeps on disk: state.json after every evaluation, search.json and arch.json at the end. None holds a
 * time, so that a killed and resumed search ends with the same bytes. */

/* A fingerprint of everything that decides the search's course; a state of another one is refused. */
uint64_t sq_search_fingerprint(const sq_searcher *searcher, uint64_t weights);

/* Scored candidates in order (baseline first); and, for whoever watches, how many there will be where the space has as
 * many. */
typedef struct {
    const sq_candidate *list;
    int count, limit;
} sq_search_scored;
/* Written whole or not at all. */
SQ_MUST_USE sq_status sq_search_state_write(const char *path, uint64_t fingerprint, const sq_search_scored *scored,
                                            const sq_space *space);
/* Reads scores into candidates that are then asked for again: path and scores of each; *count 0 when there is no file.
 */
SQ_MUST_USE sq_status sq_search_state_read(const char *path, uint64_t fingerprint, const sq_space *space,
                                           sq_candidate **out, int *count);

SQ_MUST_USE sq_status sq_search_report_write(const char *folder, const sq_searcher *searcher,
                                             const sq_search_result *result);

#endif
