/* bf16_pack.cu - converts between ranges of FP32 and one row of BF16, which the ranks exchange. A thread converts one
 * value at a time; the traffic is small compared to that of a training step. */
#include "kernels/cuda/operations/operations.h"
#include "kernels/cuda/instances.h"

#include "kernels/cuda/unit.cuh"

enum { THREADS = 256, BLOCKS = 128 };

template <bool IS_UNPACK>
static __global__ void __launch_bounds__(THREADS) bf16_pack_kernel(sq_cuda_bf16_pack a)
{
    float *const values = a.ranges[blockIdx.y].values;
    sq_bf16 *const row = a.row + a.ranges[blockIdx.y].at;
    const size_t count = a.ranges[blockIdx.y].count;
    for (size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x; i < count; i += (size_t)gridDim.x * THREADS) {
        if (IS_UNPACK)
            values[i] = to_float(row[i]) / a.divisor;
        else
            row[i] = to_bf16(values[i]);
    }
}

template <bool IS_UNPACK> static cudaError_t run(const sq_cuda_bf16_pack *args, cudaStream_t stream)
{
    const sq_cuda_bf16_pack a = *args;
    size_t longest = 1;
    for (int i = 0; i < a.count; i++)
        longest = a.ranges[i].count > longest ? a.ranges[i].count : longest;
    const size_t blocks = (longest + THREADS - 1) / THREADS;
    LAUNCH((bf16_pack_kernel<IS_UNPACK>), dim3((unsigned)(blocks < BLOCKS ? blocks : BLOCKS), (unsigned)a.count), THREADS, 0,
           stream, a);
    return cudaGetLastError();
}

extern "C" cudaError_t sq_cuda_bf16_pack_run(const sq_cuda_bf16_pack *args, cudaStream_t stream)
{
    return run<false>(args, stream);
}

extern "C" cudaError_t sq_cuda_bf16_unpack_run(const sq_cuda_bf16_pack *args, cudaStream_t stream)
{
    return run<true>(args, stream);
}

extern "C" const sq_cuda_instance sq_cuda_bf16_pack_instances[] = {
    SQ_CUDA_INSTANCE(THREADS, 0, 0, bf16_pack_kernel<false>), SQ_CUDA_INSTANCE(THREADS, 0, 0, bf16_pack_kernel<true>),
    SQ_CUDA_INSTANCES_END};
