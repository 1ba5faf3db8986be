/* Errors of the CUDA runtime as statuses. */
#include "kernels/cuda/device_error.h"

sq_status sq_cuda_translate(const sq_cuda_backend *b, cudaError_t error, const char *what)
{
    if (error == cudaSuccess)
        return SQ_OK;
    const sq_status status = error == cudaErrorMemoryAllocation ? SQ_NO_MEMORY : SQ_DEVICE;
    if (b && b->first_name[0])
        return sq_fail(status,
                       "%s: %s: %s, in \"%s\" or a later program, up to \"%s\"; --graphs off with "
                       "CUDA_LAUNCH_BLOCKING=1 names the operation",
                       SQ_CUDA_NAME, what, cudaGetErrorString(error), b->first_name, b->last_name);
    return sq_fail(status, "%s: %s: %s", SQ_CUDA_NAME, what, cudaGetErrorString(error));
}
