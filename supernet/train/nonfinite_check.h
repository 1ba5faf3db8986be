#ifndef SQ_NONFINITE_CHECK_H
#define SQ_NONFINITE_CHECK_H

#include "supernet/model/model.h"
#include "supernet/model/walk.h"
#include "supernet/ranks/ranks.h"

/* Checks that gradients and weights are finite and that weights are the same on all ranks, and undoes a step's changes
 * of running statistics. Nothing is allocated after sq_nonfinite_check_open. Calls are collective unless stated. */

typedef struct sq_nonfinite_check sq_nonfinite_check;

/* can_undo: allocates memory for sq_nonfinite_check_save and sq_nonfinite_check_restore. Model and ranks (NULL: one)
 * are borrowed. */
SQ_MUST_USE sq_status sq_nonfinite_check_open(sq_nonfinite_check **out, sq_model *model, sq_ranks *ranks,
                                              bool can_undo);
void sq_nonfinite_check_close(sq_nonfinite_check *nonfinite_check); /* accepts NULL */

/* Checks the gradients of the paths' blocks; waits for them. *path, *layer: the first block with NaN or infinite
 * gradients; SQ_NONE: all are finite. Not collective, since reduced gradients are the same on all ranks. cost: reads
 * the gradients once (13.5 MB for a path of SPOS) */
SQ_MUST_USE sq_status sq_nonfinite_check_gradients(sq_nonfinite_check *nonfinite_check, const sq_step_paths *paths,
                                                   int *path, int *layer);

/* Saves the running statistics before a step, and restores them. Weights, momentum and average only change in the
 * update. Not collective. */
SQ_MUST_USE sq_status sq_nonfinite_check_save(sq_nonfinite_check *nonfinite_check);
SQ_MUST_USE sq_status sq_nonfinite_check_restore(sq_nonfinite_check *nonfinite_check);

/* Checks weights, statistics, momentum and average. SQ_NONFINITE names a tensor that is nonfinite on some rank.
 * compares: also compares checksums of all tensors, and SQ_COMMUNICATION reports which ranks differ. `step` is for the
 * text. cost: reads everything once */
SQ_MUST_USE sq_status sq_nonfinite_check_weights(sq_nonfinite_check *nonfinite_check, int64_t step, bool compares);

#endif
