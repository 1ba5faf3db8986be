#ifndef SQ_CUDA_DEVICE_ERROR_H
#define SQ_CUDA_DEVICE_ERROR_H

#include "kernels/cuda/backend.h"

/* The backend's name. */
#ifdef SQ_CUDA_EMULATED
#define SQ_CUDA_NAME "emulated" /* in the tests on the host */
#else
#define SQ_CUDA_NAME "cuda"
#endif

/* A status for an error of the CUDA runtime. Its text names the programs that were running; b NULL: none. */
sq_status sq_cuda_translate(const sq_cuda_backend *b, cudaError_t error, const char *what);
#define SQ_CUDA(b, call, what) SQ_TRY(sq_cuda_translate((b), (call), (what)))

#endif
