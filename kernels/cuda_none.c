/* Replaces kernels/cuda in builds without CUDA. */
#include <stdio.h>

#include "kernels/backend.h"

sq_status sq_cuda_open(const sq_backend_options *options, sq_backend **out)
{
    (void)options, (void)out; /* unused */
    return sq_fail(SQ_UNSUPPORTED, "device cuda: this build has no CUDA backend; build it where nvcc is found");
}

void sq_cuda_describe(char *text, size_t text_bytes)
{
    (void)snprintf(text, text_bytes, "not in this build: nvcc was not found, or SQUALL_CUDA=off");
}

void sq_cuda_describe_peers(char *text, size_t text_bytes)
{
    (void)snprintf(text, text_bytes, "unknown: this build has no CUDA backend");
}

void sq_cuda_describe_ranks(char *text, size_t text_bytes)
{
    sq_cuda_describe(text, text_bytes);
}
