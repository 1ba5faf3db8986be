/* Calibrates and scores one path with two models that share their weights. One model has the calibration batch, the
 * other the evaluation batch. Evaluating a path allocates nothing. */
#include "search/evaluate/evaluator.h"

#include <stdlib.h>
#include <string.h>

#include "supernet/model/walk.h"

struct sq_evaluator {
    sq_model *collect, *score;
    sq_evaluation_data data;
    void *statistics; /* host copy of one block's statistics, with room for the largest */
    size_t statistics_bytes;
};

static size_t largest_statistics(const sq_memory_plan *plan)
{
    size_t largest = 0;
    for (int l = 0; l < plan->space->layer_count; l++)
        for (int c = 0; c < plan->space->layers[l].choice_count; c++) {
            const size_t bytes = plan->regions[l][c].bytes[SQ_ROLE_STATISTICS];
            largest = bytes > largest ? bytes : largest;
        }
    return largest;
}

static sq_status create_models(sq_evaluator *e, sq_backend *backend, const sq_space *space, sq_model *weights)
{
    sq_model_options options = {
        .block = sq_model_plan(weights)->options, .weights_of = weights, .use_average = e->data.use_average};
    options.block.batch = e->data.calibration_batch;
    SQ_TRY(sq_model_create(&e->collect, backend, space, &options));
    options.block.batch = e->data.evaluation_batch;
    SQ_TRY(sq_model_create(&e->score, backend, space, &options));
    SQ_TRY(sq_model_compile(e->collect, 1u << SQ_COLLECT));
    return sq_model_compile(e->score, 1u << SQ_EVALUATE);
}

sq_status sq_evaluation_data_check(const sq_evaluation_data *d)
{
    if (d->calibration_batch < 2 || d->evaluation_batch < 1 || d->calibration->count < (size_t)d->calibration_batch)
        return sq_fail(SQ_INVALID,
                       "search: %zu calibration images in batches of %d, evaluation batch %d: expected at least one "
                       "whole batch of 2 or more",
                       d->calibration->count, d->calibration_batch, d->evaluation_batch);
    return SQ_OK;
}

size_t sq_evaluation_boundary_bytes(const sq_memory_plan *plan)
{
    size_t bytes = 0;
    for (int i = 0; i <= plan->space->layer_count; i++)
        bytes += sq_memory_plan_boundary_bytes(plan, i);
    return bytes;
}

sq_status sq_evaluator_create(sq_evaluator **out, sq_backend *backend, const sq_space *space, sq_model *weights,
                              const sq_evaluation_data *data)
{
    SQ_TRY(sq_evaluation_data_check(data));
    sq_evaluator *e = calloc(1, sizeof *e);
    if (!e)
        return sq_fail(SQ_NO_MEMORY, "evaluator");
    e->data = *data;
    sq_status status = create_models(e, backend, space, weights);
    if (status == SQ_OK) {
        e->statistics_bytes = largest_statistics(sq_model_plan(e->collect));
        e->statistics = calloc(1, e->statistics_bytes + 1);
        status = e->statistics ? SQ_OK : sq_fail(SQ_NO_MEMORY, "evaluator: statistics");
    }
    if (status == SQ_OK)
        *out = e;
    else
        sq_evaluator_destroy(e);
    return status;
}

void sq_evaluator_destroy(sq_evaluator *e)
{
    if (!e)
        return;
    sq_model_destroy(e->score);
    sq_model_destroy(e->collect);
    free(e->statistics);
    free(e);
}

/* Sets the path's statistics to zero, because a NaN from an earlier calibration would otherwise remain. */
static sq_status reset(sq_evaluator *e, const int *path)
{
    const sq_memory_plan *plan = sq_model_plan(e->collect);
    memset(e->statistics, 0, e->statistics_bytes);
    for (int l = 0; l < plan->space->layer_count; l++) {
        const sq_region *r = &plan->regions[l][path[l]];
        SQ_TRY(sq_model_write(e->collect, SQ_ROLE_STATISTICS, r->at[SQ_ROLE_STATISTICS], e->statistics,
                              r->bytes[SQ_ROLE_STATISTICS]));
    }
    return SQ_OK;
}

sq_status sq_evaluator_adopt(sq_evaluator *e, sq_model *source, const int *path)
{
    const sq_memory_plan *plan = sq_model_plan(e->collect);
    for (int l = 0; l < plan->space->layer_count; l++) {
        const sq_region *r = &plan->regions[l][path[l]];
        const size_t at = r->at[SQ_ROLE_STATISTICS], bytes = r->bytes[SQ_ROLE_STATISTICS];
        SQ_TRY(sq_model_read(source, SQ_ROLE_STATISTICS, at, e->statistics, bytes));
        if (source != e->collect)
            SQ_TRY(sq_model_write(e->collect, SQ_ROLE_STATISTICS, at, e->statistics, bytes));
        SQ_TRY(sq_model_write(e->score, SQ_ROLE_STATISTICS, at, e->statistics, bytes));
    }
    return SQ_OK;
}

sq_status sq_evaluator_calibrate(sq_evaluator *e, const int *path)
{
    const size_t image = (size_t)e->data.calibration->resolution * (size_t)e->data.calibration->resolution * 3;
    const size_t batch = (size_t)e->data.calibration_batch, batches = e->data.calibration->count / batch;
    sq_result ignored;
    SQ_TRY(reset(e, path));
    for (size_t i = 0; i < batches; i++) {
        const sq_model_batch loaded = {e->data.calibration->images + i * batch * image,
                                       e->data.calibration->labels + i * batch, NULL, e->data.calibration_batch};
        const sq_step step = {.statistics_rate = 1.0f / (float)(i + 1)};
        SQ_TRY(sq_model_load(e->collect, &loaded));
        SQ_TRY(sq_model_set_step(e->collect, &step));
        SQ_TRY(sq_model_walk(e->collect, path, SQ_COLLECT));
    }
    SQ_TRY(sq_model_result(e->collect, &ignored));
    return sq_evaluator_adopt(e, e->collect, path);
}

sq_status sq_evaluator_score(sq_evaluator *e, const int *path, int image_limit, sq_result *out)
{
    const size_t image = (size_t)e->data.validation->resolution * (size_t)e->data.validation->resolution * 3;
    const size_t batch = (size_t)e->data.evaluation_batch, all = e->data.validation->count;
    const size_t count = image_limit > 0 && (size_t)image_limit < all ? (size_t)image_limit : all;
    for (size_t first = 0; first < count; first += batch) {
        const int images = count - first < batch ? (int)(count - first) : e->data.evaluation_batch;
        const sq_model_batch loaded = {e->data.validation->images + first * image, e->data.validation->labels + first,
                                       NULL, images};
        const sq_step step = {.valid_count = images};
        SQ_TRY(sq_model_load(e->score, &loaded));
        SQ_TRY(sq_model_set_step(e->score, &step));
        SQ_TRY(sq_model_walk(e->score, path, SQ_EVALUATE));
    }
    return sq_model_result(e->score, out);
}

sq_model *sq_evaluator_model(sq_evaluator *e)
{
    return e->score;
}
