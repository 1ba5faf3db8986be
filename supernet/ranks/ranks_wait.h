#ifndef SQ_RANKS_WAIT_H
#define SQ_RANKS_WAIT_H

#include "supernet/ranks/ranks_state.h"

/* Waiting for other ranks: a rank that exits or exceeds the time limit ends the wait with SQ_COMMUNICATION. */

/* For a wait of `seconds`: whether a rank is lost, and why. context: sq_ranks. */
bool sq_ranks_is_lost(void *context, double seconds, char *why, size_t bytes);

/* Waits for all requests. what: for the text. */
SQ_MUST_USE sq_status sq_ranks_wait(sq_ranks *r, MPI_Request *requests, int count, const char *what);
/* Waits for the request of an MPI call that returned `code`. */
SQ_MUST_USE sq_status sq_ranks_complete(sq_ranks *r, int code, MPI_Request *request, const char *what);

/* SQ_COMMUNICATION "what: why"; no collective call may follow. */
SQ_MUST_USE sq_status sq_ranks_fail(sq_ranks *r, const char *what, const char *why);
/* The same after a failure of MPI; names the ranks of this host that exited. */
SQ_MUST_USE sq_status sq_ranks_lost(sq_ranks *r, const char *what);

#endif
