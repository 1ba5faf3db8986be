/* normalize.cu - the passes that the vendor engine makes on their own: moments of a stored Z, dZ from G and Z, and a
 * gradient of weights widened to FP32. */
#include "kernels/cuda/operations/normalize.h"
#include "kernels/cuda/instances.h"

#include "kernels/cuda/walk.cuh"

enum { WIDEN_THREADS = 256, SUMS = 3 * VECTOR };

/* Sums are taken of differences from the thread's first row: squares of what the mean leaves, not of the mean. */
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
column_moments_kernel(sq_cuda_column_moments a, Walk walk, int vectors)
{
    SHARED(float, shared, [WALK_THREADS][SUMS]);
    const int part = (int)blockIdx.x / walk.slabs, width = vectors * VECTOR;
    const Place place = place_of(walk, vectors, part, a.parts.parts);
    Differences d = {};
    for (int row = place.first; place.vector >= 0 && row < a.rows; row += WALK_AHEAD * place.stride) {
        uint4 z[WALK_AHEAD];
#pragma unroll
        for (int k = 0; k < WALK_AHEAD; k++) {
            const int r = row + k * place.stride;
            z[k] = r < a.rows ? fetch_eight(a.z, (size_t)r, a.pitch, 1, 0, place.vector * VECTOR) : make_uint4(0, 0, 0, 0);
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
    float *partial = a.parts.partial + (size_t)part * 3 * (size_t)width + place.vector * VECTOR;
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
    const int vectors = sq_cuda_padded(a.c) / VECTOR;
    const Walk walk = walk_of(vectors);
    LAUNCH(column_moments_kernel, (unsigned)(a.parts.parts * walk.slabs), WALK_THREADS, 0, stream, a, walk, vectors);
    return cudaGetLastError();
}

static __global__ void __launch_bounds__(WALK_THREADS, SQ_CUDA_FORM_GRADIENT_BLOCKS)
form_gradient_kernel(sq_cuda_form_gradient a, Walk walk, int vectors)
{
    const Place place = place_of(walk, vectors, (int)blockIdx.x / walk.slabs, a.parts);
    const int i = place.vector * VECTOR;
    for (int row = place.first; place.vector >= 0 && row < a.rows; row += WALK_AHEAD * place.stride) {
        uint4 g[WALK_AHEAD], z[WALK_AHEAD];
#pragma unroll
        for (int k = 0; k < WALK_AHEAD; k++) {
            const int r = row + k * place.stride;
            g[k] = z[k] = make_uint4(0, 0, 0, 0);
            if (r < a.rows) {
                g[k] = fetch_eight(a.dz.g, (size_t)r, a.dz.g_pitch, 1, 0, i);
                z[k] = fetch_eight(a.dz.z, (size_t)r, a.dz.z_pitch, 1, 0, i);
            }
        }
#pragma unroll
        for (int k = 0; k < WALK_AHEAD; k++) {
            const int r = row + k * place.stride;
            float v[VECTOR];
            if (r >= a.rows)
                break;
            form_gradient(v, a.dz, g[k], z[k], i);
            *reinterpret_cast<uint4 *>(a.out + (size_t)r * (size_t)(vectors * VECTOR) + i) = pack_eight(v);
        }
    }
}

extern "C" cudaError_t sq_cuda_form_gradient_run(const sq_cuda_form_gradient *args, cudaStream_t stream)
{
    const sq_cuda_form_gradient a = *args;
    const int vectors = sq_cuda_padded(a.dz.c) / VECTOR;
    const Walk walk = walk_of(vectors);
    LAUNCH(form_gradient_kernel, (unsigned)(a.parts * walk.slabs), WALK_THREADS, 0, stream, a, walk, vectors);
    return cudaGetLastError();
}

static __global__ void __launch_bounds__(WIDEN_THREADS) convert_kernel(sq_cuda_convert a)
{
    const int i = (int)(blockIdx.x * WIDEN_THREADS + threadIdx.x);
    if (i < a.count)
        a.to[i] = widen(a.from[i]);
}

extern "C" cudaError_t sq_cuda_convert_run(const sq_cuda_convert *args, cudaStream_t stream)
{
    const sq_cuda_convert a = *args;
    LAUNCH(convert_kernel, (unsigned)((a.count - 1) / WIDEN_THREADS + 1), WIDEN_THREADS, 0, stream, a);
    return cudaGetLastError();
}

extern "C" const sq_cuda_instance sq_cuda_normalize_instances[] = {
    SQ_CUDA_INSTANCE(WALK_THREADS, 0, SQ_CUDA_COLUMN_MOMENTS_BLOCKS, column_moments_kernel),
    SQ_CUDA_INSTANCE(WALK_THREADS, 0, SQ_CUDA_FORM_GRADIENT_BLOCKS, form_gradient_kernel),
    SQ_CUDA_INSTANCE(WIDEN_THREADS, 0, 0, convert_kernel), SQ_CUDA_INSTANCES_END};
