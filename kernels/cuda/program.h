#ifndef SQ_CUDA_PROGRAM_H
#define SQ_CUDA_PROGRAM_H

#include "kernels/cuda/backend.h"

/* Programs: from a graph to a launch list, recorded as a CUDA graph unless that is switched off. Both forms run the
 * same kernels with the same arguments and give the same bits. Members of sq_backend_ops (kernels/backend.h). */

sq_status sq_cuda_workspace(sq_backend *base, const sq_graph *g, size_t *bytes);
sq_status sq_cuda_compile(sq_backend *base, const sq_graph *g, const sq_binding *at, sq_program **out);
sq_status sq_cuda_run(sq_backend *base, const sq_program *p);
void sq_cuda_discard(sq_backend *base, sq_program *p);

#endif
