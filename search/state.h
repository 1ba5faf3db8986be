#ifndef SQ_STATE_H
#define SQ_STATE_H

#include "search/searchers/searcher.h"

/* state.json: the scored candidates of a search, saved after every evaluation. It holds no time, so that a killed and
 * resumed search ends with the same bytes. */

/* A hash of everything that decides the course of the search. A search does not resume from a state with another one.
 */
uint64_t sq_search_fingerprint(const sq_searcher *searcher, uint64_t weights_hash);

/* Scored candidates in order, the baseline first. */
typedef struct {
    const sq_candidate *list;
    int count;
    int limit; /* how many the search will score in all, for readers that show progress */
} sq_search_scored;

/* Writes the file completely or not at all. */
SQ_MUST_USE sq_status sq_search_state_write(const char *path, uint64_t fingerprint, const sq_search_scored *scored,
                                            const sq_space *space);

/* Reads the paths and scores of the candidates; the caller frees each path and the list. *count is 0 when there is no
 * file.
 * returns SQ_INVALID: not a state, or the state of another search */
SQ_MUST_USE sq_status sq_search_state_read(const char *path, uint64_t fingerprint, const sq_space *space,
                                           sq_candidate **out, int *count);

#endif
