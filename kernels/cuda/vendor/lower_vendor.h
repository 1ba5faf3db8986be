#ifndef SQ_CUDA_LOWER_VENDOR_H
#define SQ_CUDA_LOWER_VENDOR_H

#include "kernels/cuda/launches/lowering.h"

/* Convolutions and linear layers as calls of NVIDIA's libraries. Each function lowers l->op, of the kind that its name
 * has. */
void sq_cuda_lower_vendor_conv(sq_cuda_lowering *l);
void sq_cuda_lower_vendor_conv_backward(sq_cuda_lowering *l);
void sq_cuda_lower_vendor_linear(sq_cuda_lowering *l);
void sq_cuda_lower_vendor_linear_backward(sq_cuda_lowering *l);

/* Makes the libraries' execution plans for a convolution or a linear layer. SQ_UNSUPPORTED: no engine for its shape. */
SQ_MUST_USE sq_status sq_cuda_check_vendor(sq_cuda_lowering *l, const sq_op *op);

/* The weights of a convolution as the BF16 tensor that the libraries read; `to` is not set. */
sq_cuda_pack_weights_job sq_cuda_vendor_weight_matrix(const sq_cuda_lowering *l, const sq_op *op);

#endif
