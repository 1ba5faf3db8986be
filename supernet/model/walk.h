#ifndef SQ_WALK_H
#define SQ_WALK_H

#include "supernet/model/model.h"

/* Runs a model's programs along paths: forward, backward with reductions, update. */

/* Forward along a path in mode FORWARD, COLLECT or EVALUATE, with the loss. */
SQ_MUST_USE sq_status sq_model_walk(sq_model *model, const int *path, sq_mode mode);
/* Forward in mode FORWARD: training statistics and loss. */
SQ_MUST_USE sq_status sq_model_forward(sq_model *model, const int *path);
/* Backward with reductions, and update of the blocks on the path. */
SQ_MUST_USE sq_status sq_model_backward(sq_model *model, const int *path);
SQ_MUST_USE sq_status sq_model_update(sq_model *model, const int *path);

/* The paths of one step. For index 0, 1, ... count - 1 run a forward along that path, then sq_model_backward_of: it
 * writes the gradients of blocks that no earlier path used, and adds to the gradients of the others. Then
 * sq_model_update_of updates every block that any path used, once. Sums are made in the order of the paths;
 * step.gradient_scale weighs each. The reduction of a block starts after its last use. With one path the result equals
 * that of sq_model_backward and sq_model_update, bit for bit. */
typedef struct {
    const int *first; /* path i begins at first + i * SQ_MAX_LAYERS; borrowed */
    int count;
    /* Where the paths are split across ranks: the range that this rank walks. local_count 0: all. The backward pass of
     * the last local path then reduces every block that any path uses, in the same order on all ranks. A rank that did
     * not run a block contributes zero gradients, and its norms' statistics unchanged. */
    int local_first, local_count;
} sq_step_paths;

/* Begin and end (exclusive) of the range that this rank walks. */
int sq_step_paths_begin(const sq_step_paths *paths);
int sq_step_paths_end(const sq_step_paths *paths);
const int *sq_step_paths_at(const sq_step_paths *paths, int index);

/* The calls of a training step along its paths, in order. sq_model_backward_of and sq_model_update_of make them on a
 * model; squall forecast collects them to predict the time of a step. */
typedef struct {
    int layer_count;
    sq_status (*accumulate)(void *context, bool is_on); /* add to gradients instead of writing them */
    sq_status (*run)(void *context, int layer, int choice, sq_mode mode);
    sq_status (*reduce)(void *context, int layer, int choice, bool is_local);
    sq_status (*join)(void *context); /* wait for all reductions */
    void *context;
} sq_walk_calls;

SQ_MUST_USE sq_status sq_walk_backward(const sq_walk_calls *calls, const sq_step_paths *paths, int index);
SQ_MUST_USE sq_status sq_walk_update(const sq_walk_calls *calls, const sq_step_paths *paths);

SQ_MUST_USE sq_status sq_model_backward_of(sq_model *model, const sq_step_paths *paths, int index);
SQ_MUST_USE sq_status sq_model_update_of(sq_model *model, const sq_step_paths *paths);

#endif
