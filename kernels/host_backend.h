#ifndef SQ_HOST_BACKEND_H
#define SQ_HOST_BACKEND_H

#include "kernels/backend.h"

/* The functions of sq_backend_ops that are the same in every backend whose device is the host. */

sq_status sq_host_allocate(sq_backend *b, size_t bytes, sq_device_ptr *out);
void sq_host_release(sq_backend *b, sq_device_ptr p);
sq_status sq_host_write(sq_backend *b, sq_device_ptr to, const void *from, size_t bytes);
sq_status sq_host_read(sq_backend *b, void *to, sq_device_ptr from, size_t bytes);
sq_status sq_host_copy(sq_backend *b, sq_device_ptr to, sq_device_ptr from, size_t bytes);
sq_status sq_host_find_nonfinite(sq_backend *b, const sq_range *ranges, int count, int *first);
sq_status sq_host_wait(sq_backend *b);
/* Calls b->ops->run once as a warm-up, then `repeats` times (at least once). Returns the median time. */
sq_status sq_host_measure(sq_backend *b, const sq_program *p, int repeats, double *seconds);
sq_status sq_host_reduce_mean(sq_backend *b, sq_device_ptr values, size_t count, sq_dtype reduce_dtype);
sq_status sq_host_join(sq_backend *b);

/* Returns SQ_UNSUPPORTED if a slot is BF16. */
sq_status sq_host_check_dtypes(const sq_backend *b, const sq_graph *graph);

/* Returns the address of a slot; NULL for SQ_NONE. */
void *sq_host_address(const sq_graph *graph, const sq_binding *at, int slot);

#endif
