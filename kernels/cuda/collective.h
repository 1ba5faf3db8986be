#ifndef SQ_CUDA_COLLECTIVE_H
#define SQ_CUDA_COLLECTIVE_H

#include <cuda_runtime_api.h>

#include "kernels/backend.h"

/* Means over the ranks of a run by NCCL, on a stream of its own beside the backend's. Behind it stand collective.c with
 * NCCL (opened at run time, so that the program starts without it) and collective_none.c in a build that had no nccl.h.
 *
 * The rule to know: a reduction whose rank is gone never ends, and neither does what waits for it on the device. So
 * nobody may block on the backend's stream before sq_collective_wait or _settle said that it is idle. Loading a kernel
 * may block too (CUDA's lazy loading), so the backend loads all kernels when it opens the device (instances.h). */

typedef struct sq_collective sq_collective; /* NULL: one rank. Accepted everywhere: nothing to do */

/* Where the backend computes, and the ranks that it computes with. */
typedef struct {
    sq_rank_group *group; /* borrowed */
    cudaStream_t stream;  /* borrowed: computes what is reduced, and what uses the means */
    int device;           /* the current one */
    bool is_local_rank;   /* no rank asked for its GPU by number: two on one are a mistake */
} sq_collective_place;

/* Joins all ranks; collective, each rank gets the same kind of answer. SQ_UNSUPPORTED: a rank has no NCCL, and where it
 * was looked for; SQ_INVALID: two ranks were dealt one GPU; SQ_COMMUNICATION: they do not come together. */
SQ_MUST_USE sq_status sq_collective_open(sq_collective **out, const sq_collective_place *place);
/* Waits for what is under way, as sq_collective_drain does, and leaves the group. */
void sq_collective_close(sq_collective *c);

/* Mean over all ranks in place, begun after what the backend's stream holds now. Small ones wait for their neighbours
 * and travel together, at the latest at join. Does not block, but in the first ones, which connect the ranks. travels:
 * SQ_F32 or SQ_BF16 (backend.h). */
SQ_MUST_USE sq_status sq_collective_reduce(sq_collective *c, float *values, size_t count, sq_dtype reduce_dtype);
/* What the backend's stream gets from now on begins after all reductions. */
SQ_MUST_USE sq_status sq_collective_join(sq_collective *c);

/* Waits until the backend's stream has reached the event, NULL: has nothing left. SQ_COMMUNICATION: a rank is gone or
 * has not answered for the time limit; reductions are given up, nothing collective may follow. That the device failed
 * is for the caller to find. */
SQ_MUST_USE sq_status sq_collective_wait(sq_collective *c, cudaEvent_t event);
/* The same for what ends: says nothing about a failure, and the stream is idle after it either way. */
void sq_collective_drain(sq_collective *c);

/* "NCCL 2.28.9", or why it is not used. */
void sq_collective_describe(char *text, size_t bytes);

#endif
