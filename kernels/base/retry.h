#ifndef SQ_RETRY_H
#define SQ_RETRY_H

#include <stdbool.h>

#include "kernels/base/status.h"

/* Patience with disks: a full one may be emptied, a server may come back. What writes and fails is done again:
 *
 *     sq_retry retry = sq_retry_begin(times);
 *     do
 *         status = write();
 *     while (sq_retry_again(&retry, status)); */

typedef struct {
    int left;
    double wait; /* seconds until the next time */
} sq_retry;

/* times: at most so many times more, after 0.5, 1, 2, 4, 8, 8, ... seconds. */
sq_retry sq_retry_begin(int times);
/* Right behind the failure: whether to do it again. Only after SQ_IO whose errno may pass by itself (no space, quota,
 * an interruption, an error of the device or of a server of files); tells it on stderr and waits, a signal cuts that
 * short. errno and sq_error_text() stay as they are. */
bool sq_retry_again(sq_retry *retry, sq_status status);

#endif
