#ifndef SQ_SYNTHETIC_BATCH_H
#define SQ_SYNTHETIC_BATCH_H

#include "tools/run/session.h"

/* Random images and labels are for measurements that require no data set. */

typedef struct {
    uint8_t *images; /* owned; labels are owned, too */
    int32_t *labels;
    int count;
} sq_synthetic_batch;

SQ_MUST_USE sq_status sq_synthetic_batch_make(sq_synthetic_batch *out, const sq_memory_plan *plan, uint64_t seed);
void sq_synthetic_batch_clear(sq_synthetic_batch *batch);

/* Copies the batch to the model's device, as the trainer does at each step. */
SQ_MUST_USE sq_status sq_synthetic_batch_load(sq_model *model, const sq_synthetic_batch *batch);

/* Returns the scalars of a training step on random images. */
sq_step sq_synthetic_batch_step(const sq_memory_plan *plan, const sq_session *session, int64_t step);

#endif
