/* nonfinite.cu - checks ranges of FP32 values for NaN and infinity. Each block checks its share of one range and
 * writes the result to a separate word, so the results need no initialization and no atomics. */
#include "kernels/cuda/operations/operations.h"
#include "kernels/cuda/instances.h"

#include "kernels/cuda/launch.cuh"

enum { THREADS = 256 };

static __global__ void __launch_bounds__(THREADS) nonfinite_kernel(sq_cuda_nonfinite a)
{
    const float *const values = a.ranges[blockIdx.y].values;
    const size_t count = a.ranges[blockIdx.y].count;
    bool is_found = false;
    for (size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x; i < count; i += (size_t)gridDim.x * THREADS)
        is_found |= (__float_as_uint(__ldg(values + i)) & 0x7f800000u) == 0x7f800000u;
    const int any = __syncthreads_or(is_found);
    if (threadIdx.x == 0)
        a.found[blockIdx.y * SQ_CUDA_NONFINITE_BLOCKS + blockIdx.x] = any;
}

extern "C" cudaError_t sq_cuda_nonfinite_run(const sq_cuda_nonfinite *args, cudaStream_t stream)
{
    const sq_cuda_nonfinite a = *args;
    LAUNCH(nonfinite_kernel, dim3(SQ_CUDA_NONFINITE_BLOCKS, (unsigned)a.count), THREADS, 0, stream, a);
    return cudaGetLastError();
}

extern "C" const sq_cuda_instance sq_cuda_nonfinite_instances[] = {SQ_CUDA_INSTANCE(THREADS, 0, 0, nonfinite_kernel),
                                                              SQ_CUDA_INSTANCES_END};
