#ifndef SQ_NONFINITE_CHECK_H
#define SQ_NONFINITE_CHECK_H

#include "supernet/model/model.h"
#include "supernet/model/walk.h"
#include "supernet/ranks/ranks.h"

/* Whether a training model is still well: gradients and weights finite, weights the same on all ranks; and going back
 * by one step. Nothing is allocated after sq_nonfinite_check_open. Calls with ranks are collective. */

typedef struct sq_nonfinite_check sq_nonfinite_check;

/* can_undo: sq_nonfinite_check_save and sq_nonfinite_check_restore will be called. Model and ranks (NULL: one) are
 * borrowed. */
SQ_MUST_USE sq_status sq_nonfinite_check_open(sq_nonfinite_check **out, sq_model *model, sq_ranks *ranks,
                                              bool can_undo);
void sq_nonfinite_check_close(sq_nonfinite_check *nonfinite_check); /* accepts NULL */

/* Looks at the gradients that the paths' backward passes left, and waits for them. *path: the first path with a block
 * whose gradients are NaN or infinite, *layer: its layer; SQ_NONE: all are finite. Not collective: reduced gradients
 * are alike. cost: reads the path's gradients once (13.5 MB for SPOS) */
SQ_MUST_USE sq_status sq_nonfinite_check_gradients(sq_nonfinite_check *nonfinite_check, const sq_step_paths *paths,
                                                   int *path, int *layer);

/* Before a forward pass keeps the running statistics, which it will change; undo puts them back. Weights, momentum and
 * average change in the update alone. */
SQ_MUST_USE sq_status sq_nonfinite_check_save(sq_nonfinite_check *nonfinite_check);
SQ_MUST_USE sq_status sq_nonfinite_check_restore(sq_nonfinite_check *nonfinite_check);

/* SQ_NONFINITE names a tensor of weights, statistics, momentum or average that is not finite on some rank. compares:
 * checksums of them all are compared, and SQ_COMMUNICATION says which ranks have other ones than which. `step` is for
 * the text. cost: reads everything once */
SQ_MUST_USE sq_status sq_nonfinite_check_weights(sq_nonfinite_check *nonfinite_check, int64_t step, bool compares);

#endif
