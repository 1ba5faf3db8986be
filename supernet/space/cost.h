#ifndef SQ_COST_H
#define SQ_COST_H

#include "supernet/model/block.h"

/* What a path costs, layer by layer. Multiply-adds are counted as SPOS does: convolutions and the linear layer, SE's
 * two layers included; norms, activations, pooling and additions are free. Padding and batch do not count. */

typedef struct {
    int64_t macs;         /* multiply-adds for one image */
    int64_t weights;      /* convolution, linear and bias parameters */
    int64_t norm_weights; /* gamma and beta of an affine network */
    int64_t
        activation_bytes; /* largest live FP32 bytes for one image while the block runs, input and output included */
} sq_cost;

sq_cost sq_cost_block(const sq_space *space, int layer, int choice);
/* Sum over the path; activation_bytes is the largest. parameters = weights + norm_weights. */
sq_cost sq_cost_path(const sq_space *space, const int *path);

#endif
