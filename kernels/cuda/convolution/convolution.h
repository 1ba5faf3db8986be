#ifndef SQ_CUDA_CONVOLUTION_H
#define SQ_CUDA_CONVOLUTION_H

#include "kernels/cuda/operands.h"

/* Launchers of convolutions, of their gradients, and of the merges of partial results. A launcher checks the shape,
 * chooses a grid and launches. cudaErrorInvalidValue: no kernel exists for the shape. */

#ifdef __cplusplus
extern "C" {
#endif

/* ---- pointwise.cu: rows of pixels times a weight matrix ---- */

typedef enum {
    SQ_CUDA_FORWARD,      /* out = weight * value of x; part p writes (mean, M2) to partial + 2 * p * width */
    SQ_CUDA_FORWARD_KXK,  /* the same for a dense k x k convolution: depth is taps * c_in, channels innermost */
    SQ_CUDA_BACKWARD,     /* sink = weight * dZ; part p writes the sums to the same place, if the sink needs them */
    SQ_CUDA_BACKWARD_KXK, /* the same for k x k: depth is taps * padded c_out */
} sq_cuda_pointwise_mode;

typedef struct {
    sq_cuda_pointwise_mode mode;
    sq_cuda_view x;        /* FORWARD */
    sq_cuda_gradient dz;   /* BACKWARD */
    sq_cuda_geometry at;   /* KXK */
    const sq_bf16 *weight; /* (width, depth), both padded: from sq_cuda_pack_weights */
    int rows, depth, width;
    sq_bf16 *out; /* FORWARD; pitch below */
    int out_pitch;
    sq_cuda_sink sink; /* BACKWARD */
    sq_cuda_parts parts;
} sq_cuda_pointwise;

/* Parts process row blocks in turn. There are at most as many parts as row blocks. A row block has SQ_CUDA_ROW_BLOCK
 * rows or half of that; SQ_CUDA_CHUNK is its size in weight_gradient.cu. */
enum { SQ_CUDA_ROW_BLOCK = 128, SQ_CUDA_POINTWISE_BLOCKS = 2 /* per multiprocessor */, SQ_CUDA_CHUNK = 64 };
/* The kernel for a width: outputs per tile, rows per row block, blocks per multiprocessor. */
typedef struct {
    int tile, rows, blocks;
} sq_cuda_pointwise_shape;
sq_cuda_pointwise_shape sq_cuda_pointwise_shape_of(int width, bool is_backward);
cudaError_t sq_cuda_pointwise_run(const sq_cuda_pointwise *a, cudaStream_t stream);

/* ---- weight_gradient.cu: dW = sum over rows of dZ (x) value of x ---- */

typedef struct {
    sq_cuda_gradient dz;
    sq_cuda_view x;
    sq_cuda_geometry at;
    bool is_gathered;    /* x is gathered by taps, depth = taps * c_in; else rows are pixels of dz and of x */
    int rows, depth;     /* padded columns of x */
    sq_cuda_parts parts; /* part p writes (padded c_out, depth) */
} sq_cuda_weight_gradient;
/* The kernel for c_out and the padded depth: outputs and inputs per tile, rows per chunk, tiles per part, blocks per
 * multiprocessor. */
typedef struct {
    int tile, rows, tiles, blocks;
} sq_cuda_weight_gradient_shape;
/* By tile: rows per chunk, and blocks per multiprocessor. */
#define SQ_CUDA_WEIGHT_GRADIENT_ROWS(tile)   ((tile) > 128 ? SQ_CUDA_CHUNK / 2 : SQ_CUDA_CHUNK)
#define SQ_CUDA_WEIGHT_GRADIENT_BLOCKS(tile) ((tile) > 64 ? 1 : 3)
sq_cuda_weight_gradient_shape sq_cuda_weight_gradient_shape_of(int c_out, int depth);
cudaError_t sq_cuda_weight_gradient_run(const sq_cuda_weight_gradient *a, cudaStream_t stream);

/* ---- fused_backward.cu: both gradients in one pass (fusion level L4), for widths up to 160 ---- */

typedef struct {
    sq_cuda_gradient dz;
    sq_cuda_view x;
    sq_cuda_sink sink;
    const sq_bf16 *weight; /* transposed: (padded c_in, padded c_out) */
    int rows;
    sq_cuda_parts parts; /* weight gradients, as above */
    float *sums;         /* part p writes (S1, S2) of the sink's norm */
} sq_cuda_fused_backward;
/* By width: rows per row block (wide kernels need the registers for their sums), and blocks per multiprocessor. */
#define SQ_CUDA_FUSED_BACKWARD_ROWS(w)   ((w) > 32 ? 32 : 64)
#define SQ_CUDA_FUSED_BACKWARD_BLOCKS(w) ((w) > 96 ? 1 : (w) > 64 ? 2 : (w) > 32 ? 3 : 6)
int sq_cuda_fused_backward_width(int c_in, int c_out); /* of the kernel for these widths; 0: none exists */
/* Whether a kernel exists for these widths. *rows: rows per row block; *blocks: blocks per multiprocessor. */
bool sq_cuda_fused_backward_fits(int c_in, int c_out, int *rows, int *blocks);
cudaError_t sq_cuda_fused_backward_run(const sq_cuda_fused_backward *a, cudaStream_t stream);

/* ---- depthwise.cu, depthwise_backward.cu ---- */

/* Channels of a block; blocks per multiprocessor, used by lowering and as launch bounds. */
enum { SQ_CUDA_SLAB = 32, SQ_CUDA_DEPTHWISE_BLOCKS = 3, SQ_CUDA_DEPTHWISE_BACKWARD_BLOCKS = 2 };

typedef struct {
    sq_cuda_view x;
    sq_cuda_geometry at;
    const float *weight; /* (c, 1, k, k) */
    sq_bf16 *out;
    int out_pitch, c;
    sq_cuda_parts parts; /* per slab of SQ_CUDA_SLAB channels; part p writes rows of padded c: count, mean, M2 */
} sq_cuda_depthwise;
cudaError_t sq_cuda_depthwise_run(const sq_cuda_depthwise *a, cudaStream_t stream);

typedef struct {
    sq_cuda_view x;
    sq_cuda_gradient dz;
    sq_cuda_sink sink; /* data NULL: no gradient of x */
    sq_cuda_geometry at;
    const float *weight;
    int c;
    sq_cuda_parts parts; /* part p writes k * k rows of padded c: gradients of the taps */
    float *sums;         /* part p writes (S1, S2) */
} sq_cuda_depthwise_backward;
cudaError_t sq_cuda_depthwise_backward_run(const sq_cuda_depthwise_backward *a, cudaStream_t stream);

/* Jobs of a depthwise convolution per slab of channels: columns of tiles, over all images. There are at most
 * as many parts as jobs. */
int sq_cuda_depthwise_jobs(const sq_cuda_geometry *at, bool is_backward);

/* ---- statistics.cu: merges ---- */

typedef struct {
    int c, pitch; /* pitch: of the live rows, padded c */
    const float *gamma, *beta;
    float *gamma_grad, *beta_grad, *running_mean, *running_variance, *live;
    float epsilon;
} sq_cuda_norm;

typedef struct {
    sq_cuda_norm norm;
    const float *partial;
    int parts, rows; /* rows of all parts together */
    int row_block;   /* rows per row block; a part wrote (mean, M2). 0: a part wrote (count, mean, M2) */
    const sq_step *step;
} sq_cuda_merge_moments;
/* From moments to the live scale, shift, mean and inverse, and to the running statistics. Chan, Golub, LeVeque 1979,
 * eq. 2.1. */
cudaError_t sq_cuda_merge_moments_run(const sq_cuda_merge_moments *a, cudaStream_t stream);

enum { SQ_CUDA_FIXED_NORMS_LIMIT = 8 }; /* of one launch */
typedef struct {                        /* live rows of several norms, from their running statistics (mode FIXED) */
    sq_cuda_norm norms[SQ_CUDA_FIXED_NORMS_LIMIT];
    int count;
} sq_cuda_fixed_norms;
cudaError_t sq_cuda_fixed_norms_run(const sq_cuda_fixed_norms *a, cudaStream_t stream);

/* S1 and S2 of a norm, then B and C of its dZ. A part has two rows of `width`: sums of dY and of dY (Z - mean). S2 is
 * the latter times 1 / sigma. */
typedef struct {
    float *live;
    int c, pitch, width;
    const float *partial;
    int parts;
    float inverse_count; /* 1 / (n h w) */
} sq_cuda_merge_sums;
cudaError_t sq_cuda_merge_sums_run(const sq_cuda_merge_sums *a, cudaStream_t stream);

typedef struct { /* the gradients of weight, gamma and beta, from partial results */
    const float *partial;
    int parts;
    size_t part_count; /* floats of a part */
    int row_pitch;     /* floats from one output channel to the next, or (depthwise) from one tap to the next */
    int c_out, c_in, taps;
    int input_pitch; /* floats from one tap to the next; 0: c_in */
    bool is_depthwise;
    float *weight_grad; /* PyTorch's layout */
    sq_cuda_norm norm;
    const sq_step *step;
} sq_cuda_merge_gradient;
cudaError_t sq_cuda_merge_gradient_run(const sq_cuda_merge_gradient *a, cudaStream_t stream);

/* ---- pack_weights.cu: FP32 weights to the BF16 matrices that the tensor cores read ---- */

typedef struct {
    const float *from; /* (c_out, c_in, taps) */
    sq_bf16 *to;
    int c_out, c_in, taps;
    int rows, depth;    /* of the padded matrix */
    int input_pitch;    /* elements from one tap to the next in a row, >= c_in; unused if transposed */
    bool is_transposed; /* (c_in, taps * padded c_out) instead of (c_out, taps * c_in) */
} sq_cuda_pack_weights_job;
enum { SQ_CUDA_PACK_WEIGHTS_JOBS = 8 };
typedef struct {
    sq_cuda_pack_weights_job jobs[SQ_CUDA_PACK_WEIGHTS_JOBS];
    int count;
} sq_cuda_pack_weights;
cudaError_t sq_cuda_pack_weights_run(const sq_cuda_pack_weights *a, cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif
