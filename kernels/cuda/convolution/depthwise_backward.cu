/* depthwise_backward.cu - both gradients of a depthwise convolution in one pass: G, Z and x are read once, the gradient of x
 * is written with its producer's sums, the taps' gradients stay in registers until the part ends.
 *
 * For a pixel of x and a tap there is at most one pixel of dZ: hz = (h + pad - y) / stride. Both gradients are sums over
 * these triples, so both walk the same strips: first every half warp takes a strip and all taps (gradient of x), then
 * one row of taps and all strips (gradient of the taps): k accumulators at a time, whatever k is. */
#include "kernels/cuda/convolution/convolution.h"
#include "kernels/cuda/instances.h"

#include "kernels/cuda/convolution/depthwise.cuh"

/* AHEAD: loads that a thread issues before it uses the first. ROUNDS: added to a row that may be negative, as a multiple of the
 * ring, before the remainder is taken. */
enum { AHEAD = 2, ROUNDS = 4 };

/* The strip of dZ words that a strip of x meets: word j of it lies at pixel ws / S - pad / S + j of the row. */
template <int K, int S, int STRIP> struct Reach {
    enum { PAD = K / 2, BEFORE = PAD / S, COUNT = (STRIP - 1 + PAD) / S + BEFORE + 1 };
    static __device__ __forceinline__ constexpr int tap(int p, int j) { return p + PAD - S * (j - BEFORE); }
};

struct Tiles { /* in dynamic shared memory */
    uint4 *ring;      /* dZ: [tiling.ring][tiling.columns][SLAB_VECTORS] */
    uint4 *raw, *value; /* x as stored, and as its view shows it: [tiling.rows][tiling.tile_w][SLAB_VECTORS] */
};

/* Rows first_row to last_row - 1 of dZ into the ring; zeros outside the image. */
template <int S>
static __device__ __forceinline__ void load_gradients(const Tiles &tiles, const sq_cuda_depthwise_backward &u, const Tiling &tiling,
                                                      int n, int w0, int first_row, int last_row, int c0)
{
    const int vector = (int)threadIdx.x % SLAB_VECTORS, channel = c0 + vector * VECTOR, pad = u.at.kernel / 2;
    const int pixels = (last_row - first_row) * tiling.columns;
    for (int first = (int)threadIdx.x / SLAB_VECTORS; first < pixels; first += AHEAD * THREADS / SLAB_VECTORS) {
        uint4 g[AHEAD], z[AHEAD];
        unsigned inside = 0;
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
            const int p = first + i * (THREADS / SLAB_VECTORS), row = quotient(p, tiling.by_columns, tiling.columns);
            const int h = first_row + row, w = w0 / S - pad / S + p - row * tiling.columns;
            const bool is_inside =
                p < pixels && channel < padded(u.c) && h >= 0 && h < u.at.h_out && w >= 0 && w < u.at.w_out;
            const size_t pixel = ((size_t)n * u.at.h_out + h) * u.at.w_out + w;
            inside |= (unsigned)is_inside << i;
            g[i] = is_inside ? fetch_eight(u.dz.g, pixel, u.dz.g_pitch, 1, 0, channel) : make_uint4(0, 0, 0, 0);
            z[i] = is_inside ? fetch_eight(u.dz.z, pixel, u.dz.z_pitch, 1, 0, channel) : make_uint4(0, 0, 0, 0);
        }
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
            const int p = first + i * (THREADS / SLAB_VECTORS), row = quotient(p, tiling.by_columns, tiling.columns);
            if (p >= pixels)
                break;
            if (inside >> i & 1) {
                float v[VECTOR];
                form_gradient(v, u.dz, g[i], z[i], channel);
                g[i] = pack_eight(v);
            }
            const int slot = (first_row + row + tiling.ring * ROUNDS) % tiling.ring;
            tiles.ring[(slot * tiling.columns + p - row * tiling.columns) * SLAB_VECTORS + vector] = g[i];
        }
    }
}

/* x of the step's rows, as stored and as its view shows it; zeros outside the image. */
static __device__ __forceinline__ void load_inputs(const Tiles &tiles, const sq_cuda_depthwise_backward &u, const Tiling &tiling,
                                                   int n, int w0, int h0, int c0)
{
    const int vector = (int)threadIdx.x % SLAB_VECTORS, channel = c0 + vector * VECTOR, pixels = tiling.rows * tiling.tile_w;
    for (int first = (int)threadIdx.x / SLAB_VECTORS; first < pixels; first += AHEAD * THREADS / SLAB_VECTORS) {
        uint4 raw[AHEAD];
        unsigned inside = 0;
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
            const int p = first + i * (THREADS / SLAB_VECTORS), row = quotient(p, tiling.by_tile, tiling.tile_w);
            const int h = h0 + row, w = w0 + p - row * tiling.tile_w;
            const bool is_inside = p < pixels && channel < padded(u.c) && h < u.at.h_in && w < u.at.w_in;
            inside |= (unsigned)is_inside << i;
            raw[i] = is_inside ? fetch_view(u.x, ((size_t)n * u.at.h_in + h) * u.at.w_in + w, channel)
                               : make_uint4(0, 0, 0, 0);
        }
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
            const int p = first + i * (THREADS / SLAB_VECTORS);
            if (p >= pixels)
                break;
            tiles.raw[p * SLAB_VECTORS + vector] = raw[i];
            if (inside >> i & 1) {
                float v[VECTOR];
                unpack_eight(v, raw[i]);
                show_eight(v, u.x, n, channel);
                raw[i] = pack_eight(v);
            }
            tiles.value[p * SLAB_VECTORS + vector] = raw[i];
        }
    }
}

/* acc += taps times dZ over all rows of dZ that row h of x meets. */
template <int K, int S, int STRIP>
static __device__ __forceinline__ void gather_strip(float (*acc)[2], const unsigned *ring, const float2 (*taps)[WORDS],
                                                    const Tiling &tiling, int h, int h_out, int strip, int word)
{
    typedef Reach<K, S, STRIP> R;
#pragma unroll 1
    for (int y = (h + R::PAD) % S; y < K; y += S) {
        const int hz = (h + R::PAD - y) / S;
        if (h + R::PAD < y || hz >= h_out)
            continue;
        float2 tap[K];
#pragma unroll
        for (int v = 0; v < K; v++)
            tap[v] = taps[y * K + v][word];
        const unsigned *from = ring + ((hz + tiling.ring * ROUNDS) % tiling.ring * tiling.columns + strip / S) * WORDS + word;
#pragma unroll
        for (int j = 0; j < R::COUNT; j++) {
            const float2 d = unpack(from[j * WORDS]);
#pragma unroll
            for (int p = 0; p < STRIP; p++) {
                const int v = R::tap(p, j);
                if (v >= 0 && v < K) {
                    acc[p][0] = fmaf(d.x, tap[v].x, acc[p][0]);
                    acc[p][1] = fmaf(d.y, tap[v].y, acc[p][1]);
                }
            }
        }
    }
}

/* One row y of taps, one strip of row h of x. */
template <int K, int S, int STRIP>
static __device__ __forceinline__ void gather_taps(float (*grad)[2], const Tiles &tiles, const Tiling &tiling, int hz, int row,
                                                   int strip, int word)
{
    typedef Reach<K, S, STRIP> R;
    const unsigned *x = reinterpret_cast<const unsigned *>(tiles.value) + (row * tiling.tile_w + strip) * WORDS + word;
    const unsigned *from = reinterpret_cast<const unsigned *>(tiles.ring) +
                           ((hz + tiling.ring * ROUNDS) % tiling.ring * tiling.columns + strip / S) * WORDS + word;
    float2 value[STRIP];
#pragma unroll
    for (int p = 0; p < STRIP; p++)
        value[p] = unpack(x[p * WORDS]);
#pragma unroll
    for (int j = 0; j < R::COUNT; j++) {
        const float2 d = unpack(from[j * WORDS]);
#pragma unroll
        for (int p = 0; p < STRIP; p++) {
            const int v = R::tap(p, j);
            if (v >= 0 && v < K) {
                grad[v][0] = fmaf(d.x, value[p].x, grad[v][0]);
                grad[v][1] = fmaf(d.y, value[p].y, grad[v][1]);
            }
        }
    }
}

struct Norm { float2 scale, shift, mean; }; /* of x, for this thread's two channels */

/* Stores a strip of the gradient of x; adds its sums. */
template <int STRIP>
static __device__ __forceinline__ void store_strip(float sums[4], const sq_cuda_sink &sink, const Norm &norm,
                                                   const float (*acc)[2], const unsigned *raw, size_t pixel, int pixels, int c)
{
#pragma unroll
    for (int p = 0; p < STRIP; p++) {
        if (p >= pixels)
            break;
        sq_bf16 *to = sink.data + (pixel + (size_t)p) * (size_t)sink.pitch + (size_t)(sink.first + c * sink.step);
        float2 g = make_float2(acc[p][0], acc[p][1]);
        if (sink.addend) {
            const sq_bf16 *add = sink.addend + (to - sink.data);
            g.x += widen(add[0]), g.y += c + 1 < sink.c ? widen(add[sink.step]) : 0.0f;
        }
        const unsigned rounded = pack(g.x, g.y);
        if (sink.step == 1) {
            *reinterpret_cast<unsigned *>(to) = rounded;
        } else {
            if (c < sink.c)
                to[0] = (sq_bf16)rounded;
            if (c + 1 < sink.c)
                to[2] = (sq_bf16)(rounded >> 16);
        }
        if (sink.z.scale) {
            g = unpack(rounded);
            const float2 z = unpack(raw[p * WORDS]);
            g.x = through_any(sink.z.activation, g.x, fmaf(norm.scale.x, z.x, norm.shift.x));
            g.y = through_any(sink.z.activation, g.y, fmaf(norm.scale.y, z.y, norm.shift.y));
            sums[0] += g.x, sums[1] += g.y;
            sums[2] = fmaf(g.x, z.x - norm.mean.x, sums[2]);
            sums[3] = fmaf(g.y, z.y - norm.mean.y, sums[3]);
        }
    }
}

template <int K>
static __device__ __forceinline__ void leave(const sq_cuda_depthwise_backward &u, const float (*grad)[2], const float sums[4],
                                             float *shared, int part, int c0)
{
    enum { GROUPS = HALF_WARPS / K };
    const int word = (int)threadIdx.x % WORDS, half_warp = (int)threadIdx.x / WORDS, width = padded(u.c);
    const int y = half_warp % K, group = half_warp / K;
    if (group < GROUPS)
#pragma unroll
        for (int v = 0; v < K; v++)
            *reinterpret_cast<float2 *>(shared + ((group * K + y) * K + v) * SLAB + 2 * word) =
                make_float2(grad[v][0], grad[v][1]);
    __syncthreads();
    float *partial = u.parts.partial + (size_t)part * (K * K) * (size_t)width;
    for (int i = (int)threadIdx.x; i < K * K * SLAB; i += THREADS)
        if (c0 + i % SLAB < width) {
            float total = 0.0f;
            for (int g = 0; g < GROUPS; g++)
                total += shared[g * K * K * SLAB + i];
            partial[(size_t)(i / SLAB) * (size_t)width + c0 + i % SLAB] = total;
        }
    if (!u.sink.data || !u.sink.z.scale)
        return; /* the same for all threads of the grid */
    __syncthreads();
    *reinterpret_cast<float2 *>(shared + half_warp * 2 * SLAB + 2 * word) = make_float2(sums[0], sums[1]);
    *reinterpret_cast<float2 *>(shared + half_warp * 2 * SLAB + SLAB + 2 * word) = make_float2(sums[2], sums[3]);
    __syncthreads();
    const int i = (int)threadIdx.x;
    if (i < 2 * SLAB && c0 + i % SLAB < width) {
        float total = 0.0f;
        for (int t = 0; t < HALF_WARPS; t++)
            total += shared[t * 2 * SLAB + i];
        u.sums[((size_t)part * 2 + (size_t)(i / SLAB)) * (size_t)width + c0 + i % SLAB] = total;
    }
}

template <int K, int S, int STRIP>
static __global__ void __launch_bounds__(THREADS, SQ_CUDA_DEPTHWISE_BACKWARD_BLOCKS)
depthwise_backward_kernel(sq_cuda_depthwise_backward u, Tiling tiling, int slabs)
{
    typedef Reach<K, S, STRIP> R;
    enum { GROUPS = HALF_WARPS / K };
    DYNAMIC_SHARED(uint4, dynamic);
    SHARED(float2, taps, [K * K][WORDS]);
    const Tiles tiles = {dynamic, dynamic + tiling.ring * tiling.columns * SLAB_VECTORS,
                         dynamic + (tiling.ring * tiling.columns + tiling.rows * tiling.tile_w) * SLAB_VECTORS};
    const int c0 = (int)blockIdx.x % slabs * SLAB, part = (int)blockIdx.x / slabs;
    const int word = (int)threadIdx.x % WORDS, half_warp = (int)threadIdx.x / WORDS, c = c0 + 2 * word;
    const bool has_channel = c < padded(u.c);
    float grad[K][2] = {}, sums[4] = {};
    Norm norm = {};
    if (u.sink.data && u.sink.z.scale && has_channel)
        norm = {*reinterpret_cast<const float2 *>(u.sink.z.scale + c), *reinterpret_cast<const float2 *>(u.sink.z.shift + c),
                *reinterpret_cast<const float2 *>(u.sink.z.mean + c)};
    load_taps<K>(taps, u.weight, c0, u.c);
    for (int job = part; job < tiling.jobs; job += u.parts.parts) {
        const int n = job / tiling.tiles_w, w0 = job % tiling.tiles_w * tiling.tile_w;
        int loaded = -(K - 1 - R::PAD) / S; /* first row of dZ that row 0 of x meets */
        for (int h0 = 0; h0 < u.at.h_in; h0 += tiling.rows) {
            const int wanted = (h0 + tiling.rows - 1 + R::PAD) / S + 1;
            load_gradients<S>(tiles, u, tiling, n, w0, loaded, wanted, c0);
            load_inputs(tiles, u, tiling, n, w0, h0, c0);
            loaded = wanted;
            __syncthreads();
            const int made = half_warp / tiling.strips, strip = half_warp % tiling.strips * STRIP;
            if (u.sink.data && made < tiling.rows && h0 + made < u.at.h_in && w0 + strip < u.at.w_in && has_channel) {
                float acc[STRIP][2] = {};
                gather_strip<K, S, STRIP>(acc, reinterpret_cast<const unsigned *>(tiles.ring), taps, tiling, h0 + made,
                                          u.at.h_out, strip, word);
                store_strip<STRIP>(sums, u.sink, norm, acc,
                                   reinterpret_cast<const unsigned *>(tiles.raw) + (made * tiling.tile_w + strip) * WORDS + word,
                                   ((size_t)n * u.at.h_in + h0 + made) * u.at.w_in + w0 + strip,
                                   min(STRIP, u.at.w_in - w0 - strip), c);
            }
            if (half_warp < GROUPS * K)
                for (int i = half_warp / K; i < tiling.rows * tiling.strips; i += GROUPS) {
                    const int y = half_warp % K, row = i / tiling.strips, reach = h0 + row + R::PAD - y;
                    if (h0 + row < u.at.h_in && reach >= 0 && reach % S == 0 && reach / S < u.at.h_out)
                        gather_taps<K, S, STRIP>(grad, tiles, tiling, reach / S, row, i % tiling.strips * STRIP, word);
                }
            __syncthreads();
        }
    }
    leave<K>(u, grad, sums, reinterpret_cast<float *>(dynamic), part, c0);
}

template <int K, int S, int STRIP> static cudaError_t launch(const sq_cuda_depthwise_backward &args, cudaStream_t stream)
{
    const sq_cuda_depthwise_backward u = args;
    const Tiling tiling = tiling_of(&u.at, true);
    const int slabs = (u.c - 1) / SLAB + 1, groups = HALF_WARPS / K;
    const size_t tile = (size_t)tiling.shared_bytes;
    const size_t left = (size_t)(groups * K * K > 2 * HALF_WARPS ? groups * K * K : 2 * HALF_WARPS) * SLAB * sizeof(float);
    LAUNCH((depthwise_backward_kernel<K, S, STRIP>), (unsigned)(u.parts.parts * slabs), THREADS, tile > left ? tile : left,
           stream, u, tiling, slabs);
    return cudaGetLastError();
}

extern "C" cudaError_t sq_cuda_depthwise_backward_run(const sq_cuda_depthwise_backward *a, cudaStream_t stream)
{
    if (a->c < 1 || a->parts.parts < 1 || a->parts.parts > sq_cuda_depthwise_jobs(&a->at, true))
        return cudaErrorInvalidValue;
    const bool is_seven = strip_of(a->at.w_in, a->at.stride, true) == 7;
#define CASE(K)                                                                                                        \
    case 10 * K + 1: return is_seven ? launch<K, 1, 7>(*a, stream) : launch<K, 1, 8>(*a, stream);                      \
    case 10 * K + 2: return launch<K, 2, 8>(*a, stream)
    switch (10 * a->at.kernel + a->at.stride) {
        CASE(3);
        CASE(5);
        CASE(7);
    default: return cudaErrorInvalidValue;
    }
#undef CASE
}

#define BACK(K, S, STRIP)                                                                                              \
    SQ_CUDA_INSTANCE(THREADS, MOST_SHARED, SQ_CUDA_DEPTHWISE_BACKWARD_BLOCKS, depthwise_backward_kernel<K, S, STRIP>)
extern "C" const sq_cuda_instance sq_cuda_depthwise_backward_instances[] = {
    BACK(3, 1, 7), BACK(3, 1, 8), BACK(3, 2, 8), BACK(5, 1, 7), BACK(5, 1, 8),
    BACK(5, 2, 8), BACK(7, 1, 7), BACK(7, 1, 8), BACK(7, 2, 8), SQ_CUDA_INSTANCES_END};
