/* depthwise.cu - depthwise convolution forward as a unit: input through its pending normalisation, output raw, with the
 * moments of each channel. */
#include "kernels/cuda/convolution/convolution.h"
#include "kernels/cuda/instances.h"

#include "kernels/cuda/convolution/depthwise.cuh"

enum { AHEAD = 4 }; /* loads that a thread issues before it uses the first */

/* Rows first_row to last_row - 1 of x, counted from -pad, into the ring as the view shows them; zeros outside the image. */
static __device__ __forceinline__ void load_rows(uint4 *ring, const sq_cuda_depthwise &u, const Tiling &tiling, int n, int w0,
                                                 int first_row, int last_row, int c0)
{
    const int vector = (int)threadIdx.x % SLAB_VECTORS, channel = c0 + vector * VECTOR, pad = u.at.kernel / 2;
    const int pixels = (last_row - first_row) * tiling.columns;
    for (int first = (int)threadIdx.x / SLAB_VECTORS; first < pixels; first += AHEAD * THREADS / SLAB_VECTORS) {
        uint4 raw[AHEAD];
        unsigned inside = 0;
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
            const int p = first + i * (THREADS / SLAB_VECTORS), row = quotient(p, tiling.by_columns, tiling.columns);
            const int h = first_row + row - pad, w = w0 * u.at.stride - pad + p - row * tiling.columns;
            const bool is_inside = p < pixels && channel < padded(u.c) && h >= 0 && h < u.at.h_in && w >= 0 && w < u.at.w_in;
            inside |= (unsigned)is_inside << i;
            raw[i] = is_inside ? fetch_view(u.x, ((size_t)n * u.at.h_in + h) * u.at.w_in + w, channel)
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
                show_eight(v, u.x, n, channel);
                raw[i] = pack_eight(v);
            }
            ring[((first_row + row) % tiling.ring * tiling.columns + p - row * tiling.columns) * SLAB_VECTORS + vector] = raw[i];
        }
    }
}

template <int K, int S, int STRIP> struct Maker {
    float acc[STRIP][2];

    /* A strip of one output row: row q of the ring is the first that it reads. */
    __device__ __forceinline__ void run(const unsigned *ring, const float2 (*taps)[WORDS], const Tiling &tiling, int q, int column,
                                        int word, int first_row, int last_row)
    {
#pragma unroll
        for (int p = 0; p < STRIP; p++)
            acc[p][0] = acc[p][1] = 0.0f;
        int slot = q % tiling.ring;
#pragma unroll 1
        for (int y = 0; y < K; y++, slot = slot + 1 == tiling.ring ? 0 : slot + 1) {
            if (q + y < first_row || q + y >= last_row)
                continue;
            float2 tap[K];
#pragma unroll
            for (int v = 0; v < K; v++)
                tap[v] = taps[y * K + v][word];
            const unsigned *from = ring + (slot * tiling.columns + column) * WORDS + word;
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
};

/* Adds a strip's moments: first its mean, then the differences from it. */
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

static __device__ __forceinline__ void leave_moments(float *partial, const Moments own[2], Moments *shared, int c0, int width)
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
static __global__ void __launch_bounds__(THREADS, SQ_CUDA_DEPTHWISE_BLOCKS) depthwise_kernel(sq_cuda_depthwise u, Tiling tiling, int slabs)
{
    DYNAMIC_SHARED(uint4, ring); /* [tiling.ring][tiling.columns][SLAB_VECTORS] */
    SHARED(float2, taps, [K * K][WORDS]);
    const int c0 = (int)blockIdx.x % slabs * SLAB, part = (int)blockIdx.x / slabs, width = padded(u.c);
    const int word = (int)threadIdx.x % WORDS, half_warp = (int)threadIdx.x / WORDS;
    const int made = half_warp / tiling.strips, strip = half_warp % tiling.strips * STRIP; /* this thread's row and strip */
    Moments own[2] = {};
    load_taps<K>(taps, u.weight, c0, u.c);
    for (int job = part; job < tiling.jobs; job += u.parts.parts) {
        const int n = job / tiling.tiles_w, w0 = job % tiling.tiles_w * tiling.tile_w;
        int loaded = 0; /* rows of the ring, from row -pad on, that have been loaded */
        for (int h0 = 0; h0 < u.at.h_out; h0 += tiling.rows) {
            const int wanted = (h0 + tiling.rows - 1) * S + K;
            load_rows(ring, u, tiling, n, w0, loaded, wanted, c0);
            loaded = wanted;
            __syncthreads();
            const int h = h0 + made, w = w0 + strip;
            if (made < tiling.rows && h < u.at.h_out && w < u.at.w_out && c0 + 2 * word < width) {
                Maker<K, S, STRIP> maker;
                maker.run(reinterpret_cast<const unsigned *>(ring), taps, tiling, h * S, strip * S, word, K / 2,
                          u.at.h_in + K / 2);
                const int pixels = min(STRIP, u.at.w_out - w);
                unsigned *out = reinterpret_cast<unsigned *>(
                    u.out + (((size_t)n * u.at.h_out + h) * u.at.w_out + w) * (size_t)u.out_pitch + c0 + 2 * word);
#pragma unroll
                for (int p = 0; p < STRIP; p++) {
                    const unsigned rounded = pack(maker.acc[p][0], maker.acc[p][1]);
                    const float2 z = unpack(rounded);
                    maker.acc[p][0] = z.x, maker.acc[p][1] = z.y;
                    if (p < pixels)
                        out[(size_t)p * (size_t)u.out_pitch / 2] = rounded;
                }
                if (u.parts.partial)
                    add_strip<STRIP>(own, maker.acc, pixels);
            }
            __syncthreads();
        }
    }
    if (u.parts.partial)
        leave_moments(u.parts.partial + (size_t)part * 3 * (size_t)width, own, reinterpret_cast<Moments *>(ring), c0, width);
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
    SQ_CUDA_INSTANCE(THREADS, MOST_SHARED, SQ_CUDA_DEPTHWISE_BLOCKS, depthwise_kernel<K, S, 7>),                       \
        SQ_CUDA_INSTANCE(THREADS, MOST_SHARED, SQ_CUDA_DEPTHWISE_BLOCKS, depthwise_kernel<K, S, 8>)
extern "C" const sq_cuda_instance sq_cuda_depthwise_instances[] = {
    DEPTHWISE(3, 1), DEPTHWISE(3, 2), DEPTHWISE(5, 1), DEPTHWISE(5, 2), DEPTHWISE(7, 1), DEPTHWISE(7, 2),
    SQ_CUDA_INSTANCES_END};
