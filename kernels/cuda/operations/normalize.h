#ifndef SQ_CUDA_NORMALIZE_H
#define SQ_CUDA_NORMALIZE_H

#include "kernels/cuda/operands.h"

/* Launchers of what stands around a library's convolution in the vendor engine: there nothing is done on load or store,
 * so statistics and gradients are passes of their own. */

#ifdef __cplusplus
extern "C" {
#endif

/* Blocks per multiprocessor, for the planner and the launch bounds. */
enum { SQ_CUDA_COLUMN_MOMENTS_BLOCKS = 4, SQ_CUDA_FORM_GRADIENT_BLOCKS = 2 };

typedef struct { /* moments of each column of a stored Z */
    const sq_bf16 *z;
    int c, pitch, rows;
    sq_cuda_parts parts; /* part p leaves (count, mean, M2) rows of padded c */
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
