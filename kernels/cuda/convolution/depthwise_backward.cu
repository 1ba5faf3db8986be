/* depthwise_backward.cu - both gradients of a depthwise convolution in one pass. G, Z and x are read once; the
 * gradient of x is stored with its producer's sums; the gradients of the taps stay in registers to the end of the
 * part.
 *
 * For a pixel of x and a tap there is at most one pixel of dZ: hz = (h + pad - y) / stride. Both gradients are sums
 * over these triples, so both use the same strips. First, each half warp processes one strip and all taps (gradient of
 * x). Then it processes one row of taps and all strips (gradient of the taps), with k accumulators. */
#include "kernels/cuda/convolution/convolution.h"
#include "kernels/cuda/instances.h"

#include "kernels/cuda/convolution/depthwise.cuh"

/* AHEAD: loads that a thread issues before it uses the first. ROUNDS: multiples of the ring that are added to a row,
 * which may be negative, before the remainder is computed. */
enum { AHEAD = 2, ROUNDS = 4 };

/* The strip of dZ words that a strip of x reads: its word j is at pixel ws / S - pad / S + j of the row. */
template <int K, int S, int STRIP> struct Reach {
    enum { PAD = K / 2, BEFORE = PAD / S, COUNT = (STRIP - 1 + PAD) / S + BEFORE + 1 };
    static __device__ __forceinline__ constexpr int tap(int p, int j) { return p + PAD - S * (j - BEFORE); }
};

struct Tiles { /* in shared memory */
    uint4 *ring;           /* dZ: [tiling.ring][tiling.columns][SLAB_VECTORS] */
    uint4 *raw;            /* x as stored: [tiling.rows][tiling.tile_w][SLAB_VECTORS] */
    uint4 *value;          /* the view of x, likewise */
    float2 (*taps)[WORDS]; /* [K * K] */
};

static __device__ __forceinline__ Tiles tiles_of(uint4 *dynamic, float2 (*taps)[WORDS], const Tiling &tiling)
{
    const int ring = tiling.ring * tiling.columns, tile = tiling.rows * tiling.tile_w; /* pixels */
    return {dynamic, dynamic + ring * SLAB_VECTORS, dynamic + (ring + tile) * SLAB_VECTORS, taps};
}

/* The first word of row hz of dZ that the strip reads. */
template <int S>
static __device__ __forceinline__ const unsigned *gradient_words(const Tiles &tiles, const Tiling &tiling, int hz, int strip,
                                                                 int word)
{
    const int slot = (hz + tiling.ring * ROUNDS) % tiling.ring;
    return reinterpret_cast<const unsigned *>(tiles.ring) + (slot * tiling.columns + strip / S) * WORDS + word;
}

/* ---- Load ---- */

/* Loads rows of dZ into the ring; zeros outside the image. */
template <int S>
static __device__ __forceinline__ void load_gradients(uint4 *ring, const sq_cuda_depthwise_backward &u, const Tiling &tiling,
                                                      const Job &job, Rows rows)
{
    const int vector = (int)threadIdx.x % SLAB_VECTORS, channel = job.c0 + vector * VECTOR, pad = u.at.kernel / 2;
    const int pixels = (rows.end - rows.begin) * tiling.columns;
    for (int first = (int)threadIdx.x / SLAB_VECTORS; first < pixels; first += AHEAD * THREADS / SLAB_VECTORS) {
        uint4 g[AHEAD], z[AHEAD];
        unsigned inside = 0;
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
            const int p = first + i * (THREADS / SLAB_VECTORS), row = quotient(p, tiling.by_columns, tiling.columns);
            const int h = rows.begin + row, w = job.w0 / S - pad / S + p - row * tiling.columns;
            const bool is_inside =
                p < pixels && channel < padded(u.c) && h >= 0 && h < u.at.h_out && w >= 0 && w < u.at.w_out;
            const size_t pixel = ((size_t)job.n * u.at.h_out + h) * u.at.w_out + w;
            inside |= (unsigned)is_inside << i;
            g[i] = is_inside ? fetch_plain(u.dz.g, pixel, u.dz.g_pitch, channel) : make_uint4(0, 0, 0, 0);
            z[i] = is_inside ? fetch_plain(u.dz.z, pixel, u.dz.z_pitch, channel) : make_uint4(0, 0, 0, 0);
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
            const int slot = (rows.begin + row + tiling.ring * ROUNDS) % tiling.ring;
            ring[(slot * tiling.columns + p - row * tiling.columns) * SLAB_VECTORS + vector] = g[i];
        }
    }
}

/* Loads the step's rows of x, from row h0 on, into both tiles; zeros outside the image. */
static __device__ __forceinline__ void load_inputs(const Tiles &tiles, const sq_cuda_depthwise_backward &u, const Tiling &tiling,
                                                   const Job &job, int h0)
{
    const int vector = (int)threadIdx.x % SLAB_VECTORS, channel = job.c0 + vector * VECTOR, pixels = tiling.rows * tiling.tile_w;
    for (int first = (int)threadIdx.x / SLAB_VECTORS; first < pixels; first += AHEAD * THREADS / SLAB_VECTORS) {
        uint4 raw[AHEAD];
        unsigned inside = 0;
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
            const int p = first + i * (THREADS / SLAB_VECTORS), row = quotient(p, tiling.by_tile, tiling.tile_w);
            const int h = h0 + row, w = job.w0 + p - row * tiling.tile_w;
            const bool is_inside = p < pixels && channel < padded(u.c) && h < u.at.h_in && w < u.at.w_in;
            inside |= (unsigned)is_inside << i;
            raw[i] = is_inside ? fetch_view(u.x, ((size_t)job.n * u.at.h_in + h) * u.at.w_in + w, channel)
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
                apply_view(v, u.x, job.n, channel);
                raw[i] = pack_eight(v);
            }
            tiles.value[p * SLAB_VECTORS + vector] = raw[i];
        }
    }
}

/* ---- The gradient of x ---- */

/* A thread's strip: row and first pixel in the tile, row in the image, and the thread's channel pair. */
struct Strip { int row, pixel, h, word; };

/* acc += taps times dZ, over all rows of dZ that the strip's row of x reads. */
template <int K, int S, int STRIP>
static __device__ __forceinline__ void gather_strip(float (*acc)[2], const Tiles &tiles, const Tiling &tiling, const Strip &at,
                                                    int h_out)
{
    typedef Reach<K, S, STRIP> R;
#pragma unroll 1
    for (int y = (at.h + R::PAD) % S; y < K; y += S) {
        const int hz = (at.h + R::PAD - y) / S;
        if (at.h + R::PAD < y || hz >= h_out)
            continue;
        float2 tap[K];
#pragma unroll
        for (int v = 0; v < K; v++)
            tap[v] = tiles.taps[y * K + v][at.word];
        const unsigned *from = gradient_words<S>(tiles, tiling, hz, at.pixel, at.word);
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

struct Norm { float2 scale, shift, mean; }; /* of x, for the thread's two channels */

struct PairSums { float2 s1, s2; }; /* S1 and S2 / inverse of the thread's two channels */

/* The strip in the gradient of x: its first pixel, its length, the first of the thread's two channels, and the raw
 * values of x. The kernel makes it after gather_strip: before it, it would need more registers. */
struct StripOfX { size_t pixel; int pixels, c; const unsigned *raw; };

/* Stores a strip of the gradient of x, and adds it to the sums. */
template <int STRIP>
static __device__ __forceinline__ void store_strip(PairSums &sums, const sq_cuda_sink &sink, const Norm &norm,
                                                   const float (*acc)[2], const StripOfX &at)
{
#pragma unroll
    for (int p = 0; p < STRIP; p++) {
        if (p >= at.pixels)
            break;
        sq_bf16 *to = sink.data + (at.pixel + (size_t)p) * (size_t)sink.pitch + (size_t)(sink.first + at.c * sink.step);
        float2 g = make_float2(acc[p][0], acc[p][1]);
        if (sink.addend) {
            const sq_bf16 *add = sink.addend + (to - sink.data);
            g.x += to_float(add[0]), g.y += at.c + 1 < sink.c ? to_float(add[sink.step]) : 0.0f;
        }
        const unsigned rounded = pack(g.x, g.y);
        if (sink.step == 1) {
            *reinterpret_cast<unsigned *>(to) = rounded;
        } else {
            if (at.c < sink.c)
                to[0] = (sq_bf16)rounded;
            if (at.c + 1 < sink.c)
                to[2] = (sq_bf16)(rounded >> 16);
        }
        if (sink.z.scale) {
            g = unpack(rounded);
            const float2 z = unpack(at.raw[p * WORDS]);
            g.x = activation_gradient_any(sink.z.activation, g.x, fmaf(norm.scale.x, z.x, norm.shift.x));
            g.y = activation_gradient_any(sink.z.activation, g.y, fmaf(norm.scale.y, z.y, norm.shift.y));
            sums.s1.x += g.x, sums.s1.y += g.y;
            sums.s2.x = fmaf(g.x, z.x - norm.mean.x, sums.s2.x);
            sums.s2.y = fmaf(g.y, z.y - norm.mean.y, sums.s2.y);
        }
    }
}

/* ---- The gradients of the taps ---- */

/* grad += row hz of dZ times the strip's values of x, for one row of taps. */
template <int K, int S, int STRIP>
static __device__ __forceinline__ void gather_taps(float (*grad)[2], const Tiles &tiles, const Tiling &tiling, const Strip &at,
                                                   int hz)
{
    typedef Reach<K, S, STRIP> R;
    const unsigned *x = reinterpret_cast<const unsigned *>(tiles.value) + (at.row * tiling.tile_w + at.pixel) * WORDS + at.word;
    const unsigned *from = gradient_words<S>(tiles, tiling, hz, at.pixel, at.word);
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

/* Merges the threads' gradients of the taps in their order and writes them to partial (K * K, width). */
template <int K>
static __device__ __forceinline__ void write_taps(float *partial, const float (*grad)[2], float *shared, int c0, int width)
{
    enum { GROUPS = HALF_WARPS / K };
    const int word = (int)threadIdx.x % WORDS, half_warp = (int)threadIdx.x / WORDS;
    const int y = half_warp % K, group = half_warp / K;
    if (group < GROUPS)
#pragma unroll
        for (int v = 0; v < K; v++)
            *reinterpret_cast<float2 *>(shared + ((group * K + y) * K + v) * SLAB + 2 * word) =
                make_float2(grad[v][0], grad[v][1]);
    __syncthreads();
    for (int i = (int)threadIdx.x; i < K * K * SLAB; i += THREADS)
        if (c0 + i % SLAB < width) {
            float total = 0.0f;
            for (int g = 0; g < GROUPS; g++)
                total += shared[g * K * K * SLAB + i];
            partial[(size_t)(i / SLAB) * (size_t)width + c0 + i % SLAB] = total;
        }
}

/* Merges the threads' sums in their order and writes them to out (2, width). */
static __device__ __forceinline__ void write_pair_sums(float *out, const PairSums &sums, float *shared, int c0, int width)
{
    const int word = (int)threadIdx.x % WORDS, half_warp = (int)threadIdx.x / WORDS, i = (int)threadIdx.x;
    __syncthreads(); /* write_taps has read the shared memory */
    *reinterpret_cast<float2 *>(shared + half_warp * 2 * SLAB + 2 * word) = sums.s1;
    *reinterpret_cast<float2 *>(shared + half_warp * 2 * SLAB + SLAB + 2 * word) = sums.s2;
    __syncthreads();
    if (i < 2 * SLAB && c0 + i % SLAB < width) {
        float total = 0.0f;
        for (int t = 0; t < HALF_WARPS; t++)
            total += shared[t * 2 * SLAB + i];
        out[(size_t)(i / SLAB) * (size_t)width + c0 + i % SLAB] = total;
    }
}

/* ---- The kernel ---- */

static __device__ __forceinline__ Norm load_norm(const sq_cuda_view &z, int c)
{
    return {*reinterpret_cast<const float2 *>(z.scale + c), *reinterpret_cast<const float2 *>(z.shift + c),
            *reinterpret_cast<const float2 *>(z.mean + c)};
}

/* One row of taps and all strips of the step. */
template <int K, int S, int STRIP>
static __device__ __forceinline__ void add_taps(float (*grad)[2], const Tiles &tiles, const Tiling &tiling,
                                                const sq_cuda_geometry &at, int h0)
{
    enum { GROUPS = HALF_WARPS / K, PAD = K / 2 };
    const int word = (int)threadIdx.x % WORDS, half_warp = (int)threadIdx.x / WORDS;
    if (half_warp >= GROUPS * K)
        return;
    for (int i = half_warp / K; i < tiling.rows * tiling.strips; i += GROUPS) {
        const int y = half_warp % K, row = i / tiling.strips, reach = h0 + row + PAD - y;
        if (h0 + row < at.h_in && reach >= 0 && reach % S == 0 && reach / S < at.h_out)
            gather_taps<K, S, STRIP>(grad, tiles, tiling, {row, i % tiling.strips * STRIP, h0 + row, word}, reach / S);
    }
}

template <int K, int S, int STRIP>
static __global__ void __launch_bounds__(THREADS, SQ_CUDA_DEPTHWISE_BACKWARD_BLOCKS)
depthwise_backward_kernel(sq_cuda_depthwise_backward u, Tiling tiling, int slabs)
{
    DYNAMIC_SHARED(uint4, dynamic);
    SHARED(float2, taps, [K * K][WORDS]);
    const Tiles tiles = tiles_of(dynamic, taps, tiling);
    const int c0 = (int)blockIdx.x % slabs * SLAB, part = (int)blockIdx.x / slabs, width = padded(u.c);
    const int word = (int)threadIdx.x % WORDS, half_warp = (int)threadIdx.x / WORDS, c = c0 + 2 * word;
    const bool has_sums = u.sink.data && u.sink.z.scale;
    float grad[K][2] = {};
    PairSums sums = {};
    const Norm norm = has_sums && c < width ? load_norm(u.sink.z, c) : Norm{};
    load_taps<K>(taps, u.weight, c0, u.c);
    for (int index = part; index < tiling.jobs; index += u.parts.parts) {
        const Job job = {index / tiling.tiles_w, index % tiling.tiles_w * tiling.tile_w, c0};
        int loaded = -(K - 1 - K / 2) / S; /* the first row of dZ that row 0 of x reads */
        for (int h0 = 0; h0 < u.at.h_in; h0 += tiling.rows) {
            const int needed = (h0 + tiling.rows - 1 + K / 2) / S + 1;
            load_gradients<S>(tiles.ring, u, tiling, job, {loaded, needed});
            load_inputs(tiles, u, tiling, job, h0);
            loaded = needed;
            __syncthreads();
            const int row = half_warp / tiling.strips, strip = half_warp % tiling.strips * STRIP;
            if (u.sink.data && row < tiling.rows && h0 + row < u.at.h_in && job.w0 + strip < u.at.w_in && c < width) {
                float acc[STRIP][2] = {};
                gather_strip<K, S, STRIP>(acc, tiles, tiling, {row, strip, h0 + row, word}, u.at.h_out);
                const StripOfX to = {((size_t)job.n * u.at.h_in + h0 + row) * u.at.w_in + job.w0 + strip,
                                     min(STRIP, u.at.w_in - job.w0 - strip), c,
                                     reinterpret_cast<const unsigned *>(tiles.raw) + (row * tiling.tile_w + strip) * WORDS + word};
                store_strip<STRIP>(sums, u.sink, norm, acc, to);
            }
            add_taps<K, S, STRIP>(grad, tiles, tiling, u.at, h0);
            __syncthreads();
        }
    }
    float *shared = reinterpret_cast<float *>(dynamic);
    write_taps<K>(u.parts.partial + (size_t)part * (K * K) * (size_t)width, grad, shared, c0, width);
    if (has_sums) /* the same for all threads of the grid */
        write_pair_sums(u.sums + (size_t)part * 2 * (size_t)width, sums, shared, c0, width);
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

#define BACKWARD(K, S, STRIP)                                                                                              \
    SQ_CUDA_INSTANCE(THREADS, MAX_TILE_BYTES, SQ_CUDA_DEPTHWISE_BACKWARD_BLOCKS, depthwise_backward_kernel<K, S, STRIP>)
extern "C" const sq_cuda_instance sq_cuda_depthwise_backward_instances[] = {
    BACKWARD(3, 1, 7), BACKWARD(3, 1, 8), BACKWARD(3, 2, 8), BACKWARD(5, 1, 7), BACKWARD(5, 1, 8),
    BACKWARD(5, 2, 8), BACKWARD(7, 1, 7), BACKWARD(7, 1, 8), BACKWARD(7, 2, 8), SQ_CUDA_INSTANCES_END};
