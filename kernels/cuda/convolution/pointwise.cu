/* pointwise.cu - rows of pixels times a weight matrix, on the tensor cores. Forward: the pointwise convolution; its
 * input passes through the pending normalization, its output is raw, with the moments of each channel. Backward: the
 * gradient of the input; dZ is computed on load, S1 and S2 of the producer on store. Dense k x k convolutions gather
 * their rows (im2col).
 *
 * A block processes row blocks in turn and loads the next one while it multiplies. Padding channels are zero in both
 * tiles. Rows past the end may hold anything: an output row depends on its own input row only, and rows past the end
 * are neither stored nor counted. */
#include "kernels/cuda/convolution/convolution.h"
#include "kernels/cuda/instances.h"

#include "kernels/cuda/operand.cuh"

#include "kernels/cuda/convolution/tensor_core.cuh"

enum { DEPTH = 64, COLUMNS = DEPTH / VECTOR, THREADS = 256, BLOCKS_PER_SM = SQ_CUDA_POINTWISE_BLOCKS };
enum { STRIDE = COLUMNS + 1 }; /* vectors per tile row; odd, so that 8 rows are in 8 different bank groups */
enum { LOAD_STEP = THREADS / COLUMNS };

/* A block computes ROWS x N outputs with 4 x 2 warps of 16 MT x WARP_N each. */
template <int N, bool IS_BACKWARD> struct Tile {
    enum {
        ROWS = N > 64 || IS_BACKWARD ? SQ_CUDA_ROW_BLOCK / 2 : SQ_CUDA_ROW_BLOCK, LOADS = ROWS / LOAD_STEP,
        WIDTH = N, WARP_N = N / 2, WARP_ROWS = ROWS / 4, MT = WARP_ROWS / 16,
        PAIRS = N / 2, STRIPES = THREADS / PAIRS, LENGTH = (ROWS - 1) / STRIPES + 1, /* add_moments: rows of a stripe */
        OUT_STRIDE = PAIRS + 4, /* words per row of the staged output; the 4 put 8 rows in different banks */
        VECTORS = N / VECTOR,   /* of a staged row */
        QUADS = N / 4,
        PREFETCHES = !(IS_BACKWARD && N > 128), /* the next row block; without this exception registers spill */
        SAVES_SUMS = IS_BACKWARD && N == 128, /* in shared memory between row blocks, to free registers */
        REUSES_WEIGHT = ROWS * OUT_STRIDE <= ROWS * STRIDE * 4, /* the staged output does not overwrite the weights */
    };
    static_assert(ROWS * OUT_STRIDE <= (ROWS + N) * STRIDE * 4, "the staged output fits into the tiles");
};

template <int MODE> struct Mode {
    enum { IS_BACKWARD = MODE == SQ_CUDA_BACKWARD || MODE == SQ_CUDA_BACKWARD_KXK };
};

template <int LOADS, int MODE> struct Raw { uint4 a[LOADS], z[MODE == SQ_CUDA_BACKWARD ? LOADS : 1]; };

/* ---- Load ---- */

/* A thread loads one column of 8 channels, and issues all loads before it uses the first. */
template <int LOADS, int MODE>
static __device__ __forceinline__ void fetch(Raw<LOADS, MODE> &raw, const sq_cuda_pointwise &u, int m0, int k0)
{
    const int k = k0 + (int)threadIdx.x % COLUMNS * VECTOR, first = m0 + (int)threadIdx.x / COLUMNS;
    const sq_bf16 *g = u.dz.g + (size_t)first * (size_t)u.dz.g_pitch + k;
    const sq_bf16 *z = u.dz.z + (size_t)first * (size_t)u.dz.z_pitch + k;
    const int limit = k < u.depth ? u.rows : 0;
    if (MODE == SQ_CUDA_FORWARD && u.x.step == 1) { /* separate: one address instead of LOADS, else N = 64 spills */
        const sq_bf16 *x = u.x.data + (size_t)first * (size_t)u.x.pitch + u.x.first + k;
#pragma unroll
        for (int i = 0; i < LOADS; i++, x += (size_t)LOAD_STEP * (size_t)u.x.pitch)
            raw.a[i] = first + i * LOAD_STEP < limit ? __ldg(reinterpret_cast<const uint4 *>(x)) : make_uint4(0, 0, 0, 0);
        return;
    }
#pragma unroll
    for (int i = 0; i < LOADS; i++) {
        const int row = first + i * LOAD_STEP;
        const bool is_inside = row < limit;
        if (MODE == SQ_CUDA_FORWARD)
            raw.a[i] = is_inside ? fetch_view(u.x, (size_t)row, k) : make_uint4(0, 0, 0, 0);
        else if (MODE == SQ_CUDA_FORWARD_KXK)
            raw.a[i] = is_inside ? gather_value(u.x, u.at, row, k) : make_uint4(0, 0, 0, 0);
        else if (MODE == SQ_CUDA_BACKWARD_KXK)
            raw.a[i] = is_inside ? gather_gradient(u.dz, u.at, row, k) : make_uint4(0, 0, 0, 0);
        else {
            raw.a[i] = is_inside ? __ldg(reinterpret_cast<const uint4 *>(g)) : make_uint4(0, 0, 0, 0);
            raw.z[i] = is_inside ? __ldg(reinterpret_cast<const uint4 *>(z)) : make_uint4(0, 0, 0, 0);
            g += (size_t)LOAD_STEP * (size_t)u.dz.g_pitch, z += (size_t)LOAD_STEP * (size_t)u.dz.z_pitch;
        }
    }
}

/* Computes the operands from the raw values and stores them in the tile. */
template <int LOADS, int MODE>
static __device__ __forceinline__ void store_operands(uint4 (*tile)[STRIDE], Raw<LOADS, MODE> &raw, const sq_cuda_pointwise &u, int m0, int k0)
{
    const int column = (int)threadIdx.x % COLUMNS, first = (int)threadIdx.x / COLUMNS, k = k0 + column * VECTOR;
    if constexpr (MODE == SQ_CUDA_FORWARD) {
        if (k < u.depth)
            apply_view_rows<LOADS, LOAD_STEP>(raw.a, u.x, m0 + first, u.rows, k);
    }
    if constexpr (MODE == SQ_CUDA_BACKWARD) {
        if (k < u.depth)
            WITH_ACTIVATION(u.dz.activation, A, form_gradients<LOADS, A>(raw.a, raw.z, u.dz, k));
    }
#pragma unroll
    for (int i = 0; i < LOADS; i++)
        tile[first + i * LOAD_STEP][column] = raw.a[i];
}

/* tile[n] = weights of output channel n0 + n, depth k0 .. k0 + 63. */
template <int N>
static __device__ __forceinline__ void load_weight(uint4 (*tile)[STRIDE], const sq_cuda_pointwise &u, int n0, int k0)
{
#pragma unroll 1 /* these loads hit L2; unrolled, they spill */
    for (int pass = 0; pass < N * COLUMNS / THREADS; pass++) {
        const int i = pass * THREADS + (int)threadIdx.x, n = n0 + i / COLUMNS, k = k0 + i % COLUMNS * VECTOR;
        tile[i / COLUMNS][i % COLUMNS] =
            n < u.width && k < u.depth
                ? __ldg(reinterpret_cast<const uint4 *>(u.weight + (size_t)n * (size_t)u.depth + k))
                : make_uint4(0, 0, 0, 0);
    }
}

/* ---- Multiply ---- */

/* sum[m][n] += rows 16 m .. times output channels 8 n .. of the warp's tile, over `steps` steps of 16 in depth. */
template <int MT, int WARP_N>
static __device__ __forceinline__ void multiply(float (*sum)[WARP_N / 8][4], const uint4 (*input)[STRIDE],
                                                const uint4 (*weight)[STRIDE], int steps)
{
    const int lane = (int)threadIdx.x % 32;
#pragma unroll 1 /* unrolled, the addresses need more registers: N = 128 spills on sm_100 */
    for (int step = 0; step < steps; step++) {
        unsigned a[MT][4];
#pragma unroll
        for (int m = 0; m < MT; m++) /* matrices: rows 0-7, rows 8-15, then both at depth 8-15 */
            load_matrix_x4(a[m], &input[16 * m + lane % 16][2 * step + lane / 16]);
#pragma unroll
        for (int n = 0; n < WARP_N / 8; n += 2) {
            unsigned b[4]; /* two column tiles: each depth 0-7, then 8-15 */
            load_matrix_x4(b, &weight[8 * n + lane / 16 * 8 + lane % 8][2 * step + lane / 8 % 2]);
#pragma unroll
            for (int m = 0; m < MT; m++) {
                mma_bf16_16x8x16(sum[m][n], a[m], b, sum[m][n]);
                mma_bf16_16x8x16(sum[m][n + 1], a[m], b + 2, sum[m][n + 1]);
            }
        }
    }
}

/* ---- Store ---- */

/* Rounds the warp's sums to BF16 and stores them in the staged output, two channels per word. */
template <class T>
static __device__ __forceinline__ void stage(unsigned *staged, float (*sum)[T::WARP_N / 8][4], int row0, int n0)
{
    const int lane = (int)threadIdx.x % 32;
#pragma unroll
    for (int m = 0; m < T::MT; m++)
#pragma unroll
        for (int n = 0; n < T::WARP_N / 8; n++)
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const int row = row0 + 16 * m + 8 * half + lane / 4, word = n0 / 2 + 4 * n + lane % 4;
                staged[row * T::OUT_STRIDE + word] = pack(sum[m][n][2 * half], sum[m][n][2 * half + 1]);
            }
}

/* A thread's statistics over all its row blocks. Forward: the moments of two channels over a stripe of rows. Backward:
 * S1 and S2 of four channels over the rows that the thread stores. */
struct Statistics {
    Moments x, y;
    Sums sums;
};

/* Adds the moments of a row block: first the mean of the stripe, then the squared deviations from it. */
template <class T> static __device__ __forceinline__ void add_moments(Statistics &own, const StagedRows &staged)
{
    const int pair = (int)threadIdx.x % T::PAIRS, stripe = (int)threadIdx.x / T::PAIRS, first = stripe * T::LENGTH;
    const int length = stripe < T::STRIPES ? min(max(staged.rows - first, 0), (int)T::LENGTH) : 0; /* the last threads: 0 */
    const unsigned *column = staged.words + first * T::OUT_STRIDE + pair;
    Moments x = {(float)length, 0.0f, 0.0f}, y = x;
    for (int r = 0; r < length; r++) {
        const float2 z = unpack(column[r * T::OUT_STRIDE]);
        x.mean += z.x, y.mean += z.y;
    }
    if (length > 0)
        x.mean /= x.count, y.mean /= y.count;
    for (int r = 0; r < length; r++) {
        const float2 z = unpack(column[r * T::OUT_STRIDE]);
        x.m2 = fmaf(z.x - x.mean, z.x - x.mean, x.m2);
        y.m2 = fmaf(z.y - y.mean, z.y - y.mean, y.m2);
    }
    own.x = merge(own.x, x), own.y = merge(own.y, y);
}

template <class T>
static __device__ __forceinline__ void store_forward(const sq_cuda_pointwise &u, const StagedRows &staged, int n0)
{
    const int c = (int)threadIdx.x % T::VECTORS * VECTOR, first = (int)threadIdx.x / T::VECTORS;
    if (n0 + c < u.width && first < THREADS / T::VECTORS) /* a thread stores one column; the last threads may have none */
        for (int row = first; row < staged.rows; row += THREADS / T::VECTORS)
            *reinterpret_cast<uint4 *>(u.out + (size_t)(staged.m0 + row) * (size_t)u.out_pitch + n0 + c) =
                *reinterpret_cast<const uint4 *>(staged.words + row * T::OUT_STRIDE + c / 2);
}

template <class T>
static __device__ __forceinline__ void store_backward(Sums &own, float *saved, const sq_cuda_pointwise &u,
                                                      const StagedRows &staged, int n0)
{
    const int quad = (int)threadIdx.x % T::QUADS * 4, stripe = (int)threadIdx.x / T::QUADS;
    if (u.sink.z.scale) {
        if (n0 + quad >= u.width || stripe >= THREADS / T::QUADS)
            return;
        const StagedColumn column = {n0 + quad, quad / 2, stripe, THREADS / T::QUADS};
        if (T::SAVES_SUMS)
            restore_sums<THREADS>(own, saved);
        WITH_ACTIVATION(u.sink.z.activation, A, store_with_sums<A>(own, u.sink, staged, column));
        if (T::SAVES_SUMS)
            save_sums<THREADS>(saved, own);
        return;
    }
    const int c = (int)threadIdx.x % T::VECTORS * VECTOR, first = (int)threadIdx.x / T::VECTORS;
    if (n0 + c < u.width && first < THREADS / T::VECTORS)
        for (int row = first; row < staged.rows; row += THREADS / T::VECTORS)
            (void)store_sink(u.sink, (size_t)(staged.m0 + row), n0 + c,
                             *reinterpret_cast<const uint4 *>(staged.words + row * T::OUT_STRIDE + c / 2));
}

/* Merges the threads' moments in their order and writes them to partial (2, width) from channel n0 on. */
template <class T>
static __device__ __forceinline__ void write_moments(float *partial, int width, const Statistics &own, Moments *shared, int n0)
{
    const int pair = (int)threadIdx.x % T::PAIRS, stripe = (int)threadIdx.x / T::PAIRS, c = (int)threadIdx.x;
    if (stripe < T::STRIPES)
        shared[stripe * T::WIDTH + 2 * pair] = own.x, shared[stripe * T::WIDTH + 2 * pair + 1] = own.y;
    __syncthreads();
    if (c < T::WIDTH && n0 + c < width) {
        Moments total = shared[c];
        for (int s = 1; s < T::STRIPES; s++)
            total = merge(total, shared[s * T::WIDTH + c]);
        partial[n0 + c] = total.mean, partial[width + n0 + c] = total.m2;
    }
}

/* ---- The kernel ---- */

/* A block's progress: it computes columns n0 .. of row blocks `part`, part + parts, ... */
struct Progress {
    int n0, part, block, blocks;
};

/* The product of one row block, in steps of DEPTH. While it multiplies, it loads the next step or the next row block. */
template <class T, int MODE>
static __device__ __forceinline__ void multiply_block(float (*sum)[T::WARP_N / 8][4], uint4 (*tile)[STRIDE],
                                                      Raw<T::LOADS, MODE> &raw, const sq_cuda_pointwise &u, const Progress &at)
{
    const int warp = (int)threadIdx.x / 32, m0 = at.block * T::ROWS;
    const bool reuses_weight = T::REUSES_WEIGHT && u.depth <= DEPTH && at.block != at.part;
    const uint4(*const input)[STRIDE] = tile + warp % 4 * T::WARP_ROWS;
    const uint4(*const weight)[STRIDE] = tile + T::ROWS + warp / 4 * T::WARP_N;
    for (int k0 = 0; k0 < u.depth; k0 += DEPTH) {
        store_operands<T::LOADS, MODE>(tile, raw, u, m0, k0);
        if (!reuses_weight)
            load_weight<T::WIDTH>(tile + T::ROWS, u, at.n0, k0);
        __syncthreads();
        if (k0 + DEPTH < u.depth)
            fetch<T::LOADS, MODE>(raw, u, m0, k0 + DEPTH);
        else if (T::PREFETCHES && at.block + u.parts.parts < at.blocks)
            fetch<T::LOADS, MODE>(raw, u, m0 + u.parts.parts * T::ROWS, 0);
        multiply<T::MT, T::WARP_N>(sum, input, weight, (min(u.depth - k0, (int)DEPTH) + 15) / 16);
        __syncthreads();
    }
}

template <class T> static __device__ __forceinline__ void clear(float (*sum)[T::WARP_N / 8][4])
{
#pragma unroll
    for (int m = 0; m < T::MT; m++)
#pragma unroll
        for (int n = 0; n < T::WARP_N / 8; n++)
#pragma unroll
            for (int i = 0; i < 4; i++)
                sum[m][n][i] = 0.0f;
}

/* Blocks that read the same rows are neighbors in launch order: the later ones find the rows in L2. */
template <int N, int MODE>
static __global__ void __launch_bounds__(THREADS, BLOCKS_PER_SM) pointwise_kernel(sq_cuda_pointwise u, int tiles_n)
{
    typedef Tile<N, Mode<MODE>::IS_BACKWARD> T;
    SHARED(uint4, tile, [T::ROWS + N][STRIDE]); /* rows of input, N rows of weights; uint4 for its alignment */
    SHARED(float, sums, [T::SAVES_SUMS ? 8 * THREADS : 1]);
    unsigned *const staged = reinterpret_cast<unsigned *>(tile);
    float *const saved = sums + (T::SAVES_SUMS ? threadIdx.x : 0);
    const int warp = (int)threadIdx.x / 32, part = (int)blockIdx.x / tiles_n;
    Progress at = {(int)blockIdx.x % tiles_n * N, part, part, (u.rows - 1) / T::ROWS + 1};
    float sum[T::MT][T::WARP_N / 8][4] = {};
    Statistics own = {};
    if (T::SAVES_SUMS)
        save_sums<THREADS>(saved, own.sums);
    Raw<T::LOADS, MODE> raw;
    fetch<T::LOADS, MODE>(raw, u, part * T::ROWS, 0);
    for (; at.block < at.blocks; at.block += u.parts.parts) {
        const StagedRows output = {staged, T::OUT_STRIDE, at.block * T::ROWS, min(u.rows - at.block * T::ROWS, (int)T::ROWS)};
        if (!T::PREFETCHES && at.block != part)
            fetch<T::LOADS, MODE>(raw, u, output.m0, 0);
        multiply_block<T, MODE>(sum, tile, raw, u, at);
        stage<T>(staged, sum, warp % 4 * T::WARP_ROWS, warp / 4 * T::WARP_N);
        __syncthreads();
        if (Mode<MODE>::IS_BACKWARD) {
            store_backward<T>(own.sums, saved, u, output, at.n0);
        } else {
            store_forward<T>(u, output, at.n0);
            if (u.parts.partial)
                add_moments<T>(own, output);
        }
        __syncthreads();
        clear<T>(sum);
    }
    float *partial = u.parts.partial + (size_t)part * 2 * (size_t)u.width;
    if (!Mode<MODE>::IS_BACKWARD && u.parts.partial)
        write_moments<T>(partial, u.width, own, reinterpret_cast<Moments *>(tile), at.n0);
    if (T::SAVES_SUMS)
        restore_sums<THREADS>(own.sums, saved);
    if (Mode<MODE>::IS_BACKWARD && u.sink.z.scale)
        write_sums<THREADS, N>(partial, u.width, own.sums, reinterpret_cast<float *>(tile), at.n0);
}

/* ---- Launch ---- */

template <int N> static cudaError_t launch(const sq_cuda_pointwise &args, cudaStream_t stream)
{
    const sq_cuda_pointwise u = args; /* a copy: the emulated launch must not keep a pointer to the caller's struct */
    const int tiles_n = (u.width - 1) / N + 1;
    const unsigned grid = (unsigned)u.parts.parts * (unsigned)tiles_n; /* one dimension: y is limited to 65,535 */
#define CASE(MODE)                                                                                                     \
    case MODE: LAUNCH((pointwise_kernel<N, MODE>), grid, THREADS, 0, stream, u, tiles_n); break
    switch (u.mode) {
        CASE(SQ_CUDA_FORWARD);
        CASE(SQ_CUDA_FORWARD_KXK);
        CASE(SQ_CUDA_BACKWARD);
        CASE(SQ_CUDA_BACKWARD_KXK);
    default: return cudaErrorInvalidValue;
    }
#undef CASE
    return cudaGetLastError();
}

extern "C" cudaError_t sq_cuda_pointwise_run(const sq_cuda_pointwise *a, cudaStream_t stream)
{
    if (a->rows < 1 || a->rows > 0x7fffff00 || a->depth < 1 || a->depth % VECTOR || a->width < 1 || a->width % VECTOR ||
        a->parts.parts < 1 || a->parts.parts > (a->rows - 1) / sq_cuda_pointwise_shape_of(a->width, a->mode >= SQ_CUDA_BACKWARD).rows + 1)
        return cudaErrorInvalidValue;
    switch (sq_cuda_pointwise_shape_of(a->width, a->mode >= SQ_CUDA_BACKWARD).tile) {
    case 32: return launch<32>(*a, stream);
    case 64: return launch<64>(*a, stream);
    case 128: return launch<128>(*a, stream);
    default: return launch<160>(*a, stream);
    }
}

/* ---- Instances ---- */

#define ROWS(N, MODE) SQ_CUDA_INSTANCE(THREADS, 0, BLOCKS_PER_SM, pointwise_kernel<N, MODE>)
#define ALL_MODES(N) ROWS(N, 0), ROWS(N, 1), ROWS(N, 2), ROWS(N, 3)
extern "C" const sq_cuda_instance sq_cuda_pointwise_instances[] = {ALL_MODES(32), ALL_MODES(64), ALL_MODES(128), ALL_MODES(160),
                                                              SQ_CUDA_INSTANCES_END};
