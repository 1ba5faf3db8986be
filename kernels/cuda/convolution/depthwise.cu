/* depthwise.cu - depthwise convolution forward: the input passes through its pending normalization, the output is raw,
 * with the moments of each channel. */
#include "kernels/cuda/convolution/convolution.h"
#include "kernels/cuda/instances.h"

#include "kernels/cuda/convolution/depthwise.cuh"

enum { AHEAD = 4 }; /* loads that a thread issues before it uses the first */

/* Loads rows of the view of x, counted from -pad, into the ring; zeros outside the image. */
static __device__ __forceinline__ void load_rows(uint4 *ring, const sq_cuda_depthwise &u, const Tiling &tiling, const Job &job,
                                                 Rows rows)
{
    const int vector = (int)threadIdx.x % SLAB_VECTORS, channel = job.c0 + vector * VECTOR, pad = u.at.kernel / 2;
    const int pixels = (rows.end - rows.begin) * tiling.columns;
    for (int first = (int)threadIdx.x / SLAB_VECTORS; first < pixels; first += AHEAD * THREADS / SLAB_VECTORS) {
        uint4 raw[AHEAD];
        unsigned inside = 0;
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
            const int p = first + i * (THREADS / SLAB_VECTORS), row = quotient(p, tiling.by_columns, tiling.columns);
            const int h = rows.begin + row - pad, w = job.w0 * u.at.stride - pad + p - row * tiling.columns;
            const bool is_inside = p < pixels && channel < padded(u.c) && h >= 0 && h < u.at.h_in && w >= 0 && w < u.at.w_in;
            inside |= (unsigned)is_inside << i;
            raw[i] = is_inside ? fetch_view(u.x, ((size_t)job.n * u.at.h_in + h) * u.at.w_in + w, channel)
                               : make_uint4(0, 0, 0, 0);
        }
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
            const int p = first + i * (THREADS / SLAB_VECTORS), row = quotient(p, tiling.by_columns, tiling.columns);
            if (p >= pixels)
                break;
            if (inside >> i & 1 && (u.x.scale || u.x.gate)) {
                float v[VECTOR];
                unpack_eight(v, raw[i]);
                apply_view(v, u.x, job.n, channel);
                raw[i] = pack_eight(v);
            }
            ring[((rows.begin + row) % tiling.ring * tiling.columns + p - row * tiling.columns) * SLAB_VECTORS + vector] = raw[i];
        }
    }
}

/* The first word that a strip of output pixels reads: its row, counted from -pad, its pixel in the ring, and the
 * channel pair. */
struct Window { int row, column, word; };

struct Tiles { const unsigned *ring; const float2 (*taps)[WORDS]; }; /* in shared memory */

/* acc = a strip of one output row. image: rows of the image, counted from -pad. */
template <int K, int S, int STRIP>
static __device__ __forceinline__ void convolve(float (*acc)[2], const Tiles &tiles, const Tiling &tiling, const Window &at, Rows image)
{
#pragma unroll
    for (int p = 0; p < STRIP; p++)
        acc[p][0] = acc[p][1] = 0.0f;
    int slot = at.row % tiling.ring;
#pragma unroll 1
    for (int y = 0; y < K; y++, slot = slot + 1 == tiling.ring ? 0 : slot + 1) {
        if (at.row + y < image.begin || at.row + y >= image.end)
            continue;
        float2 tap[K];
#pragma unroll
        for (int v = 0; v < K; v++)
            tap[v] = tiles.taps[y * K + v][at.word];
        const unsigned *from = tiles.ring + (slot * tiling.columns + at.column) * WORDS + at.word;
#pragma unroll
        for (int j = 0; j < (STRIP - 1) * S + K; j++) {
            const float2 a = unpack(from[j * WORDS]);
#pragma unroll
            for (int v = 0; v < K; v++)
                if (j >= v && (j - v) % S == 0 && (j - v) / S < STRIP) {
                    acc[(j - v) / S][0] = fmaf(a.x, tap[v].x, acc[(j - v) / S][0]);
                    acc[(j - v) / S][1] = fmaf(a.y, tap[v].y, acc[(j - v) / S][1]);
                }
        }
    }
}

/* Rounds a strip to BF16, in acc too, and stores its first `pixels` pixels. */
template <int STRIP>
static __device__ __forceinline__ void store_strip(unsigned *out, float (*acc)[2], int pixels, int out_pitch)
{
#pragma unroll
    for (int p = 0; p < STRIP; p++) {
        const unsigned rounded = pack(acc[p][0], acc[p][1]);
        const float2 z = unpack(rounded);
        acc[p][0] = z.x, acc[p][1] = z.y;
        if (p < pixels)
            out[(size_t)p * (size_t)out_pitch / 2] = rounded;
    }
}

/* Adds the moments of a strip: first its mean, then the squared deviations from it. */
template <int STRIP>
static __device__ __forceinline__ void add_strip(Moments own[2], const float (*z)[2], int count)
{
#pragma unroll
    for (int c = 0; c < 2; c++) {
        Moments strip = {(float)count, 0.0f, 0.0f};
#pragma unroll
        for (int p = 0; p < STRIP; p++)
            strip.mean += p < count ? z[p][c] : 0.0f;
        strip.mean = __fdividef(strip.mean, strip.count);
#pragma unroll
        for (int p = 0; p < STRIP; p++)
            strip.m2 = p < count ? fmaf(z[p][c] - strip.mean, z[p][c] - strip.mean, strip.m2) : strip.m2;
        own[c] = merge(own[c], strip);
    }
}

/* Merges the threads' moments in their order and writes them to partial (3, width). */
static __device__ __forceinline__ void write_moments(float *partial, const Moments own[2], Moments *shared, int c0, int width)
{
    const int word = (int)threadIdx.x % WORDS, half_warp = (int)threadIdx.x / WORDS, c = (int)threadIdx.x;
    shared[half_warp * SLAB + 2 * word] = own[0], shared[half_warp * SLAB + 2 * word + 1] = own[1];
    __syncthreads();
    if (c < SLAB && c0 + c < width) {
        Moments total = shared[c];
        for (int i = 1; i < HALF_WARPS; i++)
            total = merge(total, shared[i * SLAB + c]);
        partial[c0 + c] = total.count, partial[width + c0 + c] = total.mean, partial[2 * width + c0 + c] = total.m2;
    }
}

template <int K, int S, int STRIP>
static __global__ void __launch_bounds__(THREADS, SQ_CUDA_DEPTHWISE_BLOCKS)
depthwise_kernel(sq_cuda_depthwise u, Tiling tiling, int slabs)
{
    DYNAMIC_SHARED(uint4, ring); /* [tiling.ring][tiling.columns][SLAB_VECTORS] */
    SHARED(float2, taps, [K * K][WORDS]);
    const int c0 = (int)blockIdx.x % slabs * SLAB, part = (int)blockIdx.x / slabs, width = padded(u.c);
    const int word = (int)threadIdx.x % WORDS, half_warp = (int)threadIdx.x / WORDS;
    const int row = half_warp / tiling.strips, strip = half_warp % tiling.strips * STRIP; /* of this thread, in the tile */
    const Tiles tiles = {reinterpret_cast<const unsigned *>(ring), taps};
    Moments own[2] = {};
    load_taps<K>(taps, u.weight, c0, u.c);
    for (int index = part; index < tiling.jobs; index += u.parts.parts) {
        const Job job = {index / tiling.tiles_w, index % tiling.tiles_w * tiling.tile_w, c0};
        int loaded = 0; /* rows already in the ring, counted from row -pad */
        for (int h0 = 0; h0 < u.at.h_out; h0 += tiling.rows) {
            const int needed = (h0 + tiling.rows - 1) * S + K;
            load_rows(ring, u, tiling, job, {loaded, needed});
            loaded = needed;
            __syncthreads();
            const int h = h0 + row, w = job.w0 + strip;
            if (row < tiling.rows && h < u.at.h_out && w < u.at.w_out && c0 + 2 * word < width) {
                float acc[STRIP][2];
                convolve<K, S, STRIP>(acc, tiles, tiling, {h * S, strip * S, word}, {K / 2, u.at.h_in + K / 2});
                const int pixels = min(STRIP, u.at.w_out - w);
                const size_t pixel = ((size_t)job.n * u.at.h_out + h) * u.at.w_out + w;
                store_strip<STRIP>(reinterpret_cast<unsigned *>(u.out + pixel * (size_t)u.out_pitch + c0 + 2 * word), acc, pixels,
                                   u.out_pitch);
                if (u.parts.partial)
                    add_strip<STRIP>(own, acc, pixels);
            }
            __syncthreads();
        }
    }
    if (u.parts.partial)
        write_moments(u.parts.partial + (size_t)part * 3 * (size_t)width, own, reinterpret_cast<Moments *>(ring), c0, width);
}

template <int K, int S, int STRIP> static cudaError_t launch(const sq_cuda_depthwise &args, cudaStream_t stream)
{
    const sq_cuda_depthwise u = args;
    const Tiling tiling = tiling_of(&u.at, false);
    const int slabs = (u.c - 1) / SLAB + 1;
    const size_t moments = HALF_WARPS * SLAB * sizeof(Moments), tile = (size_t)tiling.shared_bytes;
    LAUNCH((depthwise_kernel<K, S, STRIP>), (unsigned)(u.parts.parts * slabs), THREADS, tile > moments ? tile : moments,
           stream, u, tiling, slabs);
    return cudaGetLastError();
}

extern "C" cudaError_t sq_cuda_depthwise_run(const sq_cuda_depthwise *a, cudaStream_t stream)
{
    if (a->c < 1 || a->parts.parts < 1 || a->parts.parts > sq_cuda_depthwise_jobs(&a->at, false))
        return cudaErrorInvalidValue;
    const int strip = strip_of(a->at.w_out, a->at.stride, false);
#define CASE(K, S)                                                                                                     \
    case 10 * K + S: return strip == 7 ? launch<K, S, 7>(*a, stream) : launch<K, S, 8>(*a, stream)
    switch (10 * a->at.kernel + a->at.stride) {
        CASE(3, 1);
        CASE(3, 2);
        CASE(5, 1);
        CASE(5, 2);
        CASE(7, 1);
        CASE(7, 2);
    default: return cudaErrorInvalidValue;
    }
#undef CASE
}

#define DEPTHWISE(K, S)                                                                                                \
    SQ_CUDA_INSTANCE(THREADS, MAX_TILE_BYTES, SQ_CUDA_DEPTHWISE_BLOCKS, depthwise_kernel<K, S, 7>),                       \
        SQ_CUDA_INSTANCE(THREADS, MAX_TILE_BYTES, SQ_CUDA_DEPTHWISE_BLOCKS, depthwise_kernel<K, S, 8>)
extern "C" const sq_cuda_instance sq_cuda_depthwise_instances[] = {
    DEPTHWISE(3, 1), DEPTHWISE(3, 2), DEPTHWISE(5, 1), DEPTHWISE(5, 2), DEPTHWISE(7, 1), DEPTHWISE(7, 2),
    SQ_CUDA_INSTANCES_END};
