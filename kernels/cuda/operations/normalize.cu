/* normalize.cu - separate passes of the vendor engine: moments of a stored Z, dZ from G and Z, and the conversion of a
 * weight gradient from BF16 to FP32. */
#include "kernels/cuda/operations/normalize.h"
#include "kernels/cuda/instances.h"

#include "kernels/cuda/walk.cuh"

enum { CONVERT_THREADS = 256, SUMS = 3 * VECTOR };

/* Sums of differences from the thread's first row: without a common offset the squares lose fewer digits. */
struct Differences {
    float first[VECTOR], s1[VECTOR], s2[VECTOR];
    int count;
};

static __device__ __forceinline__ void add_row(Differences &d, uint4 packed)
{
    float v[VECTOR];
    unpack_eight(v, packed);
#pragma unroll
    for (int j = 0; j < VECTOR; j++) {
        if (d.count == 0)
            d.first[j] = v[j];
        const float difference = v[j] - d.first[j];
        d.s1[j] += difference;
        d.s2[j] = fmaf(difference, difference, d.s2[j]);
    }
    d.count++;
}

static __device__ __forceinline__ Moments moments_of(const Differences &d, int j)
{
    const float count = (float)d.count, mean = d.count ? d.s1[j] / count : 0.0f, m2 = d.s2[j] - d.s1[j] * mean;
    return {count, d.first[j] + mean, m2 < 0.0f ? 0.0f : m2};
}

static __global__ void __launch_bounds__(WALK_THREADS, SQ_CUDA_COLUMN_MOMENTS_BLOCKS)
column_moments_kernel(sq_cuda_column_moments a, Walk walk)
{
    SHARED(float, shared, [WALK_THREADS][SUMS]);
    const int width = walk.vectors * VECTOR;
    const Place place = place_of(walk, a.parts.parts);
    Differences d = {};
    for (int row = place.first; place.vector >= 0 && row < a.rows; row += WALK_AHEAD * place.stride) {
        uint4 z[WALK_AHEAD];
#pragma unroll
        for (int k = 0; k < WALK_AHEAD; k++) {
            const int r = row + k * place.stride;
            z[k] = r < a.rows ? fetch_plain(a.z, (size_t)r, a.pitch, place.vector * VECTOR) : make_uint4(0, 0, 0, 0);
        }
#pragma unroll
        for (int k = 0; k < WALK_AHEAD; k++)
            if (row + k * place.stride < a.rows)
                add_row(d, z[k]);
    }
    for (int j = 0; j < VECTOR; j++) {
        const Moments m = moments_of(d, j);
        shared[threadIdx.x][j] = m.count, shared[threadIdx.x][VECTOR + j] = m.mean, shared[threadIdx.x][2 * VECTOR + j] = m.m2;
    }
    __syncthreads();
    if ((int)threadIdx.x >= walk.columns || place.vector < 0)
        return;
    float *partial = a.parts.partial + (size_t)place.part * 3 * (size_t)width + place.vector * VECTOR;
    for (int j = 0; j < VECTOR; j++) {
        Moments total = {0.0f, 0.0f, 0.0f};
        for (int row = 0; row < walk.step; row++) {
            const float *from = shared[row * walk.columns + (int)threadIdx.x];
            total = merge(total, {from[j], from[VECTOR + j], from[2 * VECTOR + j]});
        }
        partial[j] = total.count, partial[width + j] = total.mean, partial[2 * width + j] = total.m2;
    }
}

extern "C" cudaError_t sq_cuda_column_moments_run(const sq_cuda_column_moments *args, cudaStream_t stream)
{
    const sq_cuda_column_moments a = *args;
    const Walk walk = walk_of(sq_cuda_padded(a.c) / VECTOR);
    LAUNCH(column_moments_kernel, (unsigned)(a.parts.parts * walk.slabs), WALK_THREADS, 0, stream, a, walk);
    return cudaGetLastError();
}

static __global__ void __launch_bounds__(WALK_THREADS, SQ_CUDA_FORM_GRADIENT_BLOCKS)
form_gradient_kernel(sq_cuda_form_gradient a, Walk walk)
{
    const Place place = place_of(walk, a.parts);
    const int i = place.vector * VECTOR;
    for (int row = place.first; place.vector >= 0 && row < a.rows; row += WALK_AHEAD * place.stride) {
        uint4 g[WALK_AHEAD], z[WALK_AHEAD];
#pragma unroll
        for (int k = 0; k < WALK_AHEAD; k++) {
            const int r = row + k * place.stride;
            g[k] = z[k] = make_uint4(0, 0, 0, 0);
            if (r < a.rows) {
                g[k] = fetch_plain(a.dz.g, (size_t)r, a.dz.g_pitch, i);
                z[k] = fetch_plain(a.dz.z, (size_t)r, a.dz.z_pitch, i);
            }
        }
#pragma unroll
        for (int k = 0; k < WALK_AHEAD; k++) {
            const int r = row + k * place.stride;
            float v[VECTOR];
            if (r >= a.rows)
                break;
            form_gradient(v, a.dz, g[k], z[k], i);
            *reinterpret_cast<uint4 *>(a.out + (size_t)r * (size_t)(walk.vectors * VECTOR) + i) = pack_eight(v);
        }
    }
}

extern "C" cudaError_t sq_cuda_form_gradient_run(const sq_cuda_form_gradient *args, cudaStream_t stream)
{
    const sq_cuda_form_gradient a = *args;
    const Walk walk = walk_of(sq_cuda_padded(a.dz.c) / VECTOR);
    LAUNCH(form_gradient_kernel, (unsigned)(a.parts * walk.slabs), WALK_THREADS, 0, stream, a, walk);
    return cudaGetLastError();
}

static __global__ void __launch_bounds__(CONVERT_THREADS) convert_kernel(sq_cuda_convert a)
{
    const int i = (int)(blockIdx.x * CONVERT_THREADS + threadIdx.x);
    if (i < a.count)
        a.to[i] = to_float(a.from[i]);
}

extern "C" cudaError_t sq_cuda_convert_run(const sq_cuda_convert *args, cudaStream_t stream)
{
    const sq_cuda_convert a = *args;
    LAUNCH(convert_kernel, (unsigned)((a.count - 1) / CONVERT_THREADS + 1), CONVERT_THREADS, 0, stream, a);
    return cudaGetLastError();
}

extern "C" const sq_cuda_instance sq_cuda_normalize_instances[] = {
    SQ_CUDA_INSTANCE(WALK_THREADS, 0, SQ_CUDA_COLUMN_MOMENTS_BLOCKS, column_moments_kernel),
    SQ_CUDA_INSTANCE(WALK_THREADS, 0, SQ_CUDA_FORM_GRADIENT_BLOCKS, form_gradient_kernel),
    SQ_CUDA_INSTANCE(CONVERT_THREADS, 0, 0, convert_kernel), SQ_CUDA_INSTANCES_END};
