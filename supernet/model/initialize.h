#ifndef SQ_INITIALIZE_H
#define SQ_INITIALIZE_H

#include "supernet/model/model.h"

/* Writes initial weights by the space's rule. SPOS: stem N(0, 0.01), other convolutions N(0, 1/shape[1]), linear
 * N(0, 0.01), gamma 1, beta 1e-4. HE: convolutions N(0, 2/fan_out), linear N(0, 0.01), gamma 1, beta 0. The second
 * number is a standard deviation for SPOS and linear, a variance for HE. Running mean 0, running variance 1,
 * momentum 0. The result depends only on the seed. */
SQ_MUST_USE sq_status sq_model_initialize(sq_model *model, uint64_t seed);

#endif
