/* weight_gradient.cu - dW = sum over rows of dZ times the value of x, on the tensor cores. Both operands are computed
 * on load into tiles of rows, and read transposed. A part processes chunks of rows in turn and keeps its sum in
 * registers; statistics.cu merges the parts in order. */
#include "kernels/cuda/convolution/convolution.h"
#include "kernels/cuda/instances.h"

#include "kernels/cuda/operand.cuh"

#include "kernels/cuda/convolution/tensor_core.cuh"

enum { CHUNK = SQ_CUDA_CHUNK, LOAD_STEP = 16 };

/* WM x WN warps, each with MT x 16 outputs times NT x 8 inputs. A thread loads one column of vectors of each operand. A
 * chunk has CHUNK rows, or half of that where the sums need the registers. */
template <int WM, int WN, int MT, int NT> struct Shape {
    enum {
        OUTPUTS = WM * MT * 16, INPUTS = WN * NT * 8, THREADS = WM * WN * 32,
        COLUMNS = THREADS / LOAD_STEP,
        ROWS = SQ_CUDA_WEIGHT_GRADIENT_ROWS((int)OUTPUTS), LOADS = ROWS / LOAD_STEP,
        STRIDE = COLUMNS | 1, /* vectors per row; odd, so that 8 rows are in 8 different bank groups */
        BLOCKS = SQ_CUDA_WEIGHT_GRADIENT_BLOCKS((int)OUTPUTS), /* on a multiprocessor */
    };
    static_assert((int)OUTPUTS == COLUMNS * VECTOR && (int)INPUTS == COLUMNS * VECTOR, "a column of vectors each");
};

template <int LOADS> struct Raw { uint4 g[LOADS], z[LOADS], x[LOADS]; };

template <class S> struct Tiles { uint4 (*dz)[S::STRIDE], (*x)[S::STRIDE]; }; /* in shared memory: [ROWS] */

struct Column { int o, k; }; /* the thread's first output and its first input */

template <int LOADS, bool IS_GATHERED>
static __device__ __forceinline__ void fetch(Raw<LOADS> &raw, const sq_cuda_weight_gradient &u, int row0, Column at)
{
    const int o_limit = at.o < padded(u.dz.c) ? u.rows : 0, k_limit = at.k < u.depth ? u.rows : 0;
#pragma unroll
    for (int i = 0; i < LOADS; i++) {
        const int row = row0 + i * LOAD_STEP;
        raw.g[i] = row < o_limit ? fetch_plain(u.dz.g, (size_t)row, u.dz.g_pitch, at.o) : make_uint4(0, 0, 0, 0);
        raw.z[i] = row < o_limit ? fetch_plain(u.dz.z, (size_t)row, u.dz.z_pitch, at.o) : make_uint4(0, 0, 0, 0);
        if (IS_GATHERED)
            raw.x[i] = row < k_limit ? gather_value(u.x, u.at, row, at.k) : make_uint4(0, 0, 0, 0);
        else
            raw.x[i] = row < k_limit ? fetch_view(u.x, (size_t)row, at.k) : make_uint4(0, 0, 0, 0);
    }
}

/* Computes the operands from the raw values and stores them in the tiles. dZ is zero in rows past the end. */
template <class S, bool IS_GATHERED>
static __device__ __forceinline__ void store_operands(const Tiles<S> &tiles, Raw<S::LOADS> &raw, const sq_cuda_weight_gradient &u,
                                                      int row0, Column at)
{
    const int column = (int)threadIdx.x % S::COLUMNS, first = (int)threadIdx.x / S::COLUMNS;
    if (at.o < padded(u.dz.c))
        WITH_ACTIVATION(u.dz.activation, A, form_gradients<S::LOADS, A>(raw.g, raw.z, u.dz, at.o));
    if (!IS_GATHERED && at.k < u.depth)
        apply_view_rows<S::LOADS, LOAD_STEP>(raw.x, u.x, row0, u.rows, at.k);
#pragma unroll
    for (int i = 0; i < S::LOADS; i++) {
        tiles.dz[first + i * LOAD_STEP][column] = row0 + i * LOAD_STEP < u.rows ? raw.g[i] : make_uint4(0, 0, 0, 0);
        tiles.x[first + i * LOAD_STEP][column] = raw.x[i];
    }
}

/* sum[m][n] += outputs 16 m .. times inputs 8 n .. of the warp, over the rows of the tiles. */
template <class S, int MT, int NT>
static __device__ __forceinline__ void multiply(float (*sum)[NT][4], const Tiles<S> &tiles, int output, int input)
{
    const int lane = (int)threadIdx.x % 32;
#pragma unroll 1
    for (int row = 0; row < S::ROWS; row += 16) {
        unsigned a[MT][4];
#pragma unroll
        for (int m = 0; m < MT; m++) /* matrices: outputs 0-7, 8-15, then both at rows 8-15 */
            load_matrix_x4_transposed(a[m], &tiles.dz[row + lane % 8 + lane / 16 * 8][output + 2 * m + lane / 8 % 2]);
#pragma unroll
        for (int n = 0; n < NT; n += 2) {
            unsigned b[4]; /* two tiles of inputs: each rows 0-7, then 8-15 */
            load_matrix_x4_transposed(b, &tiles.x[row + lane % 8 + lane / 8 % 2 * 8][input + n + lane / 16]);
#pragma unroll
            for (int m = 0; m < MT; m++) {
                mma_bf16_16x8x16(sum[m][n], a[m], b, sum[m][n]);
                mma_bf16_16x8x16(sum[m][n + 1], a[m], b + 2, sum[m][n + 1]);
            }
        }
    }
}

template <int WM, int WN, int MT, int NT, bool IS_GATHERED>
static __global__ void __launch_bounds__(Shape<WM, WN, MT, NT>::THREADS, Shape<WM, WN, MT, NT>::BLOCKS)
weight_gradient_kernel(sq_cuda_weight_gradient u, int tiles_o, int tiles_k)
{
    typedef Shape<WM, WN, MT, NT> S;
    SHARED(uint4, dz, [S::ROWS][S::STRIDE]);
    SHARED(uint4, x, [S::ROWS][S::STRIDE]);
    const int tile = (int)blockIdx.x % (tiles_o * tiles_k), part = (int)blockIdx.x / (tiles_o * tiles_k);
    const int o0 = tile / tiles_k * S::OUTPUTS, k0 = tile % tiles_k * S::INPUTS;
    const int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
    const int output = warp / WN * MT * 2, input = warp % WN * NT; /* the warp's first vectors */
    const Tiles<S> tiles = {dz, x};
    const Column at = {o0 + (int)threadIdx.x % S::COLUMNS * VECTOR, k0 + (int)threadIdx.x % S::COLUMNS * VECTOR};
    const int first = (int)threadIdx.x / S::COLUMNS, chunks = (u.rows - 1) / S::ROWS + 1;
    float sum[MT][NT][4] = {};
    Raw<S::LOADS> raw;
    fetch<S::LOADS, IS_GATHERED>(raw, u, part * S::ROWS + first, at);
    for (int chunk = part; chunk < chunks; chunk += u.parts.parts) {
        store_operands<S, IS_GATHERED>(tiles, raw, u, chunk * S::ROWS + first, at);
        __syncthreads();
        if (chunk + u.parts.parts < chunks)
            fetch<S::LOADS, IS_GATHERED>(raw, u, (chunk + u.parts.parts) * S::ROWS + first, at);
        multiply<S, MT, NT>(sum, tiles, output, input);
        __syncthreads();
    }
    const int outputs = padded(u.dz.c);
    float *partial = u.parts.partial + (size_t)part * (size_t)outputs * (size_t)u.depth;
#pragma unroll
    for (int m = 0; m < MT; m++)
#pragma unroll
        for (int n = 0; n < NT; n++)
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const int row = o0 + (output + 2 * m + half) * VECTOR + lane / 4;
                const int column = k0 + (input + n) * VECTOR + lane % 4 * 2;
                if (row < outputs && column < u.depth)
                    *reinterpret_cast<float2 *>(partial + (size_t)row * (size_t)u.depth + column) =
                        make_float2(sum[m][n][2 * half], sum[m][n][2 * half + 1]);
            }
}

template <int WM, int WN, int MT, int NT, bool IS_GATHERED>
static cudaError_t launch(const sq_cuda_weight_gradient &args, cudaStream_t stream)
{
    typedef Shape<WM, WN, MT, NT> S;
    const sq_cuda_weight_gradient u = args;
    if (u.parts.parts > (u.rows - 1) / S::ROWS + 1)
        return cudaErrorInvalidValue;
    const int tiles_o = (u.dz.c - 1) / S::OUTPUTS + 1, tiles_k = (u.depth - 1) / S::INPUTS + 1;
    const unsigned grid = (unsigned)u.parts.parts * (unsigned)tiles_o * (unsigned)tiles_k;
    LAUNCH((weight_gradient_kernel<WM, WN, MT, NT, IS_GATHERED>), grid, S::THREADS, 0, stream, u, tiles_o, tiles_k);
    return cudaGetLastError();
}

extern "C" cudaError_t sq_cuda_weight_gradient_run(const sq_cuda_weight_gradient *a, cudaStream_t stream)
{
    if (a->rows < 1 || a->rows > 0x7fffff00 || a->depth < 1 || a->depth % VECTOR || a->dz.c < 1 || a->parts.parts < 1)
        return cudaErrorInvalidValue;
    switch (sq_cuda_weight_gradient_shape_of(a->dz.c, a->depth).tile) {
    case 64: /* fused_backward.cu computes pointwise units of this size */
        return a->is_gathered ? launch<2, 2, 2, 4, true>(*a, stream) : cudaErrorInvalidValue;
    case 128: return a->is_gathered ? launch<4, 2, 2, 8, true>(*a, stream) : launch<4, 2, 2, 8, false>(*a, stream);
    default: return a->is_gathered ? launch<5, 2, 2, 10, true>(*a, stream) : launch<5, 2, 2, 10, false>(*a, stream);
    }
}

#define GRADIENT(WM, WN, MT, NT, IS_GATHERED)                                                                          \
    SQ_CUDA_INSTANCE((Shape<WM, WN, MT, NT>::THREADS), 0, (Shape<WM, WN, MT, NT>::BLOCKS),                             \
                     weight_gradient_kernel<WM, WN, MT, NT, IS_GATHERED>)
extern "C" const sq_cuda_instance sq_cuda_weight_gradient_instances[] = {
    GRADIENT(2, 2, 2, 4, true),   GRADIENT(4, 2, 2, 8, false), GRADIENT(4, 2, 2, 8, true), GRADIENT(5, 2, 2, 10, false),
    GRADIENT(5, 2, 2, 10, true), SQ_CUDA_INSTANCES_END};
