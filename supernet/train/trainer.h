#ifndef SQ_TRAINER_H
#define SQ_TRAINER_H

#include "data/loader/loader.h"
#include "supernet/model/model.h"
#include "supernet/ranks/ranks.h"
#include "supernet/train/sampler.h"

/* The training loop: paths = sample(seed, step); batch = next(loader); forward and backward along each path; one
 * update; every so often a log line, a checkpoint. Nothing in a step but the first allocates.
 *
 * A step is one update, whatever the number of its paths: `steps`, the schedule, the log and checkpoints count updates.
 * All paths of a step see the same batch, as FairNAS has it; each draws a dropout mask of its own. Their gradients are
 * added in the order of the paths, and the union of what they used is updated, each block once; momentum and decay
 * touch nothing else. Running statistics follow every path: those of blocks in all paths (stem, head) move once for
 * each path. Loss and accuracy of the log are means over all paths; its images are passes: batch x paths x steps. */

typedef enum { SQ_SCHEDULE_CONSTANT, SQ_SCHEDULE_LINEAR, SQ_SCHEDULE_COSINE } sq_schedule_kind;

typedef struct {
    sq_schedule_kind kind;
    double base, final;   /* learning rates at the end of the warm-up and after the last step */
    int64_t warmup_steps; /* linear from 0 */
    int64_t steps;
} sq_schedule;

/* Learning rate of step 0 .. steps-1, a pure function. */
double sq_schedule_at(const sq_schedule *schedule, int64_t step);

/* What the gradients of a step's paths become. FairNAS adds and leaves the learning rate as it is: a choice that is in
 * one path of the step then learns as with one path a step, and what is in every path gets the sum. MEAN: 1/paths of
 * that, the gradient of the mean loss. */
typedef enum { SQ_GRADIENTS_SUM, SQ_GRADIENTS_MEAN } sq_gradients;

/* What a loss, gradients or weights that are not finite, on any rank, do to a run.
 *
 * STOP      it ends (SQ_NONFINITE)
 * SKIP      the step leaves nothing behind: no update, running statistics as before it. What is found in the weights
 *           alone (an overflow of the update) was an older step's; then as ROLLBACK
 * ROLLBACK  weights, momentum, statistics and average become those of the newest checkpoint of checkpoint_every (or the
 *           first ones), and the run goes on with the next step: the same steps again would meet the same end, and what
 *           led there may lie before the step that shows it. The images in between count as seen. source: Chowdhery et
 *           al. 2022, "PaLM", section 5.1, which restarts before a loss spike and leaves its batches out
 *
 * Both are functions of what was computed, so a killed run repeats them, to the same bytes of log.jsonl, where each has
 * a line. */
typedef enum { SQ_NONFINITE_STOP, SQ_NONFINITE_SKIP, SQ_NONFINITE_ROLLBACK } sq_nonfinite_policy;

typedef struct {
    uint64_t seed;
    int64_t steps;
    int batch; /* images of a step on all ranks together; each rank takes an equal part of them, in order */
    double momentum, weight_decay, label_smoothing;
    double average_decay; /* 0: no moving average */
    sq_schedule schedule;
    sq_sampler_options sampler;
    sq_gradients gradients;
    int rank_paths;     /* 1: the ranks share a step's paths out, as many each, every path on its rank's images */
    int log_every;      /* steps */
    int timeline_steps; /* in run.timeline */
    int checkpoint_every;
    int write_retries; /* of checkpoints and log (kernels/base/retry.h) */
    sq_nonfinite_policy nonfinite;
    int nonfinite_limit;  /* so often in the whole run, then it stops */
    int check_every;      /* steps between comparisons of the ranks' weights; 0: none */
    int keep, keep_every; /* the newest `keep` stay, and every keep_every-th of checkpoint_every; 0: none of those */
} sq_train_options;

typedef struct {
    const char *folder; /* of the run; made if needed */
    bool is_resumed; /* continue from `last` if there is one */
    const char *inherit_from; /* run of the same space whose newest checkpoint gives the first weights and statistics;
                                 or NULL */
    bool is_quiet; /* no progress line (tests) */
    const char *timeline; /* file for what the first steps did when (timeline.h); or NULL */
    /* On rank 0, when nothing refuses the run any more and there are steps to take, before anything but its folder is
     * written: the caller's own files; or NULL. */
    sq_status (*on_start)(const void *context);
    /* On every rank before that, when there are steps to take: completes the loader's options with what is read for
     * them; or NULL. */
    sq_status (*complete_loader)(const void *context, sq_loader_options *loader);
    const void *context;
    sq_ranks *ranks; /* NULL: one. Rank 0 writes all files; the backend is attached (sq_ranks_attach) */
} sq_train_run;

/* Several ranks draw the same path and differ in their images: gradients and running statistics are means over the
 * ranks, each norm sees its rank's images alone. A checkpoint knows nothing of ranks, so another number of them goes on
 * with it, through the same images. A signal to any rank stops all after the same step.
 *
 * Trains to the end. The model must be a training model with options.batch / ranks; the loader's options carry the data
 * set.
 *
 * returns  SQ_NONFINITE (exit 4): loss or gradients of a step, or weights, are NaN or infinite; the text names step and
 * path, and the last good checkpoint is kept; SQ_COMMUNICATION (exit 5): a rank is gone, or weights differ between
 * ranks; SQ_INTERRUPTED (exit 75): a signal came, the step was finished and a checkpoint written; otherwise what data,
 * model or checkpoint returned. */
SQ_MUST_USE sq_status sq_train(sq_model *model, const sq_dataset *dataset, const sq_loader_options *loader,
                               const sq_train_options *options, const sq_train_run *run);

#endif
