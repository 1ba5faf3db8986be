#ifndef SQ_CUDA_LOWER_OPERATIONS_H
#define SQ_CUDA_LOWER_OPERATIONS_H

#include "kernels/cuda/launches/lowering.h"

/* Everything except convolutions as launches. Each function lowers l->op, of the kind that its name has. */
void sq_cuda_lower_image(sq_cuda_lowering *l);
void sq_cuda_lower_join(sq_cuda_lowering *l);
void sq_cuda_lower_join_backward(sq_cuda_lowering *l);
void sq_cuda_lower_gate(sq_cuda_lowering *l);
void sq_cuda_lower_gate_backward(sq_cuda_lowering *l);
void sq_cuda_lower_pool(sq_cuda_lowering *l);
void sq_cuda_lower_pool_backward(sq_cuda_lowering *l);
void sq_cuda_lower_linear(sq_cuda_lowering *l);
void sq_cuda_lower_linear_backward(sq_cuda_lowering *l);
void sq_cuda_lower_loss(sq_cuda_lowering *l);
void sq_cuda_lower_update(sq_cuda_lowering *l);

#endif
