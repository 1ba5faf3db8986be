#ifndef SQ_CUDA_LOWER_CONVOLUTION_H
#define SQ_CUDA_LOWER_CONVOLUTION_H

#include "kernels/cuda/launches/lowering.h"

/* Convolutions as launches of Squall's kernels. Each function lowers l->op, of the kind that its name has. */
void sq_cuda_lower_conv(sq_cuda_lowering *l);
void sq_cuda_lower_conv_backward(sq_cuda_lowering *l);

/* The weights of a dense convolution as the BF16 matrix that the kernels read; `to` is not set. */
sq_cuda_pack_weights_job sq_cuda_weight_matrix(const sq_cuda_lowering *l, const sq_op *op);

#endif
