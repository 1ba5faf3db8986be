#ifndef SQ_TRAINING_H
#define SQ_TRAINING_H

#include <stdio.h>

#include "supernet/train/checkpoint.h"
#include "supernet/train/events.h"
#include "supernet/train/nonfinite_check.h"
#include "supernet/train/progress.h"
#include "supernet/train/timeline.h"
#include "supernet/train/trainer.h"

/* A training under way: what the trainer's parts share, and nobody else. trainer.c has the step and the loop,
 * trainer_weights.c where weights come from and what becomes of those that are not finite, trainer_log.c the log. */

typedef struct {
    sq_model *model;
    const sq_train_options *options;
    const sq_train_run *run;
    const sq_space *space;
    sq_loader *loader;
    sq_device_ptr cached_images; /* images that the crops of the loader's batches refer to, if any */
    sq_sampler *sampler;
    sq_progress *progress;
    FILE *timing;
    sq_events *events;
    sq_training_state state;
    int paths[SQ_MAX_PATHS][SQ_MAX_LAYERS], path_count; /* of the current step */
    int local_first, local_count;                       /* of these, what this rank walks */
    double mark_seconds, mark_wait;                     /* when the log interval began */
    int64_t mark_step, mark_stalls, start_step;
    double start_seconds;
    sq_nonfinite_check *nonfinite_check;
    struct { /* the batch that is on the device before its step begins, or that the loader could not give */
        sq_status status;
        char text[SQ_ERROR_BYTES]; /* why there is none */
        int images;     /* 0: nothing was fetched yet */
    } next;
    int lock;              /* of the run's folder */
    sq_timeline *timeline; /* NULL: none, or written already */
    int64_t anchor;        /* step of the newest checkpoint of the schedule, to go back to; 0: the first weights */
    double images_lost[SQ_MAX_PATHS]; /* of the step: whose loss was not finite, of each path, on all ranks */
    int bad_path, bad_layer;          /* of the step: with gradients that are not finite; SQ_NONE: none */
    bool is_asked;                    /* some rank was asked to stop */
} sq_trainer;

/* Who writes. */
bool sq_trainer_is_root(const sq_trainer *t);
sq_retention sq_trainer_retention(const sq_train_options *options);

/* ---- trainer_weights.c ---- */

/* Weights and state to begin with: a checkpoint's, another run's, or fresh ones. */
SQ_MUST_USE sq_status sq_trainer_restore(sq_trainer *t);
/* After SQ_NONFINITE of a step (or, is_late, of the weights after it): goes on as the policy says, or not. Rank 0 may
 * fail alone. */
SQ_MUST_USE sq_status sq_trainer_handle_nonfinite(sq_trainer *t, int64_t done, bool is_late);
/* Whether the weights are finite, and the same on all ranks; those that are not finite are passed over. */
SQ_MUST_USE sq_status sq_trainer_check_weights(sq_trainer *t, int64_t done);

/* ---- trainer_log.c ---- */

/* What only rank 0 has: the log, the times, the events. */
SQ_MUST_USE sq_status sq_trainer_open_files(sq_trainer *t);
/* A line of the log; it says how many paths a step has when there are several. Releases the event. */
SQ_MUST_USE sq_status sq_trainer_log_event(sq_trainer *t, json_t *event);
/* The line of an interval, and begins the next one. */
SQ_MUST_USE sq_status sq_trainer_log_interval(sq_trainer *t, int64_t done);

#endif
