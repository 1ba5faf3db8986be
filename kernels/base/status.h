#ifndef SQ_STATUS_H
#define SQ_STATUS_H

#include <stdbool.h>

/* Functions that can fail return an sq_status. The function that detects a failure calls sq_fail() once; its callers
 * return the status unchanged, with SQ_TRY(). The error text is one line: where, what is wrong, what was found and what
 * was expected. */

typedef enum {
    SQ_OK = 0,
    SQ_INVALID,       /* a configuration, an argument or the content of a file breaks a documented rule */
    SQ_IO,            /* a system call for reading or writing failed */
    SQ_DATA,          /* images, or their folders and archives, are unusable */
    SQ_NO_MEMORY,     /* out of host or device memory */
    SQ_DEVICE,        /* a device failed */
    SQ_UNSUPPORTED,   /* not available in this build or backend */
    SQ_NONFINITE,     /* a loss or gradient is NaN or infinite */
    SQ_COMMUNICATION, /* another rank is lost */
    SQ_INTERRUPTED    /* stopped by a signal, after a checkpoint */
} sq_status;

enum { SQ_ERROR_BYTES = 1024 }; /* size of an error text, with the terminating NUL */

#define SQ_MUST_USE __attribute__((warn_unused_result))

/* Returns the text of the last failure on this thread; "" if nothing has failed. */
const char *sq_error_text(void);

/* Stores the error text and returns `status`, as in: return sq_fail(SQ_IO, "%s: %s", path, reason); */
sq_status sq_fail(sq_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Returns whether another rank prints the last failure of this thread. sq_error_set_reported sets this flag; sq_fail
 * clears it. */
bool sq_error_is_reported(void);
void sq_error_set_reported(void);

/* Returns the exit code of the process for a status: 0 done, 1 error, 2 usage or configuration, 3 data, 4 nonfinite
 * loss, 5 communication, 75 checkpointed, to be requeued. */
int sq_exit_code(sq_status status);

#define SQ_TRY(call)                                                                                                   \
    do {                                                                                                               \
        const sq_status try_status_ = (call); /* a name that `call` does not use */                                    \
        if (try_status_ != SQ_OK)                                                                                      \
            return try_status_;                                                                                        \
    } while (0)

#endif
