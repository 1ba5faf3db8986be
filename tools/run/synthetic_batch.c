/* Makes random images and labels. */
#include "tools/run/synthetic_batch.h"

#include <stdlib.h>

#include "kernels/base/rng.h"

sq_step sq_synthetic_batch_step(const sq_memory_plan *plan, const sq_session *session, int64_t step)
{
    return (sq_step){
        .seed = (uint64_t)session->config->seed,
        .step = (uint64_t)step,
        .learning_rate = 1e-4f, /* small, so that training on random labels does not diverge */
        .momentum = (float)session->config->train.momentum,
        .weight_decay = (float)session->config->train.weight_decay,
        .statistics_rate = plan->space->momentum,
        .average_decay = (float)session->config->train.average_decay,
        .gradient_scale = 1,
        .valid_count = plan->options.batch,
    };
}

sq_status sq_synthetic_batch_make(sq_synthetic_batch *out, const sq_memory_plan *plan, uint64_t seed)
{
    const size_t batch = (size_t)plan->options.batch, side = (size_t)plan->space->resolution,
                 count = batch * side * side * 3;
    sq_synthetic_batch drawn = {malloc(count), malloc(batch * sizeof *drawn.labels), (int)batch};
    sq_rng rng = sq_rng_open(seed, SQ_RNG_TEST, 0);
    if (!drawn.images || !drawn.labels) {
        sq_synthetic_batch_clear(&drawn);
        return sq_fail(SQ_NO_MEMORY, "synthetic batch: %zu bytes", count);
    }
    for (size_t i = 0; i < count; i++)
        drawn.images[i] = (uint8_t)(sq_rng_u32(&rng) >> 24);
    for (size_t i = 0; i < batch; i++)
        drawn.labels[i] = (int32_t)sq_rng_below(&rng, (uint32_t)plan->space->classes);
    *out = drawn;
    return SQ_OK;
}

void sq_synthetic_batch_clear(sq_synthetic_batch *batch)
{
    free(batch->images);
    free(batch->labels);
    *batch = (sq_synthetic_batch){0};
}

sq_status sq_synthetic_batch_load(sq_model *model, const sq_synthetic_batch *batch)
{
    return sq_model_load(model, &(sq_model_batch){batch->images, batch->labels, NULL, batch->count});
}
