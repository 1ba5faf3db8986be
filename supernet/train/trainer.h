#ifndef SQ_TRAINER_H
#define SQ_TRAINER_H

#include "data/loader/loader.h"
#include "supernet/model/model.h"
#include "supernet/ranks/ranks.h"
#include "supernet/train/sampler.h"
#include "supernet/train/schedule.h"

/* The training loop. A step draws its paths, loads a batch, runs forward and backward along each path, and updates
 * once. Log lines and checkpoints are periodic. Only the first step allocates.
 *
 * A step is one update, regardless of the number of its paths: `steps`, the schedule, the log and checkpoints count
 * updates. All paths of a step see the same batch, as in FairNAS, but each path has its own dropout mask. Gradients are
 * added in the order of the paths. Every block that some path uses is updated once; momentum and decay change no other
 * block. Every path updates the running statistics of its blocks, so the statistics of blocks in all paths (stem, head)
 * change once per path. Loss and accuracy in the log are means over all paths, that is, over batch x paths x steps
 * images. */

/* Gradients of a step with several paths.
 *
 * SUM   the sum over the paths, with an unchanged learning rate (FairNAS). A choice that is in one path of the step
 *       learns as with one path per step; a block that is in every path gets the sum
 * MEAN  the mean over the paths, which is the gradient of the mean loss */
typedef enum { SQ_GRADIENTS_SUM, SQ_GRADIENTS_MEAN } sq_gradients;

/* Reaction to a nonfinite loss, gradient or weight on any rank.
 *
 * STOP      Training ends with SQ_NONFINITE.
 *
 * SKIP      The step has no effect: there is no update, and the running statistics are restored. A nonfinite weight
 *           comes from the update of an earlier step, so it leads to a rollback.
 *
 * ROLLBACK  Weights, momentum, statistics and average are loaded from the newest periodic checkpoint (or the first
 *           weights), and training continues with the next step. Repeating the lost steps would give the same result,
 *           and the cause may be older than the step that shows it. The images of the lost steps count as seen.
 *           source: Chowdhery et al. 2022, "PaLM", section 5.1, which restarts before a loss spike and skips its
 *           batches
 *
 * Skips and rollbacks are functions of the computed values, so a run that was killed and resumed repeats them and
 * writes the same log.jsonl. Each skip or rollback has a line in log.jsonl. */
typedef enum { SQ_NONFINITE_STOP, SQ_NONFINITE_SKIP, SQ_NONFINITE_ROLLBACK } sq_nonfinite_policy;

typedef struct {
    uint64_t seed;
    int64_t steps;
    int batch; /* images of a step on all ranks; each rank takes an equal part, in the order of the ranks */
    double momentum, weight_decay, label_smoothing;
    double average_decay; /* 0: no moving average */
    sq_schedule schedule;
    sq_sampler_options sampler;
    sq_gradients gradients;
    int rank_paths;     /* 1: each rank runs an equal share of the step's paths, on its own images */
    int log_every;      /* steps */
    int timeline_steps; /* number of first steps that sq_train_run.timeline records */
    int checkpoint_every;
    int write_retries; /* retries of checkpoints and log (kernels/base/retry.h) */
    sq_nonfinite_policy nonfinite;
    int nonfinite_limit;  /* largest number of skips and rollbacks in the whole run; one more stops the run */
    int check_every;      /* steps between comparisons of the ranks' weights; 0: none */
    int keep, keep_every; /* checkpoints kept: the newest `keep`, and every keep_every-th periodic one (0: none) */
} sq_train_options;

typedef struct {
    const char *folder;       /* of the run; created if necessary */
    bool is_resumed;          /* continues from the checkpoint `last` if it exists */
    const char *inherit_from; /* run of the same space whose newest checkpoint gives the first weights; or NULL */
    bool is_quiet;            /* no progress line (tests) */
    const char *timeline;     /* trace file of the first steps (timeline.h); or NULL */
    /* Called on rank 0 before the first step, so that the caller can write its own files. At this time all checks have
     * passed, and nothing but the folder has been created. Not called if no steps are left. May be NULL. */
    sq_status (*on_start)(const void *context);
    /* Called on every rank before on_start, to complete the loader's options with data that must be read first. May be
     * NULL. */
    sq_status (*complete_loader)(const void *context, sq_loader_options *loader);
    const void *context;
    sq_ranks *ranks; /* NULL: one rank. Rank 0 writes all files. The backend must be attached (sq_ranks_attach) */
} sq_train_run;

/* Trains to the last step. The model must be a training model of options.batch / ranks images; `loader` describes how
 * to read `dataset`.
 *
 * With several ranks, all draw the same paths and differ in their images. Gradients and running statistics are means
 * over the ranks; each norm sees only its rank's images. Checkpoints do not depend on the number of ranks, so a run can
 * resume with a different number of ranks and sees the same images. A signal to any rank stops all ranks after the same
 * step.
 *
 * returns  SQ_NONFINITE (exit 4): a nonfinite loss, gradient or weight; the text names step and path, and the last good
 *          checkpoint is kept. SQ_COMMUNICATION (exit 5): a rank is lost, or weights differ between ranks.
 *          SQ_INTERRUPTED (exit 75): a signal arrived; the step was finished and a checkpoint written. Otherwise the
 *          status of data, model or checkpoint */
SQ_MUST_USE sq_status sq_train(sq_model *model, const sq_dataset *dataset, const sq_loader_options *loader,
                               const sq_train_options *options, const sq_train_run *run);

#endif
