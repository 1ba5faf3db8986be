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

/* times: the largest number of further attempts, after 0.5, 1, 2, 4, 8, 8, ... seconds. */
sq_retry sq_retry_begin(int times);
/* Call it directly after the attempt. Returns whether to try again. This is the case after SQ_IO with a transient errno
 * (no space, quota, interruption, an error of the device or of the file server). It then first prints the error to
 * stderr and waits; a signal ends the wait. It preserves errno and sq_error_text(). */
bool sq_retry_again(sq_retry *retry, sq_status status);

#endif
