#ifndef SQ_NONFINITE_CHECK_H
#define SQ_NONFINITE_CHECK_H

#include "supernet/model/model.h"
#include "supernet/model/walk.h"
#include "supernet/ranks/ranks.h"

/* Checks that gradients and weights are finite and that weights are the same on all ranks, and undoes a step's changes
 * of running statistics. Nothing is allocated after sq_nonfinite_check_open. Calls are collective unless stated
 * otherwise. */

typedef struct sq_nonfinite_check sq_nonfinite_check;

/* can_undo: allocates memory for sq_nonfinite_check_save and sq_nonfinite_check_restore. `model` and `ranks` (NULL:
 * one rank) are borrowed. */
SQ_MUST_USE sq_status sq_nonfinite_check_open(sq_nonfinite_check **out, sq_model *model, sq_ranks *ranks,
                                              bool can_undo);
void sq_nonfinite_check_close(sq_nonfinite_check *nonfinite_check); /* accepts NULL */

/* Waits for the gradients of the paths' blocks and checks them. *path, *layer: the first block with NaN or infinite
 * gradients; SQ_NONE: all are finite. Not collective, because reduced gradients are the same on all ranks. cost: reads
 * the gradients once (13.5 MB for a path of SPOS) */
SQ_MUST_USE sq_status sq_nonfinite_check_gradients(sq_nonfinite_check *nonfinite_check, const sq_step_paths *paths,
                                                   int *path, int *layer);

/* sq_nonfinite_check_save copies the running statistics before a step, and sq_nonfinite_check_restore restores this
 * copy. Weights, momentum and average change only in the update, so they need no copy. Not collective. */
SQ_MUST_USE sq_status sq_nonfinite_check_save(sq_nonfinite_check *nonfinite_check);
SQ_MUST_USE sq_status sq_nonfinite_check_restore(sq_nonfinite_check *nonfinite_check);

/* Checks weights, statistics, momentum and average. SQ_NONFINITE names a tensor that is nonfinite on some rank.
 * compares: also compares checksums of all tensors, and SQ_COMMUNICATION reports which ranks differ. `step` is for the
 * error text. cost: reads all these tensors once */
SQ_MUST_USE sq_status sq_nonfinite_check_weights(sq_nonfinite_check *nonfinite_check, int64_t step, bool compares);

#endif
