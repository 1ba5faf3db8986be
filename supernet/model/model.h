#ifndef SQ_MODEL_H
#define SQ_MODEL_H

#include "supernet/model/memory_plan.h"
#include "supernet/train/log/timeline.h"

/* A supernet on a backend: memory, and one compiled program per (layer, choice, mode). Training and evaluation run
 * these programs along a path (walk.h) and allocate nothing. */

typedef struct sq_model sq_model;

typedef struct {
    sq_block_options block;
    bool is_training;
    sq_model *weights_of; /* shares WEIGHT (with use_average: AVERAGE) of that model, which must outlive this one */
    bool use_average;
    /* Other ranks walk other paths of a step (sq_step_paths). The model then allocates the zero gradients that this
     * rank contributes for blocks that it does not run. */
    bool has_remote_paths;
    sq_dtype reduce_dtype; /* of gradients in the reduction over ranks: SQ_F32 (exact) or SQ_BF16 (rounded) */
} sq_model_options;

/* The error text of SQ_NO_MEMORY states the bytes that the whole model needs and the largest batch that fits. */
SQ_MUST_USE sq_status sq_model_create(sq_model **out, sq_backend *backend, const sq_space *space,
                                      const sq_model_options *options);
void sq_model_destroy(sq_model *model); /* accepts NULL */

const sq_memory_plan *sq_model_plan(const sq_model *model);
sq_backend *sq_model_backend(const sq_model *model);

/* ---- Programs ---- */

/* Compiles all programs of these modes (a set of bits 1 << mode). Programs of other modes are compiled on first use. */
SQ_MUST_USE sq_status sq_model_compile(sq_model *model, unsigned modes);
/* Gets one block's program, which the model owns. Compiles the program if necessary. */
SQ_MUST_USE sq_status sq_model_program(sq_model *model, int layer, int choice, sq_mode mode, const sq_program **out);
/* Runs one block's program. The block's input must be in the boundary that the layer reads. */
SQ_MUST_USE sq_status sq_model_run(sq_model *model, int layer, int choice, sq_mode mode);
/* Measures the median time of one block's evaluate program, in milliseconds, for `squall lut measure`. */
SQ_MUST_USE sq_status sq_model_measure(sq_model *model, int layer, int choice, int repeats, double *milliseconds);
/* Records the programs that run after this call in `timeline`, which is borrowed. NULL stops recording. */
void sq_model_set_timeline(sq_model *model, sq_timeline *timeline);

/* ---- Input, step scalars, results ---- */

/* One batch: images uint8 (n, resolution, resolution, 3) RGB, labels n, augment n * SQ_AUGMENT_COUNT or NULL (none).
 * In evaluation n may be below the plan's batch. Copies of the first image then fill the rest of the batch, and results
 * do not count these copies. */
typedef struct {
    const uint8_t *images;
    const int32_t *labels;
    const float *augment;
    int count;
} sq_model_batch;
SQ_MUST_USE sq_status sq_model_load(sq_model *model, const sq_model_batch *batch);
/* Like sq_model_load, but takes crops of the images at `stored` in the backend's memory; batch->images is ignored. */
SQ_MUST_USE sq_status sq_model_load_crops(sq_model *model, const sq_model_batch *batch, sq_device_ptr stored,
                                          const sq_stored_crop *crops);
/* Sets the scalars of the following walks; valid_count 0 means the count of the last load. `accumulate` is ignored,
 * because the backward pass sets it for each block. */
SQ_MUST_USE sq_status sq_model_set_step(sq_model *model, const sq_step *step);
/* Sets `accumulate` of the device's sq_step, if the new value differs from the current one. For walk.c. */
SQ_MUST_USE sq_status sq_model_set_accumulate(sq_model *model, bool accumulates);

/* Reads the device's sums of loss and correct images since the last call, and clears the sums. */
SQ_MUST_USE sq_status sq_model_result(sq_model *model, sq_result *out);
/* Reads the logits of the last walk: FP32 (count, classes). */
SQ_MUST_USE sq_status sq_model_logits(sq_model *model, float *out, int count);

/* ---- Memory ---- */

/* Copies part of a role (WEIGHT, WEIGHT_GRAD, MOMENTUM, AVERAGE or STATISTICS) from or to the device, and waits. */
SQ_MUST_USE sq_status sq_model_read(sq_model *model, sq_role role, size_t offset, void *to, size_t bytes);
SQ_MUST_USE sq_status sq_model_write(sq_model *model, sq_role role, size_t offset, const void *from, size_t bytes);
/* Device address of a byte of a role, for copies within the device. */
sq_device_ptr sq_model_address(const sq_model *model, sq_role role, size_t offset);
/* Returns the size in bytes of the tensor that `layer` reads, and its address in *where. layer == layer_count: the
 * logits. */
size_t sq_model_boundary(const sq_model *model, int layer, sq_device_ptr *where);

/* Starts the reduction of one block over the ranks, after the block's backward pass: gradients in reduce_dtype, and the
 * statistics of the block's norms in FP32. is_local false: this rank did not run the block and contributes zero
 * gradients. */
SQ_MUST_USE sq_status sq_model_reduce(sq_model *model, int layer, int choice, bool is_local);
/* Waits for all started reductions. */
SQ_MUST_USE sq_status sq_model_join(sq_model *model);

#endif
