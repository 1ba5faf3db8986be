#ifndef SQ_TRAINER_WEIGHTS_H
#define SQ_TRAINER_WEIGHTS_H

#include "supernet/train/trainer_state.h"

/* Weights at the start of a run, and the reaction to nonfinite values. */

/* Loads weights and state from a checkpoint. Without a checkpoint, loads the weights of another run (inherit_from), or
 * writes initial weights. */
SQ_MUST_USE sq_status sq_trainer_restore(sq_trainer *t);

/* After SQ_NONFINITE in step `done`: skips the step, rolls back, or fails, as the policy requires. is_late: the weights
 * are nonfinite, which an earlier step caused. Only rank 0 writes files, so rank 0 can fail alone. */
SQ_MUST_USE sq_status sq_trainer_handle_nonfinite(sq_trainer *t, int64_t done, bool is_late);

/* Checks that the weights are finite and, with check_every, the same on all ranks. Handles nonfinite weights with
 * sq_trainer_handle_nonfinite. */
SQ_MUST_USE sq_status sq_trainer_check_weights(sq_trainer *t, int64_t done);

#endif
