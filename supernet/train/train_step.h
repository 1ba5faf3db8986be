#ifndef SQ_TRAIN_STEP_H
#define SQ_TRAIN_STEP_H

#include "supernet/model/walk.h"
#include "supernet/train/nonfinite_check.h"
#include "supernet/train/sampler.h"

/* The gradients of one training step. sq_train and `squall bench step` call sq_train_step_gradients, so the benchmark
 * measures what training runs: the same programs in the same order, with the same waits.
 *
 * The host waits once per path, for the loss, and once per step, for the check of the gradients. */

typedef struct {
    sq_model *model;                     /* borrowed, like the next two pointers */
    sq_nonfinite_check *nonfinite_check; /* of that model */
    sq_timeline *timeline;               /* NULL: none */
    bool keeps_statistics;               /* saves the running statistics first, for sq_nonfinite_check_restore */
    sq_status (*load)(void *context);    /* loads the next batch after the step's programs; NULL: none */
    void *context;                       /* of load */
} sq_train_step;

typedef struct {
    sq_result results[SQ_MAX_PATHS]; /* by path; zero for paths of other ranks */
    int bad_path, bad_layer;         /* the first nonfinite gradients; SQ_NONE: all gradients are finite */
} sq_train_outcome;

/* Runs forward, loss and backward along this rank's paths, then `load`, then the check. scalars: [paths->count]. On
 * failure *out contains the results so far. cost: allocates nothing */
SQ_MUST_USE sq_status sq_train_step_gradients(const sq_train_step *step, const sq_step_paths *paths,
                                              const sq_step *scalars, sq_train_outcome *out);

#endif
