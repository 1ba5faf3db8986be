#ifndef SQ_COST_H
#define SQ_COST_H

#include "supernet/space/space.h"

/* Costs of blocks and paths. Multiply-adds are counted as in SPOS: convolutions, the linear layer, and the two layers
 * of squeeze-and-excitation. Norms, activations, pooling and additions count 0. Costs are for one image, without
 * padding. */

typedef struct {
    int64_t macs;             /* multiply-adds for one image */
    int64_t weights;          /* convolution, linear and bias parameters */
    int64_t norm_weights;     /* gamma and beta of an affine network */
    int64_t activation_bytes; /* peak of live FP32 bytes for one image while the block runs, with input and output */
} sq_cost;

sq_cost sq_cost_block(const sq_space *space, int layer, int choice);
/* Sums over the blocks of the path; activation_bytes is the maximum. The parameter count is weights + norm_weights. */
sq_cost sq_cost_path(const sq_space *space, const int *path);

#endif
