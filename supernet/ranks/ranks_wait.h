#ifndef SQ_RANKS_WAIT_H
#define SQ_RANKS_WAIT_H

#include "supernet/ranks/ranks_state.h"

/* Waits for other ranks. A wait returns SQ_COMMUNICATION if a rank exits or the time limit passes. */

/* Returns whether a rank is lost after a wait of `seconds`, and writes the reason to `why`. context: sq_ranks. */
bool sq_ranks_is_lost(void *context, double seconds, char *why, size_t bytes);

/* Waits for all requests. what: the start of the error text. */
SQ_MUST_USE sq_status sq_ranks_wait(sq_ranks *r, MPI_Request *requests, int count, const char *what);
/* Waits for the request of an MPI call that returned `code`. */
SQ_MUST_USE sq_status sq_ranks_complete(sq_ranks *r, int code, MPI_Request *request, const char *what);

/* Returns SQ_COMMUNICATION "what: why". No collective call may follow. */
SQ_MUST_USE sq_status sq_ranks_fail(sq_ranks *r, const char *what, const char *why);
/* Like sq_ranks_fail, after a failed MPI call. The error text names the ranks of this host that exited. */
SQ_MUST_USE sq_status sq_ranks_lost(sq_ranks *r, const char *what);

#endif
