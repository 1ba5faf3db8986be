/* test_tensor_core.cu - see test_tensor_core.h. Each lane passes its fragments unchanged. */
#include "test_tensor_core.h"

#include "kernels/cuda/convolution/tensor_core.cuh"

static __global__ void mma_once(float *d, const unsigned *a, const unsigned *b, const float *c)
{
    const unsigned lane = threadIdx.x;
    float sum[4] = {c[4 * lane], c[4 * lane + 1], c[4 * lane + 2], c[4 * lane + 3]};
    mma_bf16_16x8x16(sum, a + 4 * lane, b + 2 * lane, sum);
    for (int i = 0; i < 4; i++)
        d[4 * lane + i] = sum[i];
}

static __global__ void load_matrix_once(unsigned *out, const uint4 *rows, int kind)
{
    SHARED(uint4, tile, [32]);
    const unsigned lane = threadIdx.x;
    tile[lane] = rows[lane];
    __syncthreads();
    unsigned words[4] = {};
    switch (kind) {
    case LOAD_X4: load_matrix_x4(words, &tile[lane]); break;
    case LOAD_X4_TRANSPOSED: load_matrix_x4_transposed(words, &tile[lane]); break;
    case LOAD_X2_TRANSPOSED: load_matrix_x2_transposed(words, &tile[lane]); break;
    }
    for (int i = 0; i < 4; i++)
        out[4 * lane + i] = words[i];
}

/* Computes d = a b with both instructions, where a (16, 16) and b (16, 8) are row-major and loaded through shared
 * memory. */
static __global__ void product_once(float *d, const uint4 *a, const uint4 *b)
{
    SHARED(uint4, rows_a, [16][2]);
    SHARED(uint4, rows_b, [16]);
    const int lane = (int)threadIdx.x;
    rows_a[lane / 2][lane % 2] = a[lane];
    if (lane < 16)
        rows_b[lane] = b[lane];
    __syncthreads();
    unsigned fragment_a[4], fragment_b[2];
    float sum[4] = {};
    load_matrix_x4(fragment_a, &rows_a[lane % 16][lane / 16]);
    load_matrix_x2_transposed(fragment_b, &rows_b[lane % 16]);
    mma_bf16_16x8x16(sum, fragment_a, fragment_b, sum);
    for (int i = 0; i < 4; i++)
        d[(lane / 4 + 8 * (i / 2)) * 8 + 2 * (lane % 4) + i % 2] = sum[i];
}

void tensor_mma(float *d, const unsigned *a, const unsigned *b, const float *c)
{
    LAUNCH(mma_once, 1, 32, 0, (cudaStream_t)0, d, a, b, c);
}
void tensor_load_matrix(unsigned *out, const void *rows, int kind)
{
    LAUNCH(load_matrix_once, 1, 32, 0, (cudaStream_t)0, out, (const uint4 *)rows, kind);
}
void tensor_product(float *d, const void *a, const void *b)
{
    LAUNCH(product_once, 1, 32, 0, (cudaStream_t)0, d, (const uint4 *)a, (const uint4 *)b);
}
