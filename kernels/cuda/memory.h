#ifndef SQ_CUDA_MEMORY_H
#define SQ_CUDA_MEMORY_H

#include "kernels/cuda/backend.h"

SQ_MUST_USE sq_status sq_cuda_memory_open(sq_cuda_backend *b);
void sq_cuda_memory_close(sq_cuda_backend *b); /* call it with idle streams; accepts what a failed open left */

/* ---- Members of sq_backend_ops (kernels/backend.h) ---- */

size_t sq_cuda_available(sq_backend *base);
sq_status sq_cuda_allocate(sq_backend *base, size_t bytes, sq_device_ptr *out);
void sq_cuda_release(sq_backend *base, sq_device_ptr p);
sq_status sq_cuda_wait(sq_backend *base);
sq_status sq_cuda_write(sq_backend *base, sq_device_ptr to, const void *from, size_t bytes);
sq_status sq_cuda_read(sq_backend *base, void *to, sq_device_ptr from, size_t bytes);
sq_status sq_cuda_copy(sq_backend *base, sq_device_ptr to, sq_device_ptr from, size_t bytes);
sq_status sq_cuda_find_nonfinite(sq_backend *base, const sq_range *ranges, int count, int *first);
sq_status sq_cuda_crop_images(sq_backend *base, const sq_crop_batch *batch);

#endif
