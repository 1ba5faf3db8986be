/* operand.cuh - operands of the matrix products. A thread holds several rows of one column of eight channels in
 * registers, between its loads and the tile in shared memory. Constants are loaded by channel pair, so that few are
 * live at a time. Device code only. */
#ifndef SQ_OPERAND_CUH
#define SQ_OPERAND_CUH

#include "kernels/cuda/unit.cuh"

static __device__ __forceinline__ unsigned &word_of(uint4 &packed, int v)
{
    return reinterpret_cast<unsigned *>(&packed)[v];
}

static __device__ __forceinline__ float2 pair_of(const float *constants, int k, int v)
{
    return __ldg(reinterpret_cast<const float2 *>(constants + k) + v);
}

template <int LOADS, int ACTIVATION>
static __device__ __forceinline__ void normalize_rows(uint4 (&a)[LOADS], const sq_cuda_view &x, int k)
{
#pragma unroll
    for (int v = 0; v < VECTOR / 2; v++) {
        const float2 scale = pair_of(x.scale, k, v), shift = pair_of(x.shift, k, v);
#pragma unroll
        for (int i = 0; i < LOADS; i++) {
            const float2 z = unpack(word_of(a[i], v));
            word_of(a[i], v) = pack(activate<ACTIVATION>(fmaf(scale.x, z.x, shift.x)),
                                    activate<ACTIVATION>(fmaf(scale.y, z.y, shift.y)));
        }
        /* As in form_gradients: delays the loads of the next pair's constants until these results are computed. */
        asm volatile("" : "+r"(k), "+r"(word_of(a[0], v)), "+r"(word_of(a[LOADS - 1], v)));
    }
}

/* a: channels k .. of rows first, first + STEP, ...; raw values in, values of the view out. Rows from `rows` on are
 * arbitrary. */
template <int LOADS, int STEP>
static __device__ __forceinline__ void apply_view_rows(uint4 (&a)[LOADS], const sq_cuda_view &x, int first, int rows, int k)
{
    if (x.scale)
        WITH_ACTIVATION(x.activation, A, normalize_rows<LOADS, A>(a, x, k));
    if (!x.gate)
        return;
#pragma unroll
    for (int i = 0; i < LOADS; i++) {
        const int row = min(first + i * STEP, rows - 1);
        float v[VECTOR], gate[VECTOR];
        unpack_eight(v, a[i]);
        load_eight(gate, x.gate + (size_t)(row / x.pixels) * (size_t)x.gate_pitch + k);
#pragma unroll
        for (int j = 0; j < VECTOR; j++)
            v[j] *= gate[j];
        a[i] = pack_eight(v);
    }
}

/* g: channels k ..; G in, dZ out. */
template <int LOADS, int ACTIVATION>
static __device__ __forceinline__ void form_gradients(uint4 (&g)[LOADS], uint4 (&z)[LOADS], const sq_cuda_gradient &d, int k)
{
#pragma unroll
    for (int v = 0; v < VECTOR / 2; v++) {
        const float2 scale = pair_of(d.scale, k, v), shift = pair_of(d.shift, k, v);
        const float2 by_z = pair_of(d.by_z, k, v), constant = pair_of(d.constant, k, v);
#pragma unroll
        for (int i = 0; i < LOADS; i++) {
            const float2 dy = unpack(word_of(g[i], v)), raw = unpack(word_of(z[i], v));
            const float low = activation_gradient<ACTIVATION>(dy.x, fmaf(scale.x, raw.x, shift.x));
            const float high = activation_gradient<ACTIVATION>(dy.y, fmaf(scale.y, raw.y, shift.y));
            word_of(g[i], v) = pack(fmaf(scale.x, low, fmaf(by_z.x, raw.x, constant.x)),
                                    fmaf(scale.y, high, fmaf(by_z.y, raw.y, constant.y)));
        }
        /* Makes the address of the next pair's constants depend on these results: loaded early, the constants would
         * spill. */
        asm volatile("" : "+r"(k), "+r"(word_of(g[0], v)), "+r"(word_of(g[1], v)), "+r"(word_of(g[LOADS - 2], v)), "+r"(word_of(g[LOADS - 1], v)));
    }
}

/* Depth k .. k + 7 of output pixel `row` of a dense convolution (im2col): channels are innermost, then taps. */
static __device__ uint4 gather_value(const sq_cuda_view &x, const sq_cuda_geometry &at, int row, int k)
{
    const int wo = row % at.w_out, ho = row / at.w_out % at.h_out, n = row / (at.w_out * at.h_out);
    const int depth = x.c * at.kernel * at.kernel;
    float v[VECTOR];
    for (int j = 0; j < VECTOR; j++) {
        const int tap = (k + j) / x.c, channel = (k + j) % x.c;
        const int h = ho * at.stride + tap / at.kernel - at.kernel / 2, w = wo * at.stride + tap % at.kernel - at.kernel / 2;
        const bool is_inside = k + j < depth && h >= 0 && h < at.h_in && w >= 0 && w < at.w_in;
        v[j] = is_inside ? view_value(x, ((size_t)n * at.h_in + h) * at.w_in + w, channel) : 0.0f;
    }
    return pack_eight(v);
}

/* Depth k .. k + 7 of input pixel `row`: padded channels of dZ at an output pixel that reads it. */
static __device__ uint4 gather_gradient(const sq_cuda_gradient &dz, const sq_cuda_geometry &at, int row, int k)
{
    const int width = padded(dz.c), tap = k / width, channel = k % width;
    const int w = row % at.w_in, h = row / at.w_in % at.h_in, n = row / (at.w_in * at.h_in);
    const int hs = h + at.kernel / 2 - tap / at.kernel, ws = w + at.kernel / 2 - tap % at.kernel;
    if (hs < 0 || ws < 0 || hs % at.stride || ws % at.stride || hs / at.stride >= at.h_out || ws / at.stride >= at.w_out)
        return make_uint4(0, 0, 0, 0);
    const size_t pixel = ((size_t)n * at.h_out + hs / at.stride) * at.w_out + ws / at.stride;
    float v[VECTOR];
    form_gradient(v, dz, fetch_plain(dz.g, pixel, dz.g_pitch, channel),
                  fetch_plain(dz.z, pixel, dz.z_pitch, channel), channel);
    return pack_eight(v);
}

/* S1 and S2 / inverse of four channels, over the rows that a thread stores. Eight channels would need too many
 * registers. */
struct Sums { float s1[4], s2[4]; };

/* Some kernels keep a thread's sums in shared memory between row blocks, to free registers. saved: the thread's first
 * float; its eight floats are THREADS apart. */
template <int THREADS> static __device__ __forceinline__ void save_sums(float *saved, const Sums &sums)
{
#pragma unroll
    for (int j = 0; j < 4; j++)
        saved[j * THREADS] = sums.s1[j], saved[(4 + j) * THREADS] = sums.s2[j];
}

template <int THREADS> static __device__ __forceinline__ void restore_sums(Sums &sums, const float *saved)
{
#pragma unroll
    for (int j = 0; j < 4; j++)
        sums.s1[j] = saved[j * THREADS], sums.s2[j] = saved[(4 + j) * THREADS];
}

/* A block of output rows, rounded to BF16 and staged in shared memory: row r is row m0 + r of the output. */
struct StagedRows {
    const unsigned *words; /* two channels each */
    int stride;            /* words from one row to the next */
    int m0, rows;
};

/* The thread's four channels, and its rows first, first + step, ... of the block. */
struct StagedColumn { int channel, word, first, step; };

/* Stores the thread's part of the staged gradient, and adds it to the sums. The constants are loaded once; the
 * registers of the products are free by now. A sink with sums has step 1 and no addend. */
template <int ACTIVATION>
static __device__ __forceinline__ void store_with_sums(Sums &own, const sq_cuda_sink &sink, const StagedRows &staged,
                                                       const StagedColumn &at)
{
    const int channel = at.channel;
    const float4 scale = __ldg(reinterpret_cast<const float4 *>(sink.z.scale + channel));
    const float4 shift = __ldg(reinterpret_cast<const float4 *>(sink.z.shift + channel));
    const float4 mean = __ldg(reinterpret_cast<const float4 *>(sink.z.mean + channel));
#pragma unroll 1
    for (int row = at.first; row < staged.rows; row += at.step) {
        const size_t pixel = (size_t)(staged.m0 + row);
        const uint2 raw = __ldg(reinterpret_cast<const uint2 *>(sink.z.data + pixel * (size_t)sink.z.pitch + channel));
        const uint2 packed = *reinterpret_cast<const uint2 *>(staged.words + row * staged.stride + at.word);
        *reinterpret_cast<uint2 *>(sink.data + pixel * (size_t)sink.pitch + channel) = packed;
        const float2 z0 = unpack(raw.x), z1 = unpack(raw.y), g0 = unpack(packed.x), g1 = unpack(packed.y);
        const float d0 = activation_gradient<ACTIVATION>(g0.x, fmaf(scale.x, z0.x, shift.x));
        const float d1 = activation_gradient<ACTIVATION>(g0.y, fmaf(scale.y, z0.y, shift.y));
        const float d2 = activation_gradient<ACTIVATION>(g1.x, fmaf(scale.z, z1.x, shift.z));
        const float d3 = activation_gradient<ACTIVATION>(g1.y, fmaf(scale.w, z1.y, shift.w));
        own.s1[0] += d0, own.s1[1] += d1, own.s1[2] += d2, own.s1[3] += d3;
        own.s2[0] = fmaf(d0, z0.x - mean.x, own.s2[0]);
        own.s2[1] = fmaf(d1, z0.y - mean.y, own.s2[1]);
        own.s2[2] = fmaf(d2, z1.x - mean.z, own.s2[2]);
        own.s2[3] = fmaf(d3, z1.y - mean.w, own.s2[3]);
    }
}

/* Merges the sums of a block of THREADS threads, N channels wide, in the order of the threads, and writes them to
 * partial (2, width) from channel n0 on. */
template <int THREADS, int N>
static __device__ __forceinline__ void write_sums(float *partial, int width, const Sums &own, float *shared, int n0)
{
    enum { QUADS = N / 4, STRIPES = THREADS / QUADS };
    const int stripe = (int)threadIdx.x / QUADS;
    float *mine = shared + stripe * 2 * N + (int)threadIdx.x % QUADS * 4;
    if (stripe < STRIPES) /* the last threads may have no stripe */
#pragma unroll
        for (int j = 0; j < 4; j++)
            mine[j] = own.s1[j], mine[N + j] = own.s2[j];
    __syncthreads();
    for (int i = (int)threadIdx.x; i < 2 * N; i += THREADS)
        if (n0 + i % N < width) {
            float total = 0.0f;
            for (int t = 0; t < STRIPES; t++)
                total += shared[t * 2 * N + i];
            partial[i / N * width + n0 + i % N] = total;
        }
}

#endif
