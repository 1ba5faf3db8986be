/* pool.cu - means over the pixels of an image: squeeze-and-excitation, the pooling before the classifier, and their
 * gradients. */
#include "kernels/cuda/operations/operations.h"
#include "kernels/cuda/instances.h"

#include "kernels/base/rng.h"
#include "kernels/cuda/walk.cuh"

/* ---- Dropout ---- */

/* Philox 4x32-10 (Salmon et al. 2011), as in kernels/base/rng.c: word index % 4 of counter index / 4. */
static __device__ __forceinline__ unsigned philox_word(unsigned long long seed, unsigned long long step, unsigned index)
{
    unsigned c[4] = {index / 4, (unsigned)step, (unsigned)(step >> 32), SQ_RNG_DROPOUT};
    unsigned k0 = (unsigned)seed, k1 = (unsigned)(seed >> 32);
    for (int round = 0; round < 10; round++, k0 += 0x9e3779b9u, k1 += 0xbb67ae85u) {
        const unsigned high0 = __umulhi(0xd2511f53u, c[0]), low0 = 0xd2511f53u * c[0];
        const unsigned high1 = __umulhi(0xcd9e8d57u, c[2]), low1 = 0xcd9e8d57u * c[2];
        c[0] = high1 ^ c[1] ^ k0, c[1] = low1, c[2] = high0 ^ c[3] ^ k1, c[3] = low0;
    }
    const unsigned low = index & 1 ? c[1] : c[0], high = index & 1 ? c[3] : c[2]; /* selects: an indexed array would be in local memory */
    return index & 2 ? high : low;
}

static __device__ __forceinline__ float dropout_scale(const sq_step *step, unsigned index, float rate)
{
    if (!(rate > 0.0f))
        return 1.0f;
    return (double)philox_word(step->seed, step->step, index) / 4294967296.0 >= (double)rate ? 1.0f / (1.0f - rate) : 0.0f;
}

/* ---- Sums over pixels ---- */

enum { POOL_COLUMNS = 8, POOL_ROWS = WALK_THREADS / POOL_COLUMNS };

/* A block processes 64 channels of one image. */
static __global__ void __launch_bounds__(WALK_THREADS, 3) pool_kernel(sq_cuda_pool a, int slabs)
{
    SHARED(float, shared, [POOL_ROWS][POOL_COLUMNS * VECTOR]);
    const int n = (int)blockIdx.x / slabs, column = (int)threadIdx.x % POOL_COLUMNS, first = (int)threadIdx.x / POOL_COLUMNS;
    const int i = ((int)blockIdx.x % slabs * POOL_COLUMNS + column) * VECTOR;
    const size_t image = (size_t)n * (size_t)a.x.pixels;
    float sum[VECTOR] = {};
    if (i < padded(a.x.c))
#pragma unroll 4
        for (int p = first; p < a.x.pixels; p += POOL_ROWS) {
            float v[VECTOR], w[VECTOR];
            unpack_eight(v, fetch_view(a.x, image + (size_t)p, i));
            apply_view(v, a.x, n, i);
            if (a.factor)
                unpack_eight(w, fetch_plain(a.factor, image + (size_t)p, a.factor_pitch, i));
#pragma unroll
            for (int j = 0; j < VECTOR; j++)
                sum[j] = a.factor ? fmaf(v[j], w[j], sum[j]) : sum[j] + v[j];
        }
#pragma unroll
    for (int j = 0; j < VECTOR; j++)
        shared[first][column * VECTOR + j] = sum[j];
    __syncthreads();
    const int own = (int)threadIdx.x, c = (int)blockIdx.x % slabs * POOL_COLUMNS * VECTOR + own;
    if (own < POOL_COLUMNS * VECTOR && c < a.out_pitch) {
        float total = 0.0f;
        for (int r = 0; r < POOL_ROWS; r++)
            total += shared[r][own];
        const float scale = c < a.x.c ? dropout_scale(a.step, (unsigned)((a.step->first_image + n) * a.x.c + c), a.dropout) : 0.0f;
        a.out[(size_t)n * (size_t)a.out_pitch + c] = scale == 0.0f ? 0.0f : total * a.scale * scale;
    }
}

extern "C" cudaError_t sq_cuda_pool_run(const sq_cuda_pool *args, cudaStream_t stream)
{
    const sq_cuda_pool a = *args;
    const int slabs = (sq_cuda_padded(a.x.c) / VECTOR - 1) / POOL_COLUMNS + 1;
    LAUNCH(pool_kernel, (unsigned)(a.n * slabs), WALK_THREADS, 0, stream, a, slabs);
    return cudaGetLastError();
}

/* ---- The gate ---- */

enum { GATE_THREADS = 256, GATE_WARPS = GATE_THREADS / 32 };

/* The gate of channel i before its activation: b2 + w2 hidden. `hidden` is in shared memory. */
static __device__ __forceinline__ float preactivation(const sq_cuda_gate &a, const float *hidden, int i)
{
    float sum = a.bias2[i];
    for (int j = 0; j < a.hidden_count; j++)
        sum = fmaf(__ldg(a.weight2 + (size_t)i * (size_t)a.hidden_count + j), hidden[j], sum);
    return sum;
}

/* A block processes one image. */
static __global__ void __launch_bounds__(GATE_THREADS) gate_kernel(sq_cuda_gate a)
{
    DYNAMIC_SHARED(float, hidden);
    const int n = (int)blockIdx.x, warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
    const float *pooled = a.pooled + (size_t)n * (size_t)a.pooled_pitch;
    for (int j = warp; j < a.hidden_count; j += GATE_WARPS) {
        float sum = 0.0f;
        for (int i = lane; i < a.c; i += 32)
            sum = fmaf(__ldg(a.weight + (size_t)j * (size_t)a.c + i), pooled[i], sum);
        for (int offset = 16; offset > 0; offset /= 2)
            sum += __shfl_xor_sync(0xffffffffu, sum, offset);
        if (lane == 0)
            hidden[j] = activate<SQ_RELU>(sum + a.bias[j]);
    }
    __syncthreads();
    for (int j = (int)threadIdx.x; j < a.hidden_pitch; j += GATE_THREADS)
        a.hidden[(size_t)n * (size_t)a.hidden_pitch + j] = j < a.hidden_count ? hidden[j] : 0.0f;
    for (int i = (int)threadIdx.x; i < a.gate_pitch; i += GATE_THREADS)
        a.gate[(size_t)n * (size_t)a.gate_pitch + i] = i < a.c ? activate_any(a.activation, preactivation(a, hidden, i)) : 0.0f;
}

extern "C" cudaError_t sq_cuda_gate_run(const sq_cuda_gate *args, cudaStream_t stream)
{
    const sq_cuda_gate a = *args;
    LAUNCH(gate_kernel, (unsigned)a.n, GATE_THREADS, (size_t)a.hidden_count * sizeof(float), stream, a);
    return cudaGetLastError();
}

/* A block processes one image. */
static __global__ void __launch_bounds__(GATE_THREADS) gate_backward_kernel(sq_cuda_gate_backward a)
{
    DYNAMIC_SHARED(float, hidden); /* hidden_count values, then hidden_count and c gradients */
    const sq_cuda_gate &gate = a.gate;
    float *const dh = hidden + gate.hidden_count, *const dg = dh + gate.hidden_count;
    const int n = (int)blockIdx.x, warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
    float *const dg_out = a.dg + (size_t)n * (size_t)a.c_pitch, *const dh_out = a.dh + (size_t)n * (size_t)a.r_pitch;
    for (int j = (int)threadIdx.x; j < gate.hidden_count; j += GATE_THREADS)
        hidden[j] = gate.hidden[(size_t)n * (size_t)gate.hidden_pitch + j];
    __syncthreads();
    for (int i = (int)threadIdx.x; i < gate.c; i += GATE_THREADS)
        dg_out[i] = dg[i] = activation_gradient_any(gate.activation, dg_out[i], preactivation(gate, hidden, i));
    __syncthreads();
    for (int j = warp; j < gate.hidden_count; j += GATE_WARPS) {
        float sum = 0.0f;
        for (int i = lane; i < gate.c; i += 32)
            sum = fmaf(dg[i], __ldg(gate.weight2 + (size_t)i * (size_t)gate.hidden_count + j), sum);
        for (int offset = 16; offset > 0; offset /= 2)
            sum += __shfl_xor_sync(0xffffffffu, sum, offset);
        if (lane == 0)
            dh_out[j] = dh[j] = hidden[j] > 0.0f ? sum : 0.0f;
    }
    __syncthreads();
    for (int i = (int)threadIdx.x; i < a.c_pitch; i += GATE_THREADS) {
        float sum = 0.0f;
        for (int j = 0; i < gate.c && j < gate.hidden_count; j++)
            sum = fmaf(dh[j], __ldg(gate.weight + (size_t)j * (size_t)gate.c + i), sum);
        a.dpooled[(size_t)n * (size_t)a.c_pitch + i] = sum;
    }
}

extern "C" cudaError_t sq_cuda_gate_backward_run(const sq_cuda_gate_backward *args, cudaStream_t stream)
{
    const sq_cuda_gate_backward a = *args;
    const size_t shared = (size_t)(2 * a.gate.hidden_count + a.gate.c) * sizeof(float);
    LAUNCH(gate_backward_kernel, (unsigned)a.gate.n, GATE_THREADS, shared, stream, a);
    return cudaGetLastError();
}

/* ---- The gradient of the pixels ---- */

static __global__ void __launch_bounds__(WALK_THREADS, SQ_CUDA_POOL_BACKWARD_BLOCKS)
pool_backward_kernel(sq_cuda_pool_backward a, Walk walk)
{
    SHARED(float, shared, [WALK_THREADS][2 * VECTOR]);
    const Place place = place_of(walk, a.parts.parts);
    const int i = place.vector * VECTOR;
    ChannelSums sums = {};
    for (int row = place.first; place.vector >= 0 && row < a.rows; row += place.stride) {
        const int n = row / a.pixels;
        const size_t at = (size_t)n * (size_t)a.image_pitch + (size_t)i;
        float v[VECTOR], own[VECTOR], factor[VECTOR] = {};
        unpack_eight(v, a.grad ? fetch_eight<true>(a.grad, (size_t)row, {a.grad_pitch, 1, 0}, i) : make_uint4(0, 0, 0, 0));
        if (a.factor)
            load_eight(factor, a.factor + (size_t)n * (size_t)a.factor_pitch + (size_t)i);
#pragma unroll
        for (int j = 0; j < VECTOR; j++) {
            own[j] = i + j < a.c ? a.per_image[at + (size_t)j] * a.scale : 0.0f;
            if (a.dropout > 0.0f && i + j < a.c)
                own[j] *= dropout_scale(a.step, (unsigned)((a.step->first_image + n) * a.c + i + j), a.dropout);
            v[j] = fmaf(v[j], factor[j], own[j]);
        }
        const uint4 stored = store_sink(a.sink, (size_t)row, i, pack_eight(v));
        if (a.sink.z.scale)
            add_sums(sums, a.sink.z, stored, fetch_view(a.sink.z, (size_t)row, i), i);
    }
    if (a.sink.z.scale)
        write_walk_sums(a.parts.partial, walk, place, sums, shared);
}

extern "C" cudaError_t sq_cuda_pool_backward_run(const sq_cuda_pool_backward *args, cudaStream_t stream)
{
    const sq_cuda_pool_backward a = *args;
    const Walk walk = walk_of(sq_cuda_padded(a.c) / VECTOR);
    LAUNCH(pool_backward_kernel, (unsigned)(a.parts.parts * walk.slabs), WALK_THREADS, 0, stream, a, walk);
    return cudaGetLastError();
}

/* ---- Instances ---- */

/* The gate's kernels keep one image's channels in shared memory. */
extern "C" const sq_cuda_instance sq_cuda_pool_instances[] = {
    SQ_CUDA_INSTANCE(WALK_THREADS, 0, 0, pool_kernel), SQ_CUDA_INSTANCE(GATE_THREADS, 0, 0, gate_kernel),
    SQ_CUDA_INSTANCE(GATE_THREADS, 0, 0, gate_backward_kernel),
    SQ_CUDA_INSTANCE(WALK_THREADS, 0, SQ_CUDA_POOL_BACKWARD_BLOCKS, pool_backward_kernel), SQ_CUDA_INSTANCES_END};
