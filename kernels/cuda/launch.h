#ifndef SQ_CUDA_LAUNCH_H
#define SQ_CUDA_LAUNCH_H

#include "kernels/cuda/launches/launch_list.h"

/* Enqueues the launch on the stream. A failed call of NVIDIA's libraries returns cudaErrorUnknown, with the reason in
 * sq_error_text(); these calls use the stream that sq_vendor_open got. */
cudaError_t sq_cuda_launch_run(const sq_cuda_launch *launch, cudaStream_t stream);

/* Frees the list and the library calls that it owns. */
void sq_cuda_launches_free(sq_cuda_launch *launches, int count);

#endif
