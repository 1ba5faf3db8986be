#ifndef SQ_CUDA_LOWER_GRAPH_H
#define SQ_CUDA_LOWER_GRAPH_H

#include "kernels/cuda/launches/lowering.h"

/* Appends the launches of the whole graph to l->program; afterwards l->peak_bytes is the size of its workspace.
 * SQ_UNSUPPORTED: an operation or a slot that the backend cannot handle. */
SQ_MUST_USE sq_status sq_cuda_lower(sq_cuda_lowering *l);

/* Sets l->is_vendor for the operations that NVIDIA's libraries can compute: for all of these kinds, or with
 * `is_checked` only where the library has an engine for the shape. */
void sq_cuda_assign_vendor(sq_cuda_lowering *l, bool is_checked);

#endif
