#ifndef SQ_STATUS_H
#define SQ_STATUS_H

/* How every function of Squall says that it failed. The place that discovers a failure calls sq_fail() once; callers
 * pass the status on unchanged with SQ_TRY(). The text is one line: what, which, got and wanted. */

typedef enum {
    SQ_OK = 0,
    SQ_INVALID,       /* a configuration, an argument or a file's content breaks a documented rule */
    SQ_IO,            /* the system refused to read or write */
    SQ_DATA,          /* images or their folders are unusable */
    SQ_NO_MEMORY,     /* host or device memory is used up */
    SQ_DEVICE,        /* a device failed */
    SQ_UNSUPPORTED,   /* this build or backend cannot do it */
    SQ_NONFINITE,     /* a loss or gradient is NaN or infinite */
    SQ_COMMUNICATION, /* another rank is gone */
    SQ_INTERRUPTED    /* a signal asked to stop; a checkpoint was written */
} sq_status;

enum { SQ_ERROR_BYTES = 1024 }; /* of a failure's text, its end included */

#define SQ_MUST_USE __attribute__((warn_unused_result))

/* Text of the last failure on this thread; never NULL, "" when nothing has failed. */
const char *sq_error_text(void);

/* Stores the text and returns `status`, so that a failure is one readable line. */
sq_status sq_fail(sq_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The process exit code that the manual promises: 0 done, 1 error, 2 usage, 3 data, 4 non-finite loss,
 * 5 communication, 75 checkpointed and please requeue. (2 belongs to the command line and to configurations.) */
int sq_exit_code(sq_status status);

#define SQ_TRY(call)                                                                                                   \
    do {                                                                                                               \
        const sq_status try_status_ = (call); /* an odd name: `call` may mention status */                             \
        if (try_status_ != SQ_OK)                                                                                      \
            return try_status_;                                                                                        \
    } while (0)

#endif
