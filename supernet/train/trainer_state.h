#ifndef SQ_TRAINER_STATE_H
#define SQ_TRAINER_STATE_H

#include <stdio.h>

#include "supernet/train/checkpoint.h"
#include "supernet/train/log/events.h"
#include "supernet/train/nonfinite_check.h"
#include "supernet/train/log/progress.h"
#include "supernet/train/log/timeline.h"
#include "supernet/train/trainer.h"

/* The state of a training run, shared by trainer.c (step and loop), trainer_weights.c (first weights, nonfinite values)
 * and trainer_log.c. Internal to supernet/train. */

typedef struct {
    sq_model *model;
    const sq_train_options *options;
    const sq_train_run *run;
    const sq_space *space;
    sq_loader *loader;
    sq_device_ptr cached_images; /* images that the crops of the loader refer to, if any */
    sq_sampler *sampler;
    sq_nonfinite_check *nonfinite_check;
    sq_timeline *timeline; /* NULL: not recording */
    int lock;              /* of the run's folder */
    int64_t start_step;    /* first step of this process */
    double start_seconds;
    int64_t rollback_step; /* step of the newest periodic checkpoint; 0: the first weights */
    sq_training_state state;

    /* Rank 0 only. */
    sq_progress *progress;
    FILE *timing;
    sq_events *events;
    struct { /* counters at the start of the current log interval */
        double seconds, wait_seconds;
        int64_t step, stalls;
    } interval;

    struct { /* the next batch, which is loaded while the device still computes */
        sq_status status;
        char text[SQ_ERROR_BYTES]; /* of a failure, which is reported in the next step */
        int images;                /* 0: not loaded yet */
    } prefetched;

    struct { /* the current step */
        int paths[SQ_MAX_PATHS][SQ_MAX_LAYERS], path_count;
        int local_first, local_count;          /* the paths that this rank runs */
        double nonfinite_images[SQ_MAX_PATHS]; /* images with a nonfinite loss, by path, on all ranks */
        int bad_path, bad_layer;               /* first nonfinite gradients; SQ_NONE: none */
        bool is_stop_requested;                /* a rank received a signal */
    } step;
} sq_trainer;

/* Whether this rank is rank 0, which writes all files. */
bool sq_trainer_is_root(const sq_trainer *t);
sq_retention sq_trainer_retention(const sq_train_options *options);

#endif
