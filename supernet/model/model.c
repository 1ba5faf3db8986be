/* A supernet in memory: allocations, programs, transfers and reductions. After the programs of a walk have been
 * compiled, the walk allocates nothing. */
#include "supernet/model/model.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supernet/model/block_layout.h"

typedef struct {
    sq_program *modes[SQ_MODES];
} program_set;

struct sq_model {
    const sq_space *space;
    sq_backend *backend;
    sq_memory_plan plan;
    sq_binding binding;
    bool owns_weights;
    program_set **programs; /* [layer][choice] */
    float *neutral_augment; /* for batches without augmentation parameters */
    sq_device_ptr zeros;    /* size of the largest block's gradients; only with options.has_remote_paths */
    int loaded_count;
    sq_dtype reduce_dtype; /* of gradients in the reduction over ranks */
    sq_timeline *timeline; /* borrowed; or NULL */
    int32_t accumulate;    /* copy of `accumulate` in the device's sq_step */
};

const sq_memory_plan *sq_model_plan(const sq_model *model)
{
    return &model->plan;
}

sq_backend *sq_model_backend(const sq_model *model)
{
    return model->backend;
}

static sq_device_ptr at(const sq_model *model, sq_role role, size_t offset)
{
    return (sq_device_ptr){model->binding.base[role].address + offset};
}

/* ---- Creation ---- */

static sq_status allocate_roles(sq_model *model, const sq_model_options *options)
{
    for (int role = 0; role < SQ_ROLES; role++) {
        if (model->plan.role_bytes[role] == 0 || (role == SQ_ROLE_WEIGHT && !model->owns_weights))
            continue;
        SQ_TRY(model->backend->ops->allocate(model->backend, model->plan.role_bytes[role], &model->binding.base[role]));
    }
    if (!model->owns_weights)
        model->binding.base[SQ_ROLE_WEIGHT] =
            options->weights_of->binding.base[options->use_average ? SQ_ROLE_AVERAGE : SQ_ROLE_WEIGHT];
    return SQ_OK;
}

/* Returns the device memory of a plan in bytes. Allocations are rounded up to pages of 2 MiB. */
static size_t bytes_on_device(const sq_memory_plan *plan, bool owns_weights)
{
    const size_t page = (size_t)2 << 20;
    size_t bytes = 0;
    for (int role = 0; role < SQ_ROLES; role++)
        if (role != SQ_ROLE_WEIGHT || owns_weights)
            bytes += (plan->role_bytes[role] + page - 1) / page * page;
    return bytes;
}

/* Finds the largest batch below the model's batch that needs at most `limit` bytes. *out is 0 if no batch fits. */
static sq_status largest_batch(const sq_model *model, size_t limit, int *out)
{
    int low = 0, high = model->plan.options.batch;
    while (high - low > 1) {
        sq_block_options block = model->plan.options;
        sq_memory_plan plan;
        block.batch = low + (high - low) / 2;
        SQ_TRY(sq_memory_plan_make(&plan, model->space, &block, model->plan.is_training, model->backend));
        if (bytes_on_device(&plan, model->owns_weights) <= limit)
            low = block.batch;
        else
            high = block.batch;
        sq_memory_plan_clear(&plan);
    }
    *out = low;
    return SQ_OK;
}

static const char *print_bytes(char *text, size_t text_bytes, size_t bytes)
{
    const bool is_large = bytes >= (size_t)1 << 30;
    (void)snprintf(text, text_bytes, is_large ? "%.1f GiB" : "%.0f MiB",
                   (double)bytes / (is_large ? 1 << 30 : 1 << 20));
    return text;
}

/* After SQ_NO_MEMORY: releases the memory, and reports the bytes of the whole model and the largest batch that fits.
 * Keeps the backend's error text if the device has enough memory, or if the amount of free memory is unknown. */
static sq_status report_memory(sq_model *model)
{
    const struct sq_backend_ops *ops = model->backend->ops;
    const size_t needed = bytes_on_device(&model->plan, model->owns_weights);
    char wanted[32], found[32];
    int batch = 0;
    for (int role = 0; role < SQ_ROLES; role++) {
        if (role != SQ_ROLE_WEIGHT || model->owns_weights)
            ops->release(model->backend, model->binding.base[role]);
        model->binding.base[role] = (sq_device_ptr){NULL};
    }
    const size_t available = ops->available ? ops->available(model->backend) : 0;
    if (available == 0 || needed <= available)
        return SQ_NO_MEMORY;
    SQ_TRY(largest_batch(model, available, &batch));
    (void)print_bytes(wanted, sizeof wanted, needed);
    (void)print_bytes(found, sizeof found, available);
    if (batch < (model->plan.is_training ? 2 : 1)) /* batch norm needs two images in training */
        return sq_fail(SQ_NO_MEMORY, "model of %s: batch %d needs %s, %s are free; no batch fits", model->space->name,
                       model->plan.options.batch, wanted, found);
    return sq_fail(SQ_NO_MEMORY, "model of %s: batch %d needs %s, %s are free; batch %d fits", model->space->name,
                   model->plan.options.batch, wanted, found, batch);
}

static sq_status allocate_tables(sq_model *model)
{
    model->programs = calloc((size_t)model->space->layer_count, sizeof *model->programs);
    if (!model->programs)
        return sq_fail(SQ_NO_MEMORY, "model: program table");
    for (int l = 0; l < model->space->layer_count; l++) {
        model->programs[l] = calloc((size_t)model->space->layers[l].choice_count, sizeof **model->programs);
        if (!model->programs[l])
            return sq_fail(SQ_NO_MEMORY, "model: program table");
    }
    const size_t batch = (size_t)model->plan.options.batch;
    model->neutral_augment = calloc(batch * SQ_AUGMENT_COUNT, sizeof(float));
    if (!model->neutral_augment)
        return sq_fail(SQ_NO_MEMORY, "model: augmentation");
    for (size_t i = 0; i < batch; i++) {
        float *augment = model->neutral_augment + i * SQ_AUGMENT_COUNT;
        augment[SQ_AUGMENT_ORDER] = -1;
        augment[SQ_AUGMENT_BRIGHTNESS] = augment[SQ_AUGMENT_CONTRAST] = augment[SQ_AUGMENT_SATURATION] = 1;
    }
    return SQ_OK;
}

/* Shared weights must have the size of this model's weights. */
static sq_status check_sharing(const sq_model *model, const sq_model_options *options)
{
    const sq_model *source = options->weights_of;
    if (!source)
        return SQ_OK;
    if (source->plan.role_bytes[SQ_ROLE_WEIGHT] != model->plan.role_bytes[SQ_ROLE_WEIGHT])
        return sq_fail(SQ_INVALID, "model: shared weights of %zu bytes, expected %zu",
                       source->plan.role_bytes[SQ_ROLE_WEIGHT], model->plan.role_bytes[SQ_ROLE_WEIGHT]);
    if (options->use_average && source->plan.role_bytes[SQ_ROLE_AVERAGE] == 0)
        return sq_fail(SQ_INVALID, "model: the weights have no moving average");
    return SQ_OK;
}

sq_status sq_model_create(sq_model **out, sq_backend *backend, const sq_space *space, const sq_model_options *options)
{
    sq_model *model = calloc(1, sizeof *model);
    if (!model)
        return sq_fail(SQ_NO_MEMORY, "model of %s", space->name);
    model->space = space;
    model->reduce_dtype = options->reduce_dtype;
    model->backend = backend;
    model->owns_weights = options->weights_of == NULL;
    sq_status status = sq_memory_plan_make(&model->plan, space, &options->block, options->is_training, backend);
    if (status == SQ_OK)
        status = check_sharing(model, options);
    if (status == SQ_OK)
        status = allocate_tables(model);
    if (status == SQ_OK) {
        status = allocate_roles(model, options);
        if (status == SQ_NO_MEMORY)
            status = report_memory(model);
    }
    if (status == SQ_OK && options->has_remote_paths)
        status = backend->ops->allocate(backend, sq_memory_plan_largest(&model->plan, SQ_ROLE_WEIGHT),
                                        &model->zeros); /* zero-filled */
    if (status == SQ_OK)
        *out = model;
    else
        sq_model_destroy(model);
    return status;
}

void sq_model_destroy(sq_model *model)
{
    if (!model)
        return;
    const struct sq_backend_ops *ops = model->backend->ops;
    for (int l = 0; model->programs && l < model->space->layer_count; l++) {
        for (int c = 0; model->programs[l] && c < model->space->layers[l].choice_count; c++)
            for (int mode = 0; mode < SQ_MODES; mode++)
                ops->discard(model->backend, model->programs[l][c].modes[mode]);
        free(model->programs[l]);
    }
    free(model->programs);
    for (int role = 0; role < SQ_ROLES; role++)
        if (role != SQ_ROLE_WEIGHT || model->owns_weights)
            ops->release(model->backend, model->binding.base[role]);
    ops->release(model->backend, model->zeros);
    free(model->neutral_augment);
    if (model->plan.space)
        sq_memory_plan_clear(&model->plan);
    free(model);
}

/* ---- Programs ---- */

static sq_status compile(sq_model *model, int layer, int choice, sq_mode mode)
{
    sq_graph graph = {0};
    sq_region region = model->plan.regions[layer][choice];
    SQ_TRY(sq_block_build(&(sq_block_id){model->space, layer, choice}, mode, &model->plan.options, &region, &graph));
    sq_program **slot = &model->programs[layer][choice].modes[mode];
    const sq_status status = model->backend->ops->compile(model->backend, &graph, &model->binding, slot);
    sq_graph_clear(&graph);
    return status;
}

sq_status sq_model_compile(sq_model *model, unsigned modes)
{
    for (int l = 0; l < model->space->layer_count; l++)
        for (int c = 0; c < model->space->layers[l].choice_count; c++)
            for (int mode = 0; mode < SQ_MODES; mode++)
                if (modes >> mode & 1 && !model->programs[l][c].modes[mode])
                    SQ_TRY(compile(model, l, c, (sq_mode)mode));
    return SQ_OK;
}

sq_status sq_model_program(sq_model *model, int layer, int choice, sq_mode mode, const sq_program **out)
{
    if (!model->programs[layer][choice].modes[mode])
        SQ_TRY(compile(model, layer, choice, mode));
    *out = model->programs[layer][choice].modes[mode];
    return SQ_OK;
}

sq_status sq_model_run(sq_model *model, int layer, int choice, sq_mode mode)
{
    const sq_program *program;
    SQ_TRY(sq_model_program(model, layer, choice, mode, &program));
    const double begin = sq_timeline_now(model->timeline);
    SQ_TRY(model->backend->ops->run(model->backend, program));
    sq_timeline_add(model->timeline, (int)mode, layer, choice, begin);
    return SQ_OK;
}

void sq_model_set_timeline(sq_model *model, sq_timeline *timeline)
{
    model->timeline = timeline;
}

sq_status sq_model_measure(sq_model *model, int layer, int choice, int repeats, double *milliseconds)
{
    double seconds = 0;
    const sq_program *program;
    SQ_TRY(sq_model_program(model, layer, choice, SQ_EVALUATE, &program));
    SQ_TRY(model->backend->ops->measure(model->backend, program, repeats, &seconds));
    *milliseconds = 1e3 * seconds;
    return SQ_OK;
}

/* ---- In and out ---- */

sq_device_ptr sq_model_address(const sq_model *model, sq_role role, size_t offset)
{
    return at(model, role, offset);
}

size_t sq_model_boundary(const sq_model *model, int layer, sq_device_ptr *where)
{
    const sq_memory_plan *plan = &model->plan;
    const bool is_last = layer == model->space->layer_count;
    const sq_region *region = &plan->regions[is_last ? layer - 1 : layer][0];
    *where = at(model, SQ_ROLE_BOUNDARY, is_last ? region->boundary_out : region->boundary_in);
    return sq_memory_plan_boundary_bytes(plan, layer);
}

static sq_status check_count(const sq_model *model, const sq_model_batch *batch)
{
    const int limit = model->plan.options.batch;
    return batch->count >= 1 && batch->count <= limit
               ? SQ_OK
               : sq_fail(SQ_INVALID, "model: batch of %d images, expected 1..%d", batch->count, limit);
}

/* Copies labels and augmentation parameters, and fills the rest of the batch with copies of the first image. */
static sq_status load_rest(sq_model *model, const sq_model_batch *batch)
{
    const struct sq_backend_ops *ops = model->backend->ops;
    const int limit = model->plan.options.batch;
    const sq_input_layout layout = sq_block_input(model->space, limit);
    const size_t side = (size_t)model->space->resolution, image_bytes = side * side * 3, count = (size_t)batch->count;
    const float *augment = batch->augment ? batch->augment : model->neutral_augment;
    SQ_TRY(ops->write(model->backend, at(model, SQ_ROLE_INPUT, layout.labels), batch->labels, count * sizeof(int32_t)));
    SQ_TRY(ops->write(model->backend, at(model, SQ_ROLE_INPUT, layout.augment), augment,
                      count * SQ_AUGMENT_COUNT * sizeof(float)));
    for (size_t i = count; i < (size_t)limit; i++) {
        SQ_TRY(ops->copy(model->backend, at(model, SQ_ROLE_INPUT, i * image_bytes), at(model, SQ_ROLE_INPUT, 0),
                         image_bytes));
        SQ_TRY(ops->write(model->backend, at(model, SQ_ROLE_INPUT, layout.labels + i * sizeof(int32_t)), batch->labels,
                          sizeof(int32_t)));
        SQ_TRY(ops->write(model->backend,
                          at(model, SQ_ROLE_INPUT, layout.augment + i * SQ_AUGMENT_COUNT * sizeof(float)), augment,
                          SQ_AUGMENT_COUNT * sizeof(float)));
    }
    model->loaded_count = batch->count;
    return SQ_OK;
}

sq_status sq_model_load(sq_model *model, const sq_model_batch *batch)
{
    const size_t side = (size_t)model->space->resolution, bytes = (size_t)batch->count * side * side * 3;
    SQ_TRY(check_count(model, batch));
    SQ_TRY(model->backend->ops->write(model->backend, at(model, SQ_ROLE_INPUT, 0), batch->images, bytes));
    return load_rest(model, batch);
}

sq_status sq_model_load_crops(sq_model *model, const sq_model_batch *batch, sq_device_ptr stored,
                              const sq_stored_crop *crops)
{
    SQ_TRY(check_count(model, batch));
    const sq_crop_batch cropped = {stored, crops, batch->count, model->space->resolution, at(model, SQ_ROLE_INPUT, 0)};
    SQ_TRY(model->backend->ops->crop(model->backend, &cropped));
    return load_rest(model, batch);
}

sq_status sq_model_set_accumulate(sq_model *model, bool accumulates)
{
    const int32_t value = accumulates;
    if (model->accumulate == value)
        return SQ_OK;
    SQ_TRY(model->backend->ops->write(model->backend, at(model, SQ_ROLE_STEP, offsetof(sq_step, accumulate)), &value,
                                      sizeof value));
    model->accumulate = value;
    return SQ_OK;
}

sq_status sq_model_set_step(sq_model *model, const sq_step *step)
{
    sq_step filled = *step;
    if (filled.valid_count == 0)
        filled.valid_count = model->loaded_count;
    filled.accumulate = 0;
    model->accumulate = 0;
    return model->backend->ops->write(model->backend, at(model, SQ_ROLE_STEP, 0), &filled, sizeof filled);
}

sq_status sq_model_result(sq_model *model, sq_result *out)
{
    static const sq_result cleared;
    SQ_TRY(model->backend->ops->read(model->backend, out, at(model, SQ_ROLE_RESULT, 0), sizeof *out));
    return model->backend->ops->write(model->backend, at(model, SQ_ROLE_RESULT, 0), &cleared, sizeof cleared);
}

static sq_status check_range(const sq_model *model, sq_role role, size_t offset, size_t bytes)
{
    const size_t limit = model->plan.role_bytes[role];
    if (offset > limit || bytes > limit - offset)
        return sq_fail(SQ_INVALID, "model: bytes %zu..%zu of a role of %zu bytes", offset, offset + bytes, limit);
    return SQ_OK;
}

sq_status sq_model_read(sq_model *model, sq_role role, size_t offset, void *to, size_t bytes)
{
    SQ_TRY(check_range(model, role, offset, bytes));
    return model->backend->ops->read(model->backend, to, at(model, role, offset), bytes);
}

sq_status sq_model_write(sq_model *model, sq_role role, size_t offset, const void *from, size_t bytes)
{
    SQ_TRY(check_range(model, role, offset, bytes));
    return model->backend->ops->write(model->backend, at(model, role, offset), from, bytes);
}

sq_status sq_model_logits(sq_model *model, float *out, int count)
{
    const int last = model->space->layer_count - 1;
    const sq_layer *l = &model->space->layers[last];
    const size_t classes = (size_t)model->space->classes, pitch = (size_t)l->pitch_out;
    for (size_t i = 0; i < (size_t)count; i++)
        SQ_TRY(sq_model_read(model, SQ_ROLE_BOUNDARY,
                             model->plan.regions[last][0].boundary_out + i * pitch * sizeof(float), out + i * classes,
                             classes * sizeof(float)));
    return SQ_OK;
}

/* ---- Reductions ---- */

/* Statistics become means over the ranks; a running variance becomes the mean of the ranks' running variances.
 * Statistics are reduced in FP32 even if gradients are not, because statistics are small. */
sq_status sq_model_reduce(sq_model *model, int layer, int choice, bool is_local)
{
    const struct sq_backend_ops *ops = model->backend->ops;
    const sq_region *region = &model->plan.regions[layer][choice];
    const size_t weight_bytes = region->bytes[SQ_ROLE_WEIGHT], statistics_bytes = region->bytes[SQ_ROLE_STATISTICS];
    const size_t weights = weight_bytes / sizeof(float);
    const sq_device_ptr gradients = at(model, SQ_ROLE_WEIGHT_GRAD, region->at[SQ_ROLE_WEIGHT]);
    if (!is_local && weight_bytes)
        SQ_TRY(ops->copy(model->backend, gradients, model->zeros, weight_bytes));
    sq_timeline_add(model->timeline, SQ_TIME_REDUCTION,
                    (int64_t)(weights * sq_dtype_bytes(model->reduce_dtype) + statistics_bytes), 0,
                    sq_timeline_now(model->timeline));
    SQ_TRY(ops->reduce_mean(model->backend, gradients, weights, model->reduce_dtype));
    if (statistics_bytes == 0)
        return SQ_OK;
    return ops->reduce_mean(model->backend, at(model, SQ_ROLE_STATISTICS, region->at[SQ_ROLE_STATISTICS]),
                            statistics_bytes / sizeof(float), SQ_F32);
}

sq_status sq_model_join(sq_model *model)
{
    const double begin = sq_timeline_now(model->timeline);
    SQ_TRY(model->backend->ops->join(model->backend));
    sq_timeline_add(model->timeline, SQ_TIME_WAIT, 0, 0, begin);
    return SQ_OK;
}
