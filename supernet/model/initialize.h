#ifndef SQ_INITIALIZE_H
#define SQ_INITIALIZE_H

#include "supernet/model/model.h"

/* Writes initial weights by the space's rule. Weights of convolutions and of the linear layer are normally distributed
 * with mean 0. The standard deviation of the linear layer is 0.01.
 *
 * SPOS  standard deviation 0.01 for the stem, 1 / shape[1] for other convolutions; gamma 1, beta 1e-4
 * HE    standard deviation sqrt(2 / fan_out) for convolutions; gamma 1, beta 0
 *
 * Biases, running means and momentum are 0, running variances 1. The moving average equals the weights. The result
 * depends only on the plan and the seed. */
SQ_MUST_USE sq_status sq_model_initialize(sq_model *model, uint64_t seed);

#endif
