/* Calls the launchers. Listing the launches of a graph (launches/dry_run.c) does not need this file. */
#include "kernels/cuda/launch.h"

#include <stdlib.h>

cudaError_t sq_cuda_launch_run(const sq_cuda_launch *launch, cudaStream_t stream)
{
    switch (launch->kernel) {
#define RUN(KIND, name)                                                                                                \
    case SQ_CUDA_##KIND:                                                                                               \
        return sq_cuda_##name##_run(&launch->args.name, stream);
        SQ_CUDA_LAUNCHES(RUN)
#undef RUN
    case SQ_CUDA_VENDOR_CONVOLUTION:
    case SQ_CUDA_VENDOR_PRODUCT:
        return sq_vendor_run(launch->args.vendor) == SQ_OK ? cudaSuccess : cudaErrorUnknown;
    case SQ_CUDA_KERNELS:
        break;
    }
    return cudaErrorInvalidValue;
}

void sq_cuda_launches_free(sq_cuda_launch *launches, int count)
{
    for (int i = 0; i < count; i++)
        if (sq_cuda_launch_is_vendor(&launches[i]))
            sq_vendor_release(launches[i].args.vendor);
    free(launches);
}
