#ifndef SQ_RANKS_STATE_H
#define SQ_RANKS_STATE_H

#include "supernet/ranks/ranks.h"

#define OMPI_SKIP_MPICXX 1
#include <mpi.h>

/* The state of sq_ranks in a build with MPI, shared by ranks.c and ranks_wait.c. */

enum { SQ_RANKS_REQUESTS = 4096, SQ_RANKS_TEXT_BYTES = 512 };

typedef struct {
    long pid;
    char host[64];
} sq_peer;

struct sq_ranks {
    int rank, count, local, local_count;
    double time_limit;
    int64_t reduced_bytes;
    bool is_abandoned;        /* no collective call may follow */
    sq_status failure;        /* the failure on which all ranks agreed, or SQ_OK */
    bool is_failure_reported; /* another rank reports the failure */
    char failure_text[SQ_RANKS_TEXT_BYTES + 32];
    sq_peer *peers; /* [count] */
    struct {
        float *values;
        size_t count;
        sq_dtype reduce_dtype;
    } parts[SQ_RANKS_REQUESTS]; /* one per request */
    MPI_Request requests[SQ_RANKS_REQUESTS];
    MPI_Op add_bf16; /* a custom operation, because MPI 4.0 has no BF16 type */
    int request_count;
    sq_reduction reduction;
    sq_rank_group group; /* for a backend that reduces on a device */
};

#endif
