/* unit.cuh - loads and stores of all kernels: eight channels per 16-byte access. A raw tensor is read through its
 * pending normalization; a gradient is computed from G and Z. Device code only. */
#ifndef SQ_UNIT_CUH
#define SQ_UNIT_CUH

#include "kernels/cuda/launch.cuh"

#include "kernels/cuda/operands.h"

#include <assert.h>

enum { VECTOR = SQ_CUDA_VECTOR };

/* Runs the statement with the constant `name` set to the activation: one branch for many elements. The do-while is
 * needed: nvcc 13.0 drops the statement after an unbraced `if constexpr` whose body ends in a bare `switch`
 * (tests/emulation/toolchain). */
#define WITH_ACTIVATION(value, name, ...)                                                                              \
    do {                                                                                                               \
        switch (value) {                                                                                               \
        case SQ_RELU: { enum { name = SQ_RELU }; __VA_ARGS__; } break;                                                 \
        case SQ_RELU6: { enum { name = SQ_RELU6 }; __VA_ARGS__; } break;                                               \
        case SQ_HSWISH: { enum { name = SQ_HSWISH }; __VA_ARGS__; } break;                                             \
        default: assert((value) == SQ_LINEAR); { enum { name = SQ_LINEAR }; __VA_ARGS__; } break;                      \
        }                                                                                                              \
    } while (0)

static __device__ __forceinline__ int padded(int c)
{
    return (c + VECTOR - 1) / VECTOR * VECTOR;
}

static __device__ __forceinline__ unsigned pack(float low, float high)
{
    const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
    return *reinterpret_cast<const unsigned *>(&pair);
}

static __device__ __forceinline__ float2 unpack(unsigned word)
{
    return make_float2(__uint_as_float(word << 16), __uint_as_float(word & 0xffff0000u));
}

static __device__ __forceinline__ float to_float(sq_bf16 value)
{
    return __uint_as_float((unsigned)value << 16);
}

static __device__ __forceinline__ sq_bf16 to_bf16(float value)
{
    return __bfloat16_as_ushort(__float2bfloat16_rn(value));
}

static __device__ __forceinline__ void unpack_eight(float v[VECTOR], uint4 packed)
{
    const float2 a = unpack(packed.x), b = unpack(packed.y), c = unpack(packed.z), d = unpack(packed.w);
    v[0] = a.x, v[1] = a.y, v[2] = b.x, v[3] = b.y, v[4] = c.x, v[5] = c.y, v[6] = d.x, v[7] = d.y;
}

static __device__ __forceinline__ uint4 pack_eight(const float v[VECTOR])
{
    return make_uint4(pack(v[0], v[1]), pack(v[2], v[3]), pack(v[4], v[5]), pack(v[6], v[7]));
}

static __device__ __forceinline__ void load_eight(float v[VECTOR], const float *from) /* 16-byte aligned */
{
    const float4 a = __ldg(reinterpret_cast<const float4 *>(from)), b = __ldg(reinterpret_cast<const float4 *>(from) + 1);
    v[0] = a.x, v[1] = a.y, v[2] = a.z, v[3] = a.w, v[4] = b.x, v[5] = b.y, v[6] = b.z, v[7] = b.w;
}

/* Uses comparisons: fmaxf would turn NaN into 0 and hide a diverging run. */
template <int ACTIVATION> static __device__ __forceinline__ float activate(float x)
{
    if (ACTIVATION == SQ_RELU)
        return x < 0.0f ? 0.0f : x;
    if (ACTIVATION == SQ_RELU6)
        return x < 0.0f ? 0.0f : x > 6.0f ? 6.0f : x;
    if (ACTIVATION == SQ_HSWISH)
        return x * (x < -3.0f ? 0.0f : x > 3.0f ? 6.0f : x + 3.0f) * (1.0f / 6.0f);
    return x;
}

/* g times the derivative at pre-activation x. At a kink the derivative is the one from below (kernels/graph.h). */
template <int ACTIVATION> static __device__ __forceinline__ float activation_gradient(float g, float x)
{
    if (ACTIVATION == SQ_RELU)
        return x > 0.0f ? g : 0.0f;
    if (ACTIVATION == SQ_RELU6)
        return x > 0.0f && x < 6.0f ? g : 0.0f;
    if (ACTIVATION == SQ_HSWISH)
        return x <= -3.0f ? 0.0f : x >= 3.0f ? g : g * (2.0f * x + 3.0f) * (1.0f / 6.0f);
    return g;
}

static __device__ __forceinline__ float activate_any(int activation, float x)
{
    if (activation == SQ_SIGMOID)
        return 1.0f / (1.0f + __expf(-x));
    if (activation == SQ_HSIGMOID)
        return (x < -3.0f ? 0.0f : x > 3.0f ? 6.0f : x + 3.0f) * (1.0f / 6.0f);
    WITH_ACTIVATION(activation, A, return activate<A>(x));
    return x;
}

static __device__ __forceinline__ float activation_gradient_any(int activation, float g, float x)
{
    if (activation == SQ_SIGMOID) {
        const float y = 1.0f / (1.0f + __expf(-x));
        return g * y * (1.0f - y);
    }
    if (activation == SQ_HSIGMOID)
        return x > -3.0f && x < 3.0f ? g * (1.0f / 6.0f) : 0.0f;
    WITH_ACTIVATION(activation, A, return activation_gradient<A>(g, x));
    return g;
}

/* ---- Eight channels of one pixel ---- */

/* __ldg (ld.global.nc) requires memory that the launch does not write; PTX leaves its result undefined otherwise.
 * MAY_BE_WRITTEN: the kernel may store there, so this is an ordinary load. */
template <bool MAY_BE_WRITTEN> static __device__ __forceinline__ uint4 load_sixteen(const uint4 *at)
{
    return MAY_BE_WRITTEN ? *at : __ldg(at);
}

/* Channels i .. i + 7 of a pixel in which all channels are neighbors. */
static __device__ __forceinline__ uint4 fetch_plain(const sq_bf16 *data, size_t pixel, int pitch, int i)
{
    return __ldg(reinterpret_cast<const uint4 *>(data + pixel * (size_t)pitch + i));
}

struct Channels { int pitch, step, first; }; /* as in sq_cuda_view */

/* Channels i .. i + 7 of a pixel, as stored. With step 2 they are selected from 32 bytes. */
template <bool MAY_BE_WRITTEN = false>
static __device__ __forceinline__ uint4 fetch_eight(const sq_bf16 *data, size_t pixel, Channels layout, int i)
{
    const uint4 *at = reinterpret_cast<const uint4 *>(data + pixel * (size_t)layout.pitch +
                                                      (layout.step == 1 ? layout.first + i : 2 * i));
    const uint4 a = load_sixteen<MAY_BE_WRITTEN>(at);
    if (layout.step == 1)
        return a;
    const unsigned half = layout.first ? 0x7632u : 0x5410u;
    const uint4 b = load_sixteen<MAY_BE_WRITTEN>(at + 1);
    return make_uint4(__byte_perm(a.x, a.y, half), __byte_perm(a.z, a.w, half), __byte_perm(b.x, b.y, half),
                      __byte_perm(b.z, b.w, half));
}

static __device__ __forceinline__ uint4 fetch_view(const sq_cuda_view &v, size_t pixel, int i)
{
    return fetch_eight(v.data, pixel, {v.pitch, v.step, v.first}, i);
}

/* v: channels i .. of image n; raw values in, values of the view out. */
static __device__ __forceinline__ void apply_view(float v[VECTOR], const sq_cuda_view &view, int n, int i)
{
    if (view.scale) {
        float scale[VECTOR], shift[VECTOR];
        load_eight(scale, view.scale + i);
        load_eight(shift, view.shift + i);
        WITH_ACTIVATION(view.activation, A,
                        for (int j = 0; j < VECTOR; j++) v[j] = activate<A>(fmaf(scale[j], v[j], shift[j])));
    }
    if (view.gate) {
        float gate[VECTOR];
        load_eight(gate, view.gate + (size_t)n * (size_t)view.gate_pitch + i);
#pragma unroll
        for (int j = 0; j < VECTOR; j++)
            v[j] *= gate[j];
    }
}

/* The view's value of one channel of one pixel. */
static __device__ __forceinline__ float view_value(const sq_cuda_view &view, size_t pixel, int i)
{
    float v = to_float(view.data[pixel * (size_t)view.pitch + (size_t)(view.first + i * view.step)]);
    if (view.scale)
        v = activate_any(view.activation, fmaf(view.scale[i], v, view.shift[i]));
    if (view.gate)
        v *= view.gate[pixel / (unsigned)view.pixels * (unsigned)view.gate_pitch + i];
    return v;
}

/* v = dZ of channels i .., from G and Z. */
static __device__ __forceinline__ void form_gradient(float v[VECTOR], const sq_cuda_gradient &d, uint4 g, uint4 z, int i)
{
    float dy[VECTOR], raw[VECTOR], a[VECTOR], b[VECTOR];
    unpack_eight(dy, g);
    unpack_eight(raw, z);
    load_eight(a, d.scale + i);
    load_eight(b, d.shift + i);
    WITH_ACTIVATION(d.activation, A,
                    for (int j = 0; j < VECTOR; j++) dy[j] = activation_gradient<A>(dy[j], fmaf(a[j], raw[j], b[j])));
    load_eight(b, d.by_z + i);
#pragma unroll
    for (int j = 0; j < VECTOR; j++)
        v[j] = fmaf(a[j], dy[j], b[j] * raw[j]);
    load_eight(b, d.constant + i);
#pragma unroll
    for (int j = 0; j < VECTOR; j++)
        v[j] += b[j];
}

struct ChannelSums { float s1[VECTOR], s2[VECTOR]; }; /* S1 and S2 / inverse of eight channels */

/* Adds one pixel: g is the stored gradient of the view's value, z are the raw values. */
static __device__ __forceinline__ void add_sums(ChannelSums &sums, const sq_cuda_view &view, uint4 g, uint4 z, int i)
{
    float dy[VECTOR], raw[VECTOR], a[VECTOR], b[VECTOR];
    unpack_eight(dy, g);
    unpack_eight(raw, z);
    load_eight(a, view.scale + i);
    load_eight(b, view.shift + i);
    WITH_ACTIVATION(view.activation, A,
                    for (int j = 0; j < VECTOR; j++) dy[j] = activation_gradient<A>(dy[j], fmaf(a[j], raw[j], b[j])));
    load_eight(a, view.mean + i);
#pragma unroll
    for (int j = 0; j < VECTOR; j++) {
        sums.s1[j] += dy[j];
        sums.s2[j] = fmaf(dy[j], raw[j] - a[j], sums.s2[j]);
    }
}

/* Stores the gradient of channels i .. of a pixel plus the addend, and returns the stored values. */
static __device__ __forceinline__ uint4 store_sink(const sq_cuda_sink &sink, size_t pixel, int i, uint4 packed)
{
    if (sink.addend) {
        float v[VECTOR], w[VECTOR];
        unpack_eight(v, packed);
        unpack_eight(w, fetch_eight<true>(sink.addend, pixel, {sink.pitch, sink.step, sink.first}, i));
#pragma unroll
        for (int j = 0; j < VECTOR; j++)
            v[j] += w[j];
        packed = pack_eight(v);
    }
    sq_bf16 *to = sink.data + pixel * (size_t)sink.pitch + (size_t)(sink.first + i * sink.step);
    if (sink.step == 1) {
        *reinterpret_cast<uint4 *>(to) = packed;
        return packed;
    }
    const unsigned words[4] = {packed.x, packed.y, packed.z, packed.w};
#pragma unroll
    for (int j = 0; j < VECTOR; j++) /* another launch writes the channels between them */
        if (i + j < sink.c)
            to[2 * j] = (sq_bf16)(words[j / 2] >> 16 * (j % 2));
    return packed;
}

/* ---- Moments ---- */

struct Moments { float count, mean, m2; }; /* m2: sum of squared deviations from the mean */

/* Chan, Golub, LeVeque 1979, eq. 2.1. Either may be empty. */
static __device__ __forceinline__ Moments merge(Moments a, Moments b)
{
    if (b.count == 0.0f)
        return a;
    const float count = a.count + b.count, share = b.count / count, delta = b.mean - a.mean;
    return {count, fmaf(delta, share, a.mean), a.m2 + b.m2 + delta * delta * a.count * share};
}

#endif
