#ifndef SQ_HOST_MEMORY_H
#define SQ_HOST_MEMORY_H

#include "kernels/backend.h"

/* The parts of sq_backend_ops that are the same on every backend whose device is the host: memory, copies, one rank. */

sq_status sq_host_allocate(sq_backend *b, size_t bytes, sq_device_ptr *out);
void sq_host_release(sq_backend *b, sq_device_ptr p);
sq_status sq_host_write(sq_backend *b, sq_device_ptr to, const void *from, size_t bytes);
sq_status sq_host_read(sq_backend *b, void *to, sq_device_ptr from, size_t bytes);
sq_status sq_host_copy(sq_backend *b, sq_device_ptr to, sq_device_ptr from, size_t bytes);
sq_status sq_host_find_nonfinite(sq_backend *b, const sq_range *ranges, int count, int *first);
sq_status sq_host_wait(sq_backend *b);
/* Runs through b->ops->run: one warm-up, then the median of `repeats` (at least 1). */
sq_status sq_host_measure(sq_backend *b, const sq_program *p, int repeats, double *seconds);
sq_status sq_host_reduce_mean(sq_backend *b, sq_device_ptr values, size_t count, sq_dtype travels);
sq_status sq_host_join(sq_backend *b);

/* SQ_UNSUPPORTED when a slot is BF16. */
sq_status sq_host_check_dtypes(const sq_backend *b, const sq_graph *graph);

/* Address of a slot; NULL for SQ_NONE. */
void *sq_host_address(const sq_graph *graph, const sq_binding *at, int slot);

/* Keep mask of dropout, the same on every backend: 1 / (1 - rate) or 0 for element `index` of step `step`. */
float sq_dropout_scale(uint64_t seed, uint64_t step, uint32_t index, float rate);

/* Averages what `count` images of logits gave into `result` and (may be NULL) their gradient. One row; see SQ_OP_LOSS.
 */
typedef struct {
    const float *logits;
    float *gradient;
    int classes, label;
    float smoothing, scale;
} sq_loss_row;
void sq_loss_of_row(const sq_loss_row *row, sq_result *result);

#endif
