#ifndef SQ_CUDA_NORMALIZE_H
#define SQ_CUDA_NORMALIZE_H

#include "kernels/cuda/operands.h"

/* Launchers of the passes around a library's convolution in the vendor engine. The libraries compute nothing on load
 * or store, so statistics and gradients need separate passes. */

#ifdef __cplusplus
extern "C" {
#endif

/* Blocks per multiprocessor: used by lowering and as launch bounds. */
enum { SQ_CUDA_COLUMN_MOMENTS_BLOCKS = 4, SQ_CUDA_FORM_GRADIENT_BLOCKS = 2 };

typedef struct { /* moments of each column of a stored Z */
    const sq_bf16 *z;
    int c, pitch, rows;
    sq_cuda_parts parts; /* part p writes rows of padded c: count, mean, M2 */
} sq_cuda_column_moments;
cudaError_t sq_cuda_column_moments_run(const sq_cuda_column_moments *a, cudaStream_t stream);

typedef struct { /* out (rows, padded c) = dZ, rounded to BF16 */
    sq_cuda_gradient dz;
    sq_bf16 *out;
    int rows, parts;
} sq_cuda_form_gradient;
cudaError_t sq_cuda_form_gradient_run(const sq_cuda_form_gradient *a, cudaStream_t stream);

typedef struct {
    const sq_bf16 *from;
    float *to;
    int count;
} sq_cuda_convert;
cudaError_t sq_cuda_convert_run(const sq_cuda_convert *a, cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif
