#ifndef SQ_MODEL_H
#define SQ_MODEL_H

#include "kernels/backend.h"
#include "supernet/model/block.h"
#include "supernet/train/timeline.h"

/* A supernet on a backend: one allocation per role, every block's place in it, and the compiled programs. A step or an
 * evaluation is a walk over programs along a path; nothing is allocated in it. */

typedef struct {
    const sq_space *space; /* borrowed */
    sq_block_options options;
    bool is_training; /* has gradients, momentum and saved activations */
    size_t role_bytes[SQ_ROLES];
    sq_region **regions;      /* [layer][choice] */
    sq_parameter *parameters; /* all, in memory order */
    int parameter_count;
} sq_memory_plan;

/* Computes every address, with the dtype, padding and workspace that the backend asks for. backend NULL: no workspace,
 * dtype and padding as the options say (left at 0: FP32, nothing padded), so a plan can be printed without a device.
 * Free with sq_memory_plan_clear. */
SQ_MUST_USE sq_status sq_memory_plan_make(sq_memory_plan *out, const sq_space *space, const sq_block_options *options,
                                          bool is_training, sq_backend *backend);
void sq_memory_plan_clear(sq_memory_plan *plan);
/* Bytes of the tensor that layer `boundary` reads; layer_count: of the logits. */
size_t sq_memory_plan_boundary_bytes(const sq_memory_plan *plan, int boundary);
/* Bytes of the role that the block with most of them has. */
size_t sq_memory_plan_largest(const sq_memory_plan *plan, sq_role role);

const sq_parameter *sq_memory_plan_find(const sq_memory_plan *plan, const char *name); /* NULL when absent */

typedef struct sq_model sq_model;

typedef struct {
    sq_block_options block;
    bool is_training;
    sq_model *weights_of; /* shares WEIGHT (or its AVERAGE, if use_average) of that model; it must outlive this one */
    bool use_average;
    bool has_remote_paths; /* other ranks walk other paths of a step (sq_step_paths): zeros are kept for blocks that are
                        theirs */
    sq_dtype travels; /* what gradients are rounded to on their way between ranks: SQ_F32 (as they are), SQ_BF16 */
} sq_model_options;

/* SQ_NO_MEMORY says what the whole model needs and which batch would fit. */
SQ_MUST_USE sq_status sq_model_create(sq_model **out, sq_backend *backend, const sq_space *space,
                                      const sq_model_options *options);
void sq_model_destroy(sq_model *model); /* accepts NULL */

const sq_memory_plan *sq_model_plan(const sq_model *model);
sq_backend *sq_model_backend(const sq_model *model);

/* Compiles all programs of these modes now (a bit set of 1 << mode); others are made on first use. */
SQ_MUST_USE sq_status sq_model_compile(sq_model *model, unsigned modes);

/* One block's program, compiled now if it was not; the model keeps it. */
SQ_MUST_USE sq_status sq_model_program(sq_model *model, int layer, int choice, sq_mode mode, const sq_program **out);

/* Initial weights by the space's rule (SPOS: stem N(0, 0.01), others N(0, 1/shape[1]), linear N(0, 0.01), gamma 1, beta
 * 1e-4; HE: N(0, 2/fan_out), linear N(0, 0.01), beta 0). Running mean 0, variance 1, momentum 0. A function of the
 * seed alone. */
SQ_MUST_USE sq_status sq_model_initialize(sq_model *model, uint64_t seed);

/* One batch: images uint8 (n, resolution, resolution, 3) RGB, labels n, augment n * SQ_AUGMENT_COUNT or NULL (none).
 * n may be below the plan's batch in evaluation; what is missing repeats the first image and does not count. */
typedef struct {
    const uint8_t *images;
    const int32_t *labels;
    const float *augment;
    int count;
} sq_model_batch;
SQ_MUST_USE sq_status sq_model_load(sq_model *model, const sq_model_batch *batch);
/* The same, with crops of the images at `kept`, in the backend's memory; batch->images is not looked at.
 */
SQ_MUST_USE sq_status sq_model_load_crops(sq_model *model, const sq_model_batch *batch, sq_device_ptr kept,
                                         const sq_stored_crop *crops);
/* Sets the scalars of the following walks; valid_count 0 stands for the count of the last load. `accumulate` is the
 * model's own: backward sets it block by block. */
SQ_MUST_USE sq_status sq_model_set_step(sq_model *model, const sq_step *step);

/* What runs from now on is noted in it (NULL: nowhere); borrowed. */
void sq_model_set_timeline(sq_model *model, sq_timeline *timeline);

/* Walks: forward (training statistics) and loss; backward with reductions; update of what the path used. */
SQ_MUST_USE sq_status sq_model_forward(sq_model *model, const int *path);
SQ_MUST_USE sq_status sq_model_backward(sq_model *model, const int *path);
SQ_MUST_USE sq_status sq_model_update(sq_model *model, const int *path);

/* Several paths before one update: for index 0, 1, ... count - 1 a forward along that path and then
 * sq_model_backward_of, which writes the gradients of blocks that no path before it used, and adds to those of blocks
 * that one did; in the end sq_model_update_of updates every block that any of them used, once. Sums are made in the
 * order of the paths; step.gradient_scale weighs each. A block's gradients travel between ranks behind its last use.
 * With one path this is sq_model_backward and sq_model_update, to the bit. */
typedef struct {
    const int *first; /* path i begins at first + i * SQ_MAX_LAYERS; borrowed */
    int count;
    /* Where ranks share a step's paths out: those that this rank walks, by index; own_count 0: all. The gradients of
     * every block that any path uses then travel in the backward of the last own path, in an order that is the same on
     * all ranks; a rank that did not walk a block gives zeros, and its norms' statistics as they are. */
    int local_first, local_count;
} sq_step_paths;
SQ_MUST_USE sq_status sq_model_backward_of(sq_model *model, const sq_step_paths *paths, int index);
SQ_MUST_USE sq_status sq_model_update_of(sq_model *model, const sq_step_paths *paths);

/* One block's program: a step of a walk. What it reads must be where the layer before it leaves it. */
SQ_MUST_USE sq_status sq_model_run(sq_model *model, int layer, int choice, sq_mode mode);
/* Forward walk in mode COLLECT or EVALUATE, the loss included. */
SQ_MUST_USE sq_status sq_model_walk(sq_model *model, const int *path, sq_mode mode);

/* Reads the sums since the last clear, and clears them. */
SQ_MUST_USE sq_status sq_model_result(sq_model *model, sq_result *out);

/* A whole role, or one parameter of it (role WEIGHT, WEIGHT_GRAD, MOMENTUM, AVERAGE or STATISTICS). Waits. */
SQ_MUST_USE sq_status sq_model_read(sq_model *model, sq_role role, size_t offset, void *to, size_t bytes);
SQ_MUST_USE sq_status sq_model_write(sq_model *model, sq_role role, size_t offset, const void *from, size_t bytes);

/* Where a byte of a role lies on the device, for copies within it. */
sq_device_ptr sq_model_address(const sq_model *model, sq_role role, size_t offset);
/* The tensor that `layer` reads (layer_count: the logits): its bytes, and where it lies. */
size_t sq_model_boundary(const sq_model *model, int layer, sq_device_ptr *where);

/* Logits of the last walk: FP32 (count, classes). */
SQ_MUST_USE sq_status sq_model_logits(sq_model *model, float *out, int count);

/* Median milliseconds of one block's evaluate program: what `squall lut measure` writes. */
SQ_MUST_USE sq_status sq_model_measure(sq_model *model, int layer, int choice, int repeats, double *milliseconds);

#endif
