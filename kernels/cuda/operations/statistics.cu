/* statistics.cu - merges the partial results of a kernel's parts, in the order of their numbers. */
#include "kernels/cuda/convolution/convolution.h"
#include "kernels/cuda/instances.h"

#include "kernels/cuda/unit.cuh"

enum { CHANNELS = 8, STRIPES = 32 }; /* 8 floats are a 32-byte sector */

static __device__ __forceinline__ float *live_row(const sq_cuda_norm &norm, int row)
{
    return norm.live + (size_t)row * (size_t)norm.pitch;
}

static __device__ void set_live(const sq_cuda_norm &norm, int c, float mean, float variance)
{
    const bool exists = c < norm.c;
    const float inverse = exists ? 1.0f / sqrtf(variance + norm.epsilon) : 0.0f;
    const float scale = exists && norm.gamma ? norm.gamma[c] * inverse : inverse;
    live_row(norm, SQ_LIVE_SCALE)[c] = scale;
    live_row(norm, SQ_LIVE_SHIFT)[c] = exists ? (norm.beta ? norm.beta[c] : 0.0f) - mean * scale : 0.0f;
    live_row(norm, SQ_LIVE_MEAN)[c] = exists ? mean : 0.0f;
    live_row(norm, SQ_LIVE_INVERSE)[c] = inverse;
}

/* The number of rows that part p processed: its row blocks are p, p + parts, ...; the last block may be shorter. */
static __device__ __forceinline__ float rows_of_part(int p, int parts, int rows, int row_block)
{
    const int blocks = (rows - 1) / row_block + 1, mine = (blocks - 1 - p) / parts + 1;
    const int past_end = (blocks - 1) % parts == p ? blocks * row_block - rows : 0;
    return (float)(mine * row_block - past_end);
}

/* A block merges 8 channels: the parts of each stripe in order, then the stripes in a tree. */
static __global__ void __launch_bounds__(CHANNELS *STRIPES) merge_moments_kernel(sq_cuda_merge_moments a)
{
    SHARED(Moments, part, [STRIPES][CHANNELS]);
    const int lane = (int)threadIdx.x % CHANNELS, stripe = (int)threadIdx.x / CHANNELS;
    const int c = (int)blockIdx.x * CHANNELS + lane, width = a.norm.pitch, length = (a.parts - 1) / STRIPES + 1;
    Moments total = {0.0f, 0.0f, 0.0f};
    for (int p = stripe * length; p < min((stripe + 1) * length, a.parts); p++) {
        const float *from = a.partial + (size_t)p * (size_t)(a.row_block ? 2 : 3) * (size_t)width + c;
        if (a.row_block)
            total = merge(total, {rows_of_part(p, a.parts, a.rows, a.row_block), from[0], from[width]});
        else
            total = merge(total, {from[0], from[width], from[2 * width]});
    }
    part[stripe][lane] = total;
    for (int half = STRIPES / 2; half > 0; half /= 2) {
        __syncthreads();
        if (stripe < half)
            part[stripe][lane] = merge(part[stripe][lane], part[stripe + half][lane]);
    }
    if (stripe != 0)
        return;
    total = part[0][lane];
    const float count = (float)a.rows, rate = a.step->statistics_rate;
    if (c < a.norm.c) {
        a.norm.running_mean[c] += (total.mean - a.norm.running_mean[c]) * rate;
        a.norm.running_variance[c] += (total.m2 / (count > 1.0f ? count - 1.0f : 1.0f) - a.norm.running_variance[c]) * rate;
    }
    set_live(a.norm, c, total.mean, total.m2 / count);
}

extern "C" cudaError_t sq_cuda_merge_moments_run(const sq_cuda_merge_moments *args, cudaStream_t stream)
{
    const sq_cuda_merge_moments a = *args;
    if (a.parts < 1 || a.norm.pitch < 1 || a.norm.pitch % CHANNELS)
        return cudaErrorInvalidValue;
    LAUNCH(merge_moments_kernel, (unsigned)(a.norm.pitch / CHANNELS), CHANNELS * STRIPES, 0, stream, a);
    return cudaGetLastError();
}

static __global__ void __launch_bounds__(128) fixed_norms_kernel(sq_cuda_fixed_norms a)
{
    const sq_cuda_norm &norm = a.norms[blockIdx.x];
    for (int c = (int)threadIdx.x; c < norm.pitch; c += (int)blockDim.x)
        set_live(norm, c, c < norm.c ? norm.running_mean[c] : 0.0f, c < norm.c ? norm.running_variance[c] : 0.0f);
}

extern "C" cudaError_t sq_cuda_fixed_norms_run(const sq_cuda_fixed_norms *args, cudaStream_t stream)
{
    const sq_cuda_fixed_norms a = *args;
    LAUNCH(fixed_norms_kernel, (unsigned)a.count, 128, 0, stream, a);
    return cudaGetLastError();
}

/* The sums are in FP64: a part adds few values, but there are many parts. */
static __global__ void __launch_bounds__(CHANNELS *STRIPES) merge_sums_kernel(sq_cuda_merge_sums a)
{
    SHARED(double, part, [2][STRIPES][CHANNELS]);
    const int lane = (int)threadIdx.x % CHANNELS, stripe = (int)threadIdx.x / CHANNELS;
    const int c = (int)blockIdx.x * CHANNELS + lane, length = (a.parts - 1) / STRIPES + 1;
    double s1 = 0, s2 = 0;
    for (int p = stripe * length; p < min((stripe + 1) * length, a.parts); p++) {
        const float *from = a.partial + (size_t)p * 2 * (size_t)a.width + c;
        s1 += (double)from[0], s2 += (double)from[a.width];
    }
    part[0][stripe][lane] = s1, part[1][stripe][lane] = s2;
    for (int half = STRIPES / 2; half > 0; half /= 2) {
        __syncthreads();
        if (stripe < half) {
            part[0][stripe][lane] += part[0][stripe + half][lane];
            part[1][stripe][lane] += part[1][stripe + half][lane];
        }
    }
    if (stripe != 0)
        return;
    const size_t pitch = (size_t)a.pitch;
    const bool exists = c < a.c;
    const double scale = (double)a.live[SQ_LIVE_SCALE * pitch + c], inverse = (double)a.live[SQ_LIVE_INVERSE * pitch + c];
    const double mean = (double)a.live[SQ_LIVE_MEAN * pitch + c];
    s1 = part[0][0][lane], s2 = part[1][0][lane] * inverse;
    const double by_z = -scale * inverse * s2 * (double)a.inverse_count;
    a.live[SQ_LIVE_S1 * pitch + c] = exists ? (float)s1 : 0.0f;
    a.live[SQ_LIVE_S2 * pitch + c] = exists ? (float)s2 : 0.0f;
    a.live[SQ_LIVE_BY_Z * pitch + c] = exists ? (float)by_z : 0.0f;
    a.live[SQ_LIVE_CONSTANT * pitch + c] = exists ? (float)(-scale * s1 * (double)a.inverse_count - by_z * mean) : 0.0f;
}

extern "C" cudaError_t sq_cuda_merge_sums_run(const sq_cuda_merge_sums *args, cudaStream_t stream)
{
    const sq_cuda_merge_sums a = *args;
    if (a.parts < 1 || a.pitch % CHANNELS || a.width < a.pitch)
        return cudaErrorInvalidValue;
    LAUNCH(merge_sums_kernel, (unsigned)(a.pitch / CHANNELS), CHANNELS * STRIPES, 0, stream, a);
    return cudaGetLastError();
}

/* ---- Gradients of weights ---- */

enum { ELEMENTS = 32, PART_STRIPES = 16 };

static __device__ __forceinline__ void store_gradient(float *to, float value, const sq_step *step)
{
    *to = step->accumulate ? *to + value : value;
}

static __global__ void __launch_bounds__(ELEMENTS *PART_STRIPES) merge_gradient_kernel(sq_cuda_merge_gradient a)
{
    SHARED(float, part, [PART_STRIPES][ELEMENTS]);
    const int lane = (int)threadIdx.x % ELEMENTS, stripe = (int)threadIdx.x / ELEMENTS;
    const int i = (int)blockIdx.x * ELEMENTS + lane, count = a.c_out * a.c_in * a.taps; /* PyTorch's order */
    const int tap = i % a.taps, input = i / a.taps % a.c_in, output = i / (a.taps * a.c_in);
    const size_t from = a.is_depthwise ? (size_t)tap * (size_t)a.row_pitch + (size_t)output
                                       : (size_t)output * (size_t)a.row_pitch + (size_t)(tap * (a.input_pitch ? a.input_pitch : a.c_in) + input);
    float sum = 0.0f;
    if (i < count)
#pragma unroll 4
        for (int p = stripe; p < a.parts; p += PART_STRIPES)
            sum += __ldg(a.partial + (size_t)p * a.part_count + from);
    part[stripe][lane] = sum;
    __syncthreads();
    if (stripe == 0 && i < count) {
        for (int s = 1; s < PART_STRIPES; s++)
            sum += part[s][lane];
        store_gradient(a.weight_grad + i, sum, a.step);
    }
    if (stripe == 1 && i < a.norm.c && a.norm.gamma_grad) {
        store_gradient(a.norm.gamma_grad + i, live_row(a.norm, SQ_LIVE_S2)[i], a.step);
        store_gradient(a.norm.beta_grad + i, live_row(a.norm, SQ_LIVE_S1)[i], a.step);
    }
}

extern "C" cudaError_t sq_cuda_merge_gradient_run(const sq_cuda_merge_gradient *args, cudaStream_t stream)
{
    const sq_cuda_merge_gradient a = *args;
    const int count = a.c_out * a.c_in * a.taps;
    LAUNCH(merge_gradient_kernel, (unsigned)((count - 1) / ELEMENTS + 1), ELEMENTS * PART_STRIPES, 0, stream, a);
    return cudaGetLastError();
}

/* ---- Instances ---- */

extern "C" const sq_cuda_instance sq_cuda_statistics_instances[] = {
    SQ_CUDA_INSTANCE(CHANNELS * STRIPES, 0, 0, merge_moments_kernel), SQ_CUDA_INSTANCE(128, 0, 0, fixed_norms_kernel),
    SQ_CUDA_INSTANCE(CHANNELS * STRIPES, 0, 0, merge_sums_kernel),
    SQ_CUDA_INSTANCE(ELEMENTS * PART_STRIPES, 0, 0, merge_gradient_kernel), SQ_CUDA_INSTANCES_END};
