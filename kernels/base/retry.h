#ifndef SQ_RETRY_H
#define SQ_RETRY_H

#include <stdbool.h>

#include "kernels/base/status.h"

/* Repeats writes that fail for a transient reason, such as a full disk or an unreachable file server.
 *
 *     sq_retry retry = sq_retry_begin(times);
 *     do
 *         status = write();
 *     while (sq_retry_again(&retry, status)); */

typedef struct {
    int left;    /* attempts */
    double wait; /* seconds before the next attempt */
} sq_retry;

/* Begins a series of attempts. times: the largest number of further attempts, which begin after waits of 0.5, 1, 2, 4,
 * 8, 8, ... seconds. */
sq_retry sq_retry_begin(int times);
/* Returns whether to try again, directly after an attempt that gave `status`. Returns true after SQ_IO with a transient
 * errno (no space, quota, interruption, an error of the device or of the file server) if attempts are left. In that
 * case, first prints the error to stderr and waits; a signal ends the wait. Preserves errno and sq_error_text(). */
bool sq_retry_again(sq_retry *retry, sq_status status);

#endif
