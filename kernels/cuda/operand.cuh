/* operand.cuh - operands of the matrix products: several rows of one column of eight channels, as a thread holds them
 * between its loads and the tile. Constants are taken by channel pair, so that few are live at a time. Device code only. */
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
static __device__ __forceinline__ void normalise_rows(uint4 (&a)[LOADS], const sq_cuda_view &x, int k)
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
    }
}

/* Raw channels k .. of rows first, first + STEP, ... to what the view shows. Rows beyond the last may hold anything. */
template <int LOADS, int STEP>
static __device__ __forceinline__ void show_rows(uint4 (&a)[LOADS], const sq_cuda_view &x, int first, int rows, int k)
{
    if (x.scale)
        WITH_ACTIVATION(x.activation, A, normalise_rows<LOADS, A>(a, x, k))
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

/* g: channels k .. of G in, of dZ out. */
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
            const float low = through<ACTIVATION>(dy.x, fmaf(scale.x, raw.x, shift.x));
            const float high = through<ACTIVATION>(dy.y, fmaf(scale.y, raw.y, shift.y));
            word_of(g[i], v) = pack(fmaf(scale.x, low, fmaf(by_z.x, raw.x, constant.x)),
                                    fmaf(scale.y, high, fmaf(by_z.y, raw.y, constant.y)));
        }
        /* The next pair's constants must not be loaded early, or they spill: their address waits for these results. */
        asm volatile("" : "+r"(k), "+r"(word_of(g[0], v)), "+r"(word_of(g[1], v)), "+r"(word_of(g[LOADS - 2], v)), "+r"(word_of(g[LOADS - 1], v)));
    }
}

/* Depth k .. k + 7 of output pixel `row` of a dense convolution: channels are innermost, then taps. */
static __device__ uint4 gather_value(const sq_cuda_view &x, const sq_cuda_geometry &at, int row, int k)
{
    const int wo = row % at.w_out, ho = row / at.w_out % at.h_out, n = row / (at.w_out * at.h_out);
    const int depth = x.c * at.kernel * at.kernel;
    float v[VECTOR];
    for (int j = 0; j < VECTOR; j++) {
        const int tap = (k + j) / x.c, channel = (k + j) % x.c;
        const int h = ho * at.stride + tap / at.kernel - at.kernel / 2, w = wo * at.stride + tap % at.kernel - at.kernel / 2;
        const bool is_there = k + j < depth && h >= 0 && h < at.h_in && w >= 0 && w < at.w_in;
        v[j] = is_there ? show_one(x, ((size_t)n * at.h_in + h) * at.w_in + w, channel) : 0.0f;
    }
    return pack_eight(v);
}

#endif
