/* bf16_pack.cu - what travels between ranks as BF16: ranges of FP32 to one row of BF16, and back. A value at a time: two of
 * three bytes are of whole words, and the bytes are few beside those of a step. */
#include "kernels/cuda/operations/operations.h"
#include "kernels/cuda/instances.h"

#include "kernels/cuda/unit.cuh"

enum { THREADS = 256, BLOCKS = 128 };

template <bool IS_BACK>
static __global__ void __launch_bounds__(THREADS) bf16_pack_kernel(sq_cuda_bf16_pack a)
{
    float *const values = a.ranges[blockIdx.y].values;
    sq_bf16 *const row = a.row + a.ranges[blockIdx.y].at;
    const size_t count = a.ranges[blockIdx.y].count;
    for (size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x; i < count; i += (size_t)gridDim.x * THREADS) {
        if (IS_BACK)
            values[i] = widen(row[i]) / a.divisor;
        else
            row[i] = narrow(values[i]);
    }
}

template <bool IS_BACK> static cudaError_t run(const sq_cuda_bf16_pack *args, cudaStream_t stream)
{
    const sq_cuda_bf16_pack a = *args;
    size_t most = 1;
    for (int i = 0; i < a.count; i++)
        most = a.ranges[i].count > most ? a.ranges[i].count : most;
    const size_t blocks = (most + THREADS - 1) / THREADS;
    LAUNCH((bf16_pack_kernel<IS_BACK>), dim3((unsigned)(blocks < BLOCKS ? blocks : BLOCKS), (unsigned)a.count), THREADS, 0,
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
