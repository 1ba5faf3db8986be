#ifndef SQ_WALK_H
#define SQ_WALK_H

#include "supernet/model/model.h"

/* Runs a model's programs along paths: forward, backward with reductions, update. */

/* Runs the path's programs of one mode, from the first layer to the last. Modes FORWARD, COLLECT and EVALUATE compute
 * the loss. */
SQ_MUST_USE sq_status sq_model_walk(sq_model *model, const int *path, sq_mode mode);
/* sq_model_walk in mode FORWARD, which uses the statistics of the batch. */
SQ_MUST_USE sq_status sq_model_forward(sq_model *model, const int *path);
/* The backward pass with reductions, and the update of the path's blocks, for a step with one path. */
SQ_MUST_USE sq_status sq_model_backward(sq_model *model, const int *path);
SQ_MUST_USE sq_status sq_model_update(sq_model *model, const int *path);

/* The paths of one step. For each path, in order, the caller runs sq_model_forward and then sq_model_backward_of.
 * sq_model_backward_of overwrites the gradients of blocks that no earlier path used, and adds to the gradients of all
 * other blocks of the path, so gradients are summed in the order of the paths. step.gradient_scale multiplies the
 * gradients of each path. After the last path, sq_model_update_of updates every block that is on at least one path, and
 * updates it once. The reduction of a block over the ranks starts after the block's last use. With one path the result
 * equals the result of sq_model_backward and sq_model_update bit for bit. */
typedef struct {
    const int *first; /* path i begins at first + i * SQ_MAX_LAYERS; borrowed */
    int count;
    /* The paths that this rank walks: local_first .. local_first + local_count - 1. local_count 0: all paths. If the
     * paths are split across ranks, the backward pass of the last local path reduces every block that any path uses, in
     * the same order on all ranks. A rank that did not run a block contributes zero gradients and the unchanged
     * statistics of the block's norms. */
    int local_first, local_count;
} sq_step_paths;

/* Begin and end (exclusive) of the range that this rank walks. */
int sq_step_paths_begin(const sq_step_paths *paths);
int sq_step_paths_end(const sq_step_paths *paths);
const int *sq_step_paths_at(const sq_step_paths *paths, int index);

/* The calls that a training step makes along its paths, in the order of execution. sq_model_backward_of and
 * sq_model_update_of make these calls on a model; `squall forecast` records them to predict the time of a step. */
typedef struct {
    int layer_count;
    sq_status (*accumulate)(void *context, bool is_on); /* whether run adds to gradients */
    sq_status (*run)(void *context, int layer, int choice, sq_mode mode);
    sq_status (*reduce)(void *context, int layer, int choice, bool is_local);
    sq_status (*join)(void *context); /* waits for all reductions */
    void *context;
} sq_walk_calls;

SQ_MUST_USE sq_status sq_walk_backward(const sq_walk_calls *calls, const sq_step_paths *paths, int index);
SQ_MUST_USE sq_status sq_walk_update(const sq_walk_calls *calls, const sq_step_paths *paths);

SQ_MUST_USE sq_status sq_model_backward_of(sq_model *model, const sq_step_paths *paths, int index);
SQ_MUST_USE sq_status sq_model_update_of(sq_model *model, const sq_step_paths *paths);

#endif
