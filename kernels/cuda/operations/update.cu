/* update.cu - one step of SGD with momentum over a contiguous range of weights, and their moving average:
 *     m = momentum * m + (g + decay * w),  w -= rate * m,  average = d * average + (1 - d) * w
 * The length of the range, and of its part with weight decay, is a multiple of four. */
#include "kernels/cuda/operations/operations.h"
#include "kernels/cuda/instances.h"

#include "kernels/cuda/unit.cuh"

enum { THREADS = 256, MAX_BLOCKS = 4 * 132 }; /* four on each multiprocessor of an H200; a block loops over the rest */

static __device__ __forceinline__ float step_one(float *w, float *m, float g, float decay, const sq_step &step)
{
    *m = fmaf(step.momentum, *m, fmaf(decay, *w, g));
    return *w = fmaf(-step.learning_rate, *m, *w);
}

static __global__ void __launch_bounds__(THREADS) update_kernel(sq_cuda_update a)
{
    const sq_step step = *a.step;
    const size_t quads = a.count / 4, decayed = a.decayed_count / 4;
    for (size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x; i < quads; i += (size_t)gridDim.x * THREADS) {
        float4 w = reinterpret_cast<float4 *>(a.weight)[i], m = reinterpret_cast<float4 *>(a.momentum)[i];
        const float4 g = reinterpret_cast<const float4 *>(a.gradient)[i];
        const float decay = i < decayed ? step.weight_decay : 0.0f;
        (void)step_one(&w.x, &m.x, g.x, decay, step), (void)step_one(&w.y, &m.y, g.y, decay, step);
        (void)step_one(&w.z, &m.z, g.z, decay, step), (void)step_one(&w.w, &m.w, g.w, decay, step);
        reinterpret_cast<float4 *>(a.weight)[i] = w;
        reinterpret_cast<float4 *>(a.momentum)[i] = m;
        if (a.average) {
            const float keep = step.average_decay, take = 1.0f - keep;
            float4 v = reinterpret_cast<float4 *>(a.average)[i];
            v = make_float4(fmaf(keep, v.x, take * w.x), fmaf(keep, v.y, take * w.y), fmaf(keep, v.z, take * w.z),
                            fmaf(keep, v.w, take * w.w));
            reinterpret_cast<float4 *>(a.average)[i] = v;
        }
    }
}

extern "C" cudaError_t sq_cuda_update_run(const sq_cuda_update *args, cudaStream_t stream)
{
    const sq_cuda_update a = *args;
    if (a.count % 4 || a.decayed_count % 4)
        return cudaErrorInvalidValue;
    const size_t blocks = (a.count / 4 + THREADS - 1) / THREADS;
    LAUNCH(update_kernel, (unsigned)(blocks < (size_t)MAX_BLOCKS ? blocks : (size_t)MAX_BLOCKS), THREADS, 0, stream, a);
    return cudaGetLastError();
}

extern "C" const sq_cuda_instance sq_cuda_update_instances[] = {SQ_CUDA_INSTANCE(THREADS, 0, 0, update_kernel),
                                                              SQ_CUDA_INSTANCES_END};
