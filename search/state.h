#ifndef SQ_STATE_H
#define SQ_STATE_H

#include "search/searchers/searcher.h"

/* Writes and reads state.json, which has the scored candidates of a search and is saved after every evaluation. The
 * file has no date and no duration, so that a search that was killed and resumed writes the same bytes. */

/* Returns a hash of all inputs that can change the candidates or scores of a search. A search does not resume from a
 * state with another fingerprint. */
uint64_t sq_search_fingerprint(const sq_searcher *searcher, uint64_t weights_hash);

/* Scored candidates in order, the baseline first. */
typedef struct {
    const sq_candidate *list;
    int count;
    int limit; /* candidates that the search will score in all, for readers that show progress */
} sq_search_scored;

/* Writes the file completely or not at all. */
SQ_MUST_USE sq_status sq_search_state_write(const char *path, uint64_t fingerprint, const sq_search_scored *scored,
                                            const sq_space *space);

/* Reads the paths and scores of the candidates; the caller frees each path and the list. *count becomes 0 if the file
 * does not exist.
 * returns SQ_INVALID: the file is not a state, or is the state of another search */
SQ_MUST_USE sq_status sq_search_state_read(const char *path, uint64_t fingerprint, const sq_space *space,
                                           sq_candidate **out, int *count);

#endif
