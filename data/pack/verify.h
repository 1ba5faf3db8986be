#ifndef SQ_VERIFY_H
#define SQ_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/base/status.h"

typedef struct {
    int threads;              /* 0: one per core */
    bool (*is_stopped)(void); /* polled for each record; NULL: never stops */
    /* Called with an error message for each damaged record, from any thread, one call at a time; or NULL. */
    void (*report_damaged)(void *context, const char *message);
    void *context;
} sq_verify_options;

/* Reads all records of a split's shards, verifies their checksums and counts the damaged records.
 * returns   the errors of sq_shards_open; SQ_INTERRUPTED; SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_pack_verify(const char *folder, const char *split, const sq_verify_options *options,
                                     uint64_t *damaged_count);

#endif
