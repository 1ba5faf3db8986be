/* The evaluation batch, chosen by the clock. */
#include "search/evaluate/batch_choice.h"

#include <math.h>

#include "kernels/base/clock.h"
#include "kernels/base/file.h"
#include "search/json_file.h"
#include "supernet/model/walk.h"

enum { SMALLEST = 16, LARGEST = 1024, TRIES = 3 };
#define WORTHWHILE 0.97 /* of the time of an image at half the batch */

/* Seconds of one forward of the first choices: the least of a few, behind one that is not counted. */
static sq_status time_batch(sq_backend *backend, sq_model *model, const sq_image_set *images, int batch,
                            double *seconds)
{
    static const int path[SQ_MAX_LAYERS];
    const sq_model_batch loaded = {images->images, images->labels, NULL, batch};
    const sq_step step = {.valid_count = batch};
    *seconds = INFINITY;
    SQ_TRY(sq_model_load(model, &loaded));
    SQ_TRY(sq_model_set_step(model, &step));
    for (int i = 0; i <= TRIES; i++) {
        const double begin = sq_seconds_now();
        SQ_TRY(sq_model_walk(model, path, SQ_EVALUATE));
        SQ_TRY(backend->ops->wait(backend));
        if (i > 0)
            *seconds = fmin(*seconds, sq_seconds_now() - begin);
    }
    return SQ_OK;
}

static sq_status time_image(sq_backend *backend, const sq_space *space, sq_model *weights, const sq_image_set *images,
                            int batch, double *seconds)
{
    sq_model_options options = {.block = sq_model_plan(weights)->options, .weights_of = weights};
    sq_model *model = NULL;
    options.block.batch = batch;
    SQ_TRY(sq_model_create(&model, backend, space, &options));
    const sq_status status = time_batch(backend, model, images, batch, seconds);
    *seconds /= batch;
    sq_model_destroy(model);
    return status;
}

/* Every boundary of a batch, as a group of candidates keeps them. */
static sq_status batch_bytes(sq_backend *backend, const sq_space *space, sq_model *weights, int batch, size_t *bytes)
{
    sq_block_options options = sq_model_plan(weights)->options;
    sq_memory_plan plan;
    options.batch = batch;
    SQ_TRY(sq_memory_plan_make(&plan, space, &options, false, backend));
    *bytes = plan.role_bytes[SQ_ROLE_SCRATCH];
    for (int i = 0; i <= space->layer_count; i++)
        *bytes += sq_memory_plan_boundary_bytes(&plan, i);
    sq_memory_plan_clear(&plan);
    return SQ_OK;
}

sq_status sq_batch_choose(int *out, sq_backend *backend, const sq_space *space, sq_model *weights,
                          const sq_image_set *images, size_t budget_bytes)
{
    double best = INFINITY;
    *out = images->count < SMALLEST ? (int)images->count : SMALLEST;
    for (int batch = *out; batch <= LARGEST && (size_t)batch <= images->count; batch *= 2) {
        size_t bytes;
        double seconds;
        SQ_TRY(batch_bytes(backend, space, weights, batch, &bytes));
        if (bytes > budget_bytes)
            break;
        SQ_TRY(time_image(backend, space, weights, images, batch, &seconds));
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
