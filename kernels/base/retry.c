/* The list of transient errors, and the waits between attempts. */
#include "kernels/base/retry.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#define FIRST_WAIT 0.5 /* seconds */
#define LAST_WAIT  8.0

sq_retry sq_retry_begin(int times)
{
    return (sq_retry){times, FIRST_WAIT};
}

static bool may_pass(int error)
{
    /* EFBIG, a limit on file sizes, is treated like a full disk. */
    static const int passing[] = {EIO,       ENOSPC,      EDQUOT,  EFBIG,      EINTR,     EAGAIN,       ESTALE,
                                  ETIMEDOUT, EBUSY,       ENFILE,  EMFILE,     ENOMEM,    ENOLCK,       EREMOTEIO,
                                  ENETDOWN,  ENETUNREACH, ENOBUFS, ECONNRESET, EHOSTDOWN, EHOSTUNREACH, ECONNREFUSED};
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
        if (error == passing[i])
            return true;
    return false;
}

bool sq_retry_again(sq_retry *retry, sq_status status)
{
    const int error = errno;
    if (status != SQ_IO || retry->left < 1 || !may_pass(error))
        return false;
    (void)fprintf(stderr, "%s; retrying in %g s, attempts left: %d\n", sq_error_text(), retry->wait, retry->left);
    const struct timespec wait = {(time_t)retry->wait, (long)(1e9 * (retry->wait - (double)(time_t)retry->wait))};
    (void)nanosleep(&wait, NULL); /* a signal ends the wait */
    retry->left--;
    retry->wait = 2 * retry->wait < LAST_WAIT ? 2 * retry->wait : LAST_WAIT;
    errno = error;
    return true;
}
