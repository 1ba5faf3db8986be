/* Replaces collective.c in builds without nccl.h. */
#include "kernels/cuda/collective.h"

#include <stdio.h>

sq_status sq_collective_open(sq_collective **out, const sq_collective_place *place)
{
    (void)out, (void)place; /* there is nothing to open */
    return sq_fail(SQ_UNSUPPORTED, "several ranks on GPUs: this build has no NCCL (nccl.h was not found, or "
                                   "SQUALL_NCCL=off); use --device cpu");
}

void sq_collective_close(sq_collective *c)
{
    (void)c; /* always NULL, here and below */
}

sq_status sq_collective_reduce(sq_collective *c, float *values, size_t count, sq_dtype reduce_dtype)
{
    (void)c, (void)values, (void)count, (void)reduce_dtype;
    return SQ_OK;
}

sq_status sq_collective_join(sq_collective *c)
{
    (void)c;
    return SQ_OK;
}

sq_status sq_collective_wait(sq_collective *c, cudaEvent_t event)
{
    (void)c, (void)event;
    return SQ_OK;
}

void sq_collective_drain(sq_collective *c)
{
    (void)c;
}

void sq_collective_describe(char *text, size_t bytes)
{
    (void)snprintf(text, bytes, "not in this build: nccl.h was not found, or SQUALL_NCCL=off");
}
