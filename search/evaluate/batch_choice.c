/* Times evaluation batches. */
#include "search/evaluate/batch_choice.h"

#include <math.h>

#include "kernels/base/clock.h"
#include "kernels/base/file.h"
#include "search/evaluate/evaluator.h"
#include "search/json_file.h"
#include "supernet/model/walk.h"

enum { SMALLEST = 16, LARGEST = 1024, TRIES = 3 };
#define WORTHWHILE 0.97 /* time per image relative to the best so far, below which a larger batch is chosen */

/* Sets *seconds to the time of one forward pass of the path with choice 0 in every layer. After one pass to warm up,
 * the fastest of TRIES passes counts. */
static sq_status time_batch(const sq_batch_candidates *c, sq_model *model, int batch, double *seconds)
{
    static const int path[SQ_MAX_LAYERS];
    const sq_model_batch loaded = {c->images->images, c->images->labels, NULL, batch};
    const sq_step step = {.valid_count = batch};
    *seconds = INFINITY;
    SQ_TRY(sq_model_load(model, &loaded));
    SQ_TRY(sq_model_set_step(model, &step));
    for (int i = 0; i <= TRIES; i++) {
        const double begin = sq_seconds_now();
        SQ_TRY(sq_model_walk(model, path, SQ_EVALUATE));
        SQ_TRY(c->backend->ops->wait(c->backend));
        if (i > 0)
            *seconds = fmin(*seconds, sq_seconds_now() - begin);
    }
    return SQ_OK;
}

/* Sets *seconds to the time per image. */
static sq_status time_image(const sq_batch_candidates *c, int batch, double *seconds)
{
    sq_model_options options = {.block = sq_model_plan(c->weights)->options, .weights_of = c->weights};
    sq_model *model = NULL;
    options.block.batch = batch;
    SQ_TRY(sq_model_create(&model, c->backend, c->space, &options));
    const sq_status status = time_batch(c, model, batch, seconds);
    *seconds /= batch;
    sq_model_destroy(model);
    return status;
}

/* Sets *bytes to the scratch memory plus all boundaries of a batch, because a candidate group stores all boundaries. */
static sq_status batch_bytes(const sq_batch_candidates *c, int batch, size_t *bytes)
{
    sq_block_options options = sq_model_plan(c->weights)->options;
    sq_memory_plan plan;
    options.batch = batch;
    SQ_TRY(sq_memory_plan_make(&plan, c->space, &options, false, c->backend));
    *bytes = plan.role_bytes[SQ_ROLE_SCRATCH] + sq_evaluation_boundary_bytes(&plan);
    sq_memory_plan_clear(&plan);
    return SQ_OK;
}

sq_status sq_batch_choose(int *out, const sq_batch_candidates *c)
{
    double best = INFINITY;
    *out = c->images->count < SMALLEST ? (int)c->images->count : SMALLEST;
    for (int batch = *out; batch <= LARGEST && (size_t)batch <= c->images->count; batch *= 2) {
        size_t bytes;
        double seconds;
        SQ_TRY(batch_bytes(c, batch, &bytes));
        if (bytes > c->budget_bytes)
            break;
        SQ_TRY(time_image(c, batch, &seconds));
        if (seconds < WORTHWHILE * best) {
            best = seconds;
            *out = batch;
        }
    }
    return SQ_OK;
}

sq_status sq_batch_choice_write(const char *path, int batch)
{
    return sq_json_write(path, json_pack("{s:i}", "evaluation_batch", batch));
}

sq_status sq_batch_choice_read(const char *path, int *batch)
{
    json_error_t error;
    *batch = 0;
    if (!sq_path_exists(path))
        return SQ_OK;
    json_t *object = json_load_file(path, 0, &error);
    const json_int_t found = json_integer_value(json_object_get(object, "evaluation_batch"));
    json_decref(object);
    if (found < 1 || found > LARGEST)
        return sq_fail(SQ_INVALID, "%s: no evaluation batch from 1 to %d; use --resume never to start over", path,
                       LARGEST);
    *batch = (int)found;
    return SQ_OK;
}
