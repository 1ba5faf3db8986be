#ifndef SQ_CUDA_COLLECTIVE_H
#define SQ_CUDA_COLLECTIVE_H

#include <cuda_runtime_api.h>

#include "kernels/backend.h"

/* Means over the ranks of a run by NCCL, on a stream separate from the backend's. collective.c opens NCCL at run time,
 * so the program starts without it. Builds without nccl.h use collective_none.c.
 *
 * Rule: a reduction with a lost rank never ends, and neither does work on the device that waits for it.
 * Therefore the host must not block on the backend's stream before sq_collective_wait or sq_collective_drain has
 * returned. Loading a kernel may block too (CUDA's lazy loading), so the backend loads all kernels when it opens the
 * device (instances.h). */

typedef struct sq_collective sq_collective; /* NULL: one rank; all functions accept it and do nothing */

/* The backend's device and stream, and the ranks. */
typedef struct {
    sq_rank_group *group; /* borrowed */
    cudaStream_t stream;  /* borrowed: computes the values, and uses the means */
    int device;           /* the current device */
    bool is_local_rank;   /* GPUs were assigned by rank: two ranks on one GPU are an error */
} sq_collective_place;

/* Connects all ranks. Collective: all ranks succeed, or all fail. SQ_UNSUPPORTED: a rank has no NCCL; the text names
 * the paths that were tried. SQ_INVALID: two ranks have the same GPU. SQ_COMMUNICATION: the ranks cannot connect. */
SQ_MUST_USE sq_status sq_collective_open(sq_collective **out, const sq_collective_place *place);
/* Waits as sq_collective_drain does, then disconnects. */
void sq_collective_close(sq_collective *c);

/* Replaces the values by their mean over all ranks, after all work that is now on the backend's stream. Small ranges
 * are collected into one message, which is sent at sq_collective_join at the latest. Does not block, except in the
 * first calls, which connect the ranks. reduce_dtype: SQ_F32 or SQ_BF16 (kernels/backend.h). */
SQ_MUST_USE sq_status sq_collective_reduce(sq_collective *c, float *values, size_t count, sq_dtype reduce_dtype);
/* Makes later work on the backend's stream wait for all reductions. */
SQ_MUST_USE sq_status sq_collective_join(sq_collective *c);

/* Waits until the backend's stream has reached the event, or with NULL until it is idle. SQ_COMMUNICATION: a rank is
 * lost, or did not answer within the time limit; reductions are aborted, and no collective call may follow. Errors of
 * the device are not reported. */
SQ_MUST_USE sq_status sq_collective_wait(sq_collective *c, cudaEvent_t event);
/* Waits until the stream is idle, also after a failure, which is not reported. For cleaning up. */
void sq_collective_drain(sq_collective *c);

/* "NCCL 2.28.9", or the reason why it is not used. */
void sq_collective_describe(char *text, size_t bytes);

#endif
