/* fused_backward.cu - both gradients of a pointwise convolution in one pass (fusion level L4). G, Z and x are read
 * once. The gradient of x is stored with the sums of its producer; the gradient of the weights stays in registers to
 * the end of the part.
 *
 * A block of W / 16 warps processes row blocks in turn. dZ and the value of x are computed on load into two tiles of
 * rows; a third tile holds the weights. The first product, dZ times weights, reads dZ by rows; the second, dZ
 * transposed times x, reads both by columns. Each warp computes two column tiles of the first product and one row tile
 * of the second. In the widest shape it computes half of two row tiles instead: squarer tiles need fewer reads of
 * shared memory. */
#include "kernels/cuda/convolution/convolution.h"
#include "kernels/cuda/instances.h"

#include "kernels/cuda/operand.cuh"

#include "kernels/cuda/convolution/tensor_core.cuh"

enum { LOAD_STEP = 16 };

template <int W> struct Shape {
    enum {
        WARPS = W / 16, THREADS = 32 * WARPS, COLUMNS = W / VECTOR, STRIDE = COLUMNS | 1,
        ROWS = SQ_CUDA_FUSED_BACKWARD_ROWS(W), LOADS = ROWS / LOAD_STEP, /* fewer in wide shapes: their sums need registers */
        O_TILES = W > 96 ? 2 : 1, K_TILES = COLUMNS / O_TILES, /* of a warp in the second product: 16 outputs, 8 inputs */
        QUADS = W / 4, OUT_STRIDE = W / 2 + 4,
        TILE_VECTORS = ROWS * STRIDE, WEIGHT_VECTORS = W * STRIDE,
        SAVES_SUMS = W > 96, /* in shared memory between row blocks, to free registers */
        SHARED_BYTES = (2 * TILE_VECTORS + WEIGHT_VECTORS) * 16 + ROWS * OUT_STRIDE * 4 + (SAVES_SUMS ? 8 * THREADS * 4 : 0),
        BLOCKS = SQ_CUDA_FUSED_BACKWARD_BLOCKS(W), /* per multiprocessor */
    };
    static_assert(THREADS / COLUMNS == LOAD_STEP, "a thread loads one column of vectors");
    static_assert(WARPS % O_TILES == 0 && K_TILES % 2 == 0, "inputs are loaded two tiles at a time");
    static_assert(SHARED_BYTES <= (W > 96 ? 99 : 48) << 10, "limits of all devices: after cudaFuncSetAttribute, and without it");
    static_assert(THREADS / QUADS * 2 * W * 4 <= TILE_VECTORS * 16, "the threads' sums fit into the tile of dZ");
};

template <int LOADS> struct Raw { uint4 g[LOADS], z[LOADS], x[LOADS]; };

struct Tiles { /* in dynamic shared memory; rows of STRIDE vectors */
    uint4 *dz, *x;
    uint4 *weight; /* [W] */
};

template <int LOADS>
static __device__ __forceinline__ void fetch(Raw<LOADS> &raw, const sq_cuda_fused_backward &u, int row0, int i)
{
    const int o_limit = i < padded(u.dz.c) ? u.rows : 0, k_limit = i < padded(u.x.c) ? u.rows : 0;
#pragma unroll
    for (int l = 0; l < LOADS; l++) {
        const int row = row0 + l * LOAD_STEP;
        raw.g[l] = row < o_limit ? fetch_plain(u.dz.g, (size_t)row, u.dz.g_pitch, i) : make_uint4(0, 0, 0, 0);
        raw.z[l] = row < o_limit ? fetch_plain(u.dz.z, (size_t)row, u.dz.z_pitch, i) : make_uint4(0, 0, 0, 0);
        raw.x[l] = row < k_limit ? fetch_view(u.x, (size_t)row, i) : make_uint4(0, 0, 0, 0);
    }
}

/* Computes the operands from the raw values and stores them in the tiles. dZ is zero in rows past the end and in
 * padding channels. */
template <class S>
static __device__ __forceinline__ void store_operands(const Tiles &tiles, Raw<S::LOADS> &raw, const sq_cuda_fused_backward &u,
                                                      int row0, int i)
{
    const int column = (int)threadIdx.x % S::COLUMNS, first = (int)threadIdx.x / S::COLUMNS;
    const bool has_output = i < padded(u.dz.c);
    if (has_output)
        WITH_ACTIVATION(u.dz.activation, A, form_gradients<S::LOADS, A>(raw.g, raw.z, u.dz, i));
    if (i < padded(u.x.c))
        apply_view_rows<S::LOADS, LOAD_STEP>(raw.x, u.x, row0, u.rows, i);
#pragma unroll
    for (int l = 0; l < S::LOADS; l++) {
        const int row = first + l * LOAD_STEP;
        tiles.dz[row * S::STRIDE + column] = row0 + l * LOAD_STEP < u.rows && has_output ? raw.g[l] : make_uint4(0, 0, 0, 0);
        tiles.x[row * S::STRIDE + column] = raw.x[l];
    }
}

template <class S, int W>
static __device__ __forceinline__ void load_weight(uint4 *tile, const sq_cuda_fused_backward &u)
{
    const int depth = padded(u.dz.c), width = padded(u.x.c);
    for (int i = (int)threadIdx.x; i < W * S::COLUMNS; i += S::THREADS) {
        const int n = i / S::COLUMNS, k = i % S::COLUMNS * VECTOR;
        tile[n * S::STRIDE + i % S::COLUMNS] =
            n < width && k < depth ? __ldg(reinterpret_cast<const uint4 *>(u.weight + (size_t)n * (size_t)depth + k))
                                   : make_uint4(0, 0, 0, 0);
    }
}

/* sum = the warp's 16 columns of dZ times weights, for all rows of the tile. Columns from `width` on are skipped. */
template <class S>
static __device__ __forceinline__ void multiply_rows(float (*sum)[2][4], const Tiles &tiles, int steps, int width)
{
    const int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32;
    if (16 * warp >= width)
        return;
#pragma unroll 1
    for (int step = 0; step < steps; step++) {
        unsigned b[4]; /* two column tiles: each depth 0-7, then 8-15 */
        load_matrix_x4(b, &tiles.weight[(16 * warp + lane / 16 * 8 + lane % 8) * S::STRIDE + 2 * step + lane / 8 % 2]);
#pragma unroll
        for (int m = 0; m < S::ROWS / 16; m++) {
            unsigned a[4]; /* rows 0-7, rows 8-15, then both at depth 8-15 */
            load_matrix_x4(a, &tiles.dz[(16 * m + lane % 16) * S::STRIDE + 2 * step + lane / 16]);
            mma_bf16_16x8x16(sum[m][0], a, b, sum[m][0]);
            mma_bf16_16x8x16(sum[m][1], a, b + 2, sum[m][1]);
        }
    }
}

/* The warp's first vector of outputs (.x) and of inputs (.y) in the second product. */
template <class S> static __device__ __forceinline__ int2 place_of_warp(void)
{
    const int warp = (int)threadIdx.x / 32;
    return make_int2(warp / S::O_TILES * S::O_TILES * 2, warp % S::O_TILES * S::K_TILES);
}

/* sum += the warp's tile of dZ transposed times x. */
template <class S>
static __device__ __forceinline__ void multiply_columns(float (*sum)[S::K_TILES][4], const Tiles &tiles, int outputs, int width)
{
    const int lane = (int)threadIdx.x % 32;
    const int2 at = place_of_warp<S>();
    if (at.x * VECTOR >= outputs || at.y * VECTOR >= width)
        return;
#pragma unroll 1
    for (int row = 0; row < S::ROWS; row += 16) {
        unsigned a[S::O_TILES][4];
#pragma unroll
        for (int m = 0; m < S::O_TILES; m++) /* outputs 0-7, 8-15, then both at rows 8-15 */
            load_matrix_x4_transposed(a[m], &tiles.dz[(row + lane % 8 + lane / 16 * 8) * S::STRIDE + at.x + 2 * m + lane / 8 % 2]);
#pragma unroll
        for (int n = 0; n < S::K_TILES; n += 2) {
            if ((at.y + n) * VECTOR >= width)
                break;
            unsigned b[4]; /* two tiles of inputs: each rows 0-7, then 8-15 */
            load_matrix_x4_transposed(b, &tiles.x[(row + lane % 8 + lane / 8 % 2 * 8) * S::STRIDE + at.y + n + lane / 16]);
#pragma unroll
            for (int m = 0; m < S::O_TILES; m++) {
                mma_bf16_16x8x16(sum[m][n], a[m], b, sum[m][n]);
                mma_bf16_16x8x16(sum[m][n + 1], a[m], b + 2, sum[m][n + 1]);
            }
        }
    }
}

template <class S> static __device__ __forceinline__ void stage(unsigned *staged, float (*sum)[2][4])
{
    const int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32;
#pragma unroll
    for (int m = 0; m < S::ROWS / 16; m++)
#pragma unroll
        for (int n = 0; n < 2; n++)
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const int row = 16 * m + 8 * half + lane / 4, word = 8 * warp + 4 * n + lane % 4;
                staged[row * S::OUT_STRIDE + word] = pack(sum[m][n][2 * half], sum[m][n][2 * half + 1]);
            }
}

template <class S>
static __device__ __forceinline__ void store(Sums &own, float *saved, const sq_cuda_fused_backward &u, const StagedRows &staged)
{
    const int quad = (int)threadIdx.x % S::QUADS * 4;
    if (u.sink.z.scale) { /* the raw values of x are still in the cache */
        if (quad >= padded(u.x.c))
            return;
        const StagedColumn column = {quad, quad / 2, (int)threadIdx.x / S::QUADS, S::THREADS / S::QUADS};
        if (S::SAVES_SUMS)
            restore_sums<S::THREADS>(own, saved);
        WITH_ACTIVATION(u.sink.z.activation, A, store_with_sums<A>(own, u.sink, staged, column));
        if (S::SAVES_SUMS)
            save_sums<S::THREADS>(saved, own);
        return;
    }
    const int c = (int)threadIdx.x % S::COLUMNS * VECTOR;
    if (c < padded(u.x.c))
        for (int row = (int)threadIdx.x / S::COLUMNS; row < staged.rows; row += LOAD_STEP)
            (void)store_sink(u.sink, (size_t)(staged.m0 + row), c,
                             *reinterpret_cast<const uint4 *>(staged.words + row * S::OUT_STRIDE + c / 2));
}

template <class S>
static __device__ __forceinline__ void write_gradient(float *partial, float (*sum)[S::K_TILES][4], int outputs, int width)
{
    const int lane = (int)threadIdx.x % 32;
    const int2 at = place_of_warp<S>();
#pragma unroll
    for (int m = 0; m < S::O_TILES; m++)
#pragma unroll
        for (int n = 0; n < S::K_TILES; n++)
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const int row = (at.x + 2 * m + half) * VECTOR + lane / 4, column = (at.y + n) * VECTOR + lane % 4 * 2;
                if (row < outputs && column < width)
                    *reinterpret_cast<float2 *>(partial + (size_t)row * (size_t)width + column) =
                        make_float2(sum[m][n][2 * half], sum[m][n][2 * half + 1]);
            }
}

template <int W>
static __global__ void __launch_bounds__(Shape<W>::THREADS, Shape<W>::BLOCKS) fused_backward_kernel(sq_cuda_fused_backward u)
{
    typedef Shape<W> S;
    DYNAMIC_SHARED(uint4, dynamic);
    const Tiles tiles = {dynamic, dynamic + S::TILE_VECTORS, dynamic + 2 * S::TILE_VECTORS};
    unsigned *const staged = reinterpret_cast<unsigned *>(tiles.weight + S::WEIGHT_VECTORS);
    const int part = (int)blockIdx.x, blocks = (u.rows - 1) / S::ROWS + 1, width = padded(u.x.c), outputs = padded(u.dz.c);
    const int i = (int)threadIdx.x % S::COLUMNS * VECTOR, first = (int)threadIdx.x / S::COLUMNS;
    float gradient[S::O_TILES][S::K_TILES][4] = {};
    float *const saved = reinterpret_cast<float *>(staged + S::ROWS * S::OUT_STRIDE) + threadIdx.x;
    Sums own = {};
    if (S::SAVES_SUMS)
        save_sums<S::THREADS>(saved, own);
    Raw<S::LOADS> raw;
    load_weight<S, W>(tiles.weight, u);
    fetch<S::LOADS>(raw, u, part * S::ROWS + first, i);
    for (int block = part; block < blocks; block += u.parts.parts) {
        const int m0 = block * S::ROWS;
        float sum[S::ROWS / 16][2][4] = {};
        store_operands<S>(tiles, raw, u, m0 + first, i);
        __syncthreads();
        const int next = block + u.parts.parts < blocks ? (block + u.parts.parts) * S::ROWS + first : u.rows;
        fetch<S::LOADS>(raw, u, next, i); /* unconditional: a branch would keep the old values in their registers */
        multiply_rows<S>(sum, tiles, (outputs + 15) / 16, width);
        stage<S>(staged, sum); /* now, because the second product needs the registers */
        multiply_columns<S>(gradient, tiles, outputs, width);
        __syncthreads();
        store<S>(own, saved, u, {staged, S::OUT_STRIDE, m0, min(u.rows - m0, (int)S::ROWS)});
    }
    write_gradient<S>(u.parts.partial + (size_t)part * (size_t)outputs * (size_t)width, gradient, outputs, width);
    if (S::SAVES_SUMS)
        restore_sums<S::THREADS>(own, saved);
    if (u.sink.z.scale)
        write_sums<S::THREADS, W>(u.sums + (size_t)part * 2 * (size_t)width, width, own, reinterpret_cast<float *>(dynamic), 0);
}

/* ---- Launch ---- */

template <int W> static cudaError_t launch(const sq_cuda_fused_backward &args, cudaStream_t stream)
{
    const sq_cuda_fused_backward u = args;
    LAUNCH((fused_backward_kernel<W>), (unsigned)u.parts.parts, Shape<W>::THREADS, Shape<W>::SHARED_BYTES, stream, u);
    return cudaGetLastError();
}

extern "C" cudaError_t sq_cuda_fused_backward_run(const sq_cuda_fused_backward *a, cudaStream_t stream)
{
    if (a->rows < 1 || a->rows > 0x7fffff00 || a->parts.parts < 1)
        return cudaErrorInvalidValue;
    switch (sq_cuda_fused_backward_width(a->x.c, a->dz.c)) {
    case 32: return launch<32>(*a, stream);
    case 64: return launch<64>(*a, stream);
    case 96: return launch<96>(*a, stream);
    case 160: return launch<160>(*a, stream);
    default: return cudaErrorInvalidValue;
    }
}

#define FUSED(W) SQ_CUDA_INSTANCE(Shape<W>::THREADS, Shape<W>::SHARED_BYTES, Shape<W>::BLOCKS, fused_backward_kernel<W>)
extern "C" const sq_cuda_instance sq_cuda_fused_backward_instances[] = {FUSED(32), FUSED(64), FUSED(96), FUSED(160),
                                                                    SQ_CUDA_INSTANCES_END};
