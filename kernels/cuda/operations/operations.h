#ifndef SQ_CUDA_OPERATIONS_H
#define SQ_CUDA_OPERATIONS_H

#include "kernels/cuda/operands.h"

/* Launchers of everything except convolutions: joins, means and gates, classifier and loss, update, images. */

#ifdef __cplusplus
extern "C" {
#endif

/* ---- join.cu ---- */

/* Blocks per multiprocessor: used by lowering and as launch bounds. */
enum { SQ_CUDA_JOIN_BLOCKS = 2, SQ_CUDA_JOIN_BACKWARD_BLOCKS = 2, SQ_CUDA_POOL_BACKWARD_BLOCKS = 3 };

typedef struct {
    sq_cuda_view x, y;
    bool has_y;
    sq_bf16 *out;
    int c, pitch, rows;
    bool is_split, is_concat;
    int parts;
} sq_cuda_join;
cudaError_t sq_cuda_join_run(const sq_cuda_join *a, cudaStream_t stream);

/* The gradient of one operand, from that of the output. If the sink is the output's gradient itself, only the sums are
 * computed. */
typedef struct {
    const sq_bf16 *grad;
    int grad_pitch, grad_c, offset; /* offset: the operand's first logical channel in the output */
    bool is_split;
    sq_cuda_sink sink;
    int rows;
    sq_cuda_parts parts;
} sq_cuda_join_backward;
cudaError_t sq_cuda_join_backward_run(const sq_cuda_join_backward *a, cudaStream_t stream);

/* ---- pool.cu: means over pixels, the gate, and their backward ---- */

typedef struct {
    sq_cuda_view x;
    const sq_bf16 *factor; /* multiplied with x before summing (the gate's gradient), or NULL */
    int factor_pitch;
    int n;
    float *out; /* (n, out_pitch) */
    int out_pitch;
    float scale; /* 1 / pixels, or 1 */
    float dropout;
    const sq_step *step;
} sq_cuda_pool;
cudaError_t sq_cuda_pool_run(const sq_cuda_pool *a, cudaStream_t stream);

typedef struct {
    const float *pooled;
    int pooled_pitch, n, c, hidden_count;
    const float *weight, *bias, *weight2, *bias2;
    float *hidden, *gate;
    int hidden_pitch, gate_pitch, activation;
} sq_cuda_gate;
cudaError_t sq_cuda_gate_run(const sq_cuda_gate *a, cudaStream_t stream);

typedef struct {
    sq_cuda_gate gate; /* of the forward pass */
    float *dg;         /* (n, padded c): sums of grad * x in, gradients before the gate's activation out */
    float *dh;         /* (n, padded r): gradients before the hidden relu */
    float *dpooled;    /* (n, padded c) */
    int c_pitch, r_pitch;
} sq_cuda_gate_backward;
cudaError_t sq_cuda_gate_backward_run(const sq_cuda_gate_backward *a, cudaStream_t stream);

/* sink = factor * grad + scale * per_image, the latter with dropout. grad NULL: the second term alone. The sink may be
 * grad. */
typedef struct {
    const sq_bf16 *grad;
    int grad_pitch;
    const float *factor; /* (n, factor_pitch), with grad */
    int factor_pitch;
    const float *per_image; /* (n, image_pitch) */
    int image_pitch;
    float scale;
    float dropout;
    const sq_step *step;
    sq_cuda_sink sink;
    int rows, pixels, c;
    sq_cuda_parts parts;
} sq_cuda_pool_backward;
cudaError_t sq_cuda_pool_backward_run(const sq_cuda_pool_backward *a, cudaStream_t stream);

/* ---- classifier.cu ---- */

typedef struct { /* out (m, n) = a b [+ bias], FP32; element (i, k) of a is a[i * a_row + k * a_column], b likewise */
    const float *a, *b, *bias;
    float *out;
    int m, n, k, a_row, a_column, b_row, b_column, out_pitch;
    const sq_step *step; /* NULL: overwrites out; else adds to it if step->accumulate */
} sq_cuda_gemm;
cudaError_t sq_cuda_gemm_run(const sq_cuda_gemm *a, cudaStream_t stream);

typedef struct { /* out[i] = sum over rows of a (rows, pitch), i < c */
    const float *a;
    float *out;
    int rows, c, pitch;
    const sq_step *step; /* as above */
} sq_cuda_column_sums;
cudaError_t sq_cuda_column_sums_run(const sq_cuda_column_sums *a, cudaStream_t stream);

typedef struct {
    const float *logits;
    int n, classes, pitch;
    const int32_t *labels;
    float *gradient; /* or NULL */
    float label_smoothing;
    sq_result *result;
    double *losses; /* workspace: n */
    int32_t *ranks; /* workspace: n */
    const sq_step *step;
} sq_cuda_loss;
cudaError_t sq_cuda_loss_run(const sq_cuda_loss *a, cudaStream_t stream);

/* ---- update.cu, image.cu, crop.cu ---- */

typedef struct {
    float *weight, *momentum, *average; /* average may be NULL */
    const float *gradient;
    size_t count, decayed_count;
    const sq_step *step;
} sq_cuda_update;
cudaError_t sq_cuda_update_run(const sq_cuda_update *a, cudaStream_t stream);

typedef struct {
    const uint8_t *images; /* (n, h, w, 3) */
    const float *augment;  /* or NULL */
    sq_bf16 *out;
    int n, h, w, out_pitch;
    float mean[3], deviation[3];
    bool is_raw, is_bgr;
} sq_cuda_image;
cudaError_t sq_cuda_image_run(const sq_cuda_image *a, cudaStream_t stream);

enum { SQ_CUDA_CROPS = 96 }; /* of a launch: they are part of its arguments, which are limited to 4,096 bytes */

typedef struct {
    const uint8_t *images;
    uint8_t *out; /* (count, side, side, 3) */
    int count, side;
    int max_across, max_down; /* most input pixels of an output pixel along each axis: set by the launcher */
    sq_stored_crop crops[SQ_CUDA_CROPS];
} sq_cuda_crop;
cudaError_t sq_cuda_crop_run(const sq_cuda_crop *a,
                             cudaStream_t stream); /* cudaErrorInvalidValue: a crop is too large */

/* ---- nonfinite.cu ---- */

enum { SQ_CUDA_NONFINITE_RANGES = 128, SQ_CUDA_NONFINITE_BLOCKS = 32 };

typedef struct {
    int32_t *found; /* (count, SQ_CUDA_NONFINITE_BLOCKS): nonzero where a block found NaN or infinity */
    int count;
    struct {
        const float *values;
        size_t count;
    } ranges[SQ_CUDA_NONFINITE_RANGES];
} sq_cuda_nonfinite;
cudaError_t sq_cuda_nonfinite_run(const sq_cuda_nonfinite *a, cudaStream_t stream);

/* ---- bf16_pack.cu ---- */

enum { SQ_CUDA_BF16_PACK_RANGES = 64 };

typedef struct {
    sq_bf16 *row;
    float divisor; /* for unpacking */
    int count;
    struct {
        float *values;
        size_t count, at; /* at: first element in the row */
    } ranges[SQ_CUDA_BF16_PACK_RANGES];
} sq_cuda_bf16_pack;
cudaError_t sq_cuda_bf16_pack_run(const sq_cuda_bf16_pack *a, cudaStream_t stream);   /* ranges to row */
cudaError_t sq_cuda_bf16_unpack_run(const sq_cuda_bf16_pack *a, cudaStream_t stream); /* row to ranges, divided */

#ifdef __cplusplus
}
#endif
#endif
