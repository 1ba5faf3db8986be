/* The training loop. run_step() executes one step, and train_step.c computes the gradients of the step. The rest of
 * this file is bookkeeping, which a resumed run repeats exactly. */
#include "supernet/train/trainer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kernels/base/clock.h"
#include "kernels/base/file.h"
#include "kernels/base/retry.h"
#include "kernels/base/text.h"
#include "supernet/model/walk.h"
#include "supernet/train/signals.h"
#include "supernet/train/train_step.h"
#include "supernet/train/trainer_log.h"
#include "supernet/train/trainer_state.h"
#include "supernet/train/trainer_weights.h"

/* ---- The step ---- */

/* Undoes the all-reduce's 1/ranks for paths that are split across ranks. SQ_GRADIENTS_MEAN also divides by the number
 * of paths. */
static float gradient_scale(const sq_trainer *t)
{
    const int parts = t->step.path_count / t->step.local_count;
    return (float)parts / (t->options->gradients == SQ_GRADIENTS_MEAN ? (float)t->step.path_count : 1);
}

static sq_step scalars_of(const sq_trainer *t, int64_t step, int index, int count)
{
    return (sq_step){
        .seed = t->options->seed,
        .step =
            (uint64_t)step * (uint64_t)t->step.path_count + (uint64_t)index, /* each path has its own dropout mask */
        .learning_rate = (float)sq_schedule_at(&t->options->schedule, step),
        .momentum = (float)t->options->momentum,
        .weight_decay = (float)t->options->weight_decay,
        .statistics_rate = t->space->momentum,
        .average_decay = (float)t->options->average_decay,
        .gradient_scale = gradient_scale(t),
        .valid_count = count,
        .first_image = sq_ranks_rank(t->run->ranks) * count,
    };
}

static void add(sq_result *sum, const sq_result *more)
{
    sum->loss += more->loss;
    sum->top1 += more->top1;
    sum->images += more->images;
    sum->nonfinite += more->nonfinite;
}

/* Sums the results of the step, and the requests to stop, over all ranks. */
static sq_status exchange(sq_trainer *t, sq_result *step)
{
    enum { SCALARS = 6 };
    double all[SCALARS + SQ_MAX_PATHS] = {step->loss,
                                          (double)step->top1,
                                          (double)step->images,
                                          (double)step->nonfinite,
                                          sq_signals_received(),
                                          t->step.bad_path != SQ_NONE};
    memcpy(all + SCALARS, t->step.nonfinite_images, (size_t)t->step.path_count * sizeof *all);
    SQ_TRY(sq_ranks_sum(t->run->ranks, all, SCALARS + t->step.path_count));
    memcpy(t->step.nonfinite_images, all + SCALARS, (size_t)t->step.path_count * sizeof *all);
    step->loss = all[0];
    step->top1 = (int64_t)all[1];
    step->images = (int64_t)all[2];
    step->nonfinite = (int64_t)all[3];
    t->step.is_stop_requested = all[4] > 0;
    if (all[5] > 0 && all[5] < sq_ranks_count(t->run->ranks)) /* reduced gradients must be the same everywhere */
        return sq_fail(SQ_COMMUNICATION, "gradients are finite on some ranks and not on others");
    return SQ_OK;
}

/* Writes "(2, 1, 0, ...)", or "2 of 4 (2, 1, 0, ...)" if a step has several paths. */
static void print_path(const sq_trainer *t, int index, char *text, size_t bytes)
{
    char arch[512], more[32] = "";
    (void)sq_arch_print(t->space, t->step.paths[index], arch, sizeof arch);
    if (t->step.path_count > 1)
        (void)snprintf(more, sizeof more, "%d of %d ", index + 1, t->step.path_count);
    (void)snprintf(text, bytes, "%s%s", more, arch);
}

/* Returns SQ_NONFINITE if a loss or gradient of the step is nonfinite. The step has not changed the weights yet. */
static sq_status check_step(const sq_trainer *t, int64_t done, const sq_result *result)
{
    const double rate = sq_schedule_at(&t->options->schedule, done - 1);
    char path[SQ_PATH_BYTES];
    if (result->nonfinite > 0) {
        int bad = 0;
        while (t->step.nonfinite_images[bad] == 0)
            bad++;
        print_path(t, bad, path, sizeof path);
        return sq_fail(SQ_NONFINITE,
                       "step %" PRId64 ": the loss of %" PRId64 " of %" PRId64
                       " images is not finite, path %s, learning rate %g",
                       done, result->nonfinite, result->images, path, rate);
    }
    if (t->step.bad_path == SQ_NONE)
        return SQ_OK;
    print_path(t, t->step.bad_path, path, sizeof path);
    return sq_fail(SQ_NONFINITE, "step %" PRId64 ": gradients of layer %d are not finite, path %s, learning rate %g",
                   done, t->step.bad_layer, path, rate);
}

/* Loads the next batch, which the device copies after the work that is already enqueued. A failure of the loader is
 * stored in t->prefetched, and the next step reports it. */
static sq_status fetch(void *context)
{
    sq_trainer *t = context;
    const double begin = sq_timeline_now(t->timeline);
    sq_batch batch;
    t->prefetched.status = sq_loader_next(t->loader, &batch);
    if (t->prefetched.status != SQ_OK) {
        (void)snprintf(t->prefetched.text, sizeof t->prefetched.text, "%s", sq_error_text());
        return SQ_OK;
    }
    const sq_model_batch loaded = {batch.images, batch.labels, batch.augment, batch.count};
    SQ_TRY(batch.crops ? sq_model_load_crops(t->model, &loaded, t->cached_images, batch.crops)
                       : sq_model_load(t->model, &loaded));
    t->prefetched.images = batch.count;
    sq_timeline_add(t->timeline, SQ_TIME_LOAD, 0, 0, begin);
    return SQ_OK;
}

/* Uses the batch that the last step prefetched, or loads one now. */
static sq_status begin_batch(sq_trainer *t, int *images)
{
    if (t->prefetched.status == SQ_OK && t->prefetched.images == 0)
        SQ_TRY(fetch(t));
    *images = t->prefetched.images;
    t->prefetched.images = 0;
    return t->prefetched.status == SQ_OK ? SQ_OK : sq_fail(t->prefetched.status, "%s", t->prefetched.text);
}

/* Runs all paths of this rank, with the reductions, and loads the next batch while the device computes. */
static sq_status compute(sq_trainer *t, int64_t step, const sq_step_paths *paths, int images, sq_result *sum)
{
    sq_step scalars[SQ_MAX_PATHS];
    sq_train_outcome outcome;
    const bool has_next = step + 1 < t->options->steps && !sq_signals_received();
    const sq_train_step gradients = {.model = t->model,
                                     .nonfinite_check = t->nonfinite_check,
                                     .timeline = t->timeline,
                                     .keeps_statistics = t->options->nonfinite == SQ_NONFINITE_SKIP,
                                     .load = has_next ? fetch : NULL,
                                     .context = t};
    for (int i = 0; i < t->step.path_count; i++)
        scalars[i] = scalars_of(t, step, i, images);
    SQ_TRY(sq_train_step_gradients(&gradients, paths, scalars, &outcome));
    for (int i = 0; i < t->step.path_count; i++) {
        t->step.nonfinite_images[i] = (double)outcome.results[i].nonfinite;
        add(sum, &outcome.results[i]);
    }
    t->step.bad_path = outcome.bad_path;
    t->step.bad_layer = outcome.bad_layer;
    return SQ_OK;
}

/* A rank that fails during the reductions of a step cannot complete the reductions. It abandons the other ranks, which
 * then detect that this rank is lost. */
static sq_status leave_on_failure(sq_trainer *t, sq_status status)
{
    if (status != SQ_OK)
        sq_ranks_abandon(t->run->ranks);
    return status;
}

static sq_status run_step(sq_trainer *t, int64_t step)
{
    sq_result sum = {0};
    int images = 0;
    const sq_step_paths paths = {.first = t->step.paths[0],
                                 .count = t->step.path_count,
                                 .local_first = t->step.local_first,
                                 .local_count = t->step.local_count};
    memset(t->step.nonfinite_images, 0, sizeof t->step.nonfinite_images);
    for (int i = 0; i < t->step.path_count; i++)
        sq_sampler_draw(t->sampler, t->options->seed, (uint64_t)step, i, t->step.paths[i]);
    SQ_TRY(sq_ranks_agree(t->run->ranks, begin_batch(t, &images)));
    SQ_TRY(leave_on_failure(t, compute(t, step, &paths, images, &sum)));
    const double begin = sq_timeline_now(t->timeline);
    SQ_TRY(exchange(t, &sum));
    sq_timeline_add(t->timeline, SQ_TIME_AGREE, 0, 0, begin);
    SQ_TRY(check_step(t, step + 1, &sum));
    t->state.loss_sum += sum.loss;
    t->state.top1 += sum.top1;
    t->state.images += sum.images;
    return leave_on_failure(t, sq_model_update_of(t->model, &paths));
}

/* ---- The loop ---- */

static sq_status take_step(sq_trainer *t, int64_t step)
{
    sq_status status = run_step(t, step);
    if (status == SQ_NONFINITE)
        status = sq_ranks_agree(t->run->ranks, sq_trainer_handle_nonfinite(t, step + 1, false));
    return status;
}

static sq_status write_checkpoint(sq_trainer *t)
{
    const sq_retention keep = sq_trainer_retention(t->options);
    sq_retry retry = sq_retry_begin(t->options->write_retries);
    sq_status status;
    do
        status = sq_checkpoint_write(t->run->folder, t->model, &t->state, &keep);
    while (sq_retry_again(&retry, status));
    return status;
}

static sq_status save(sq_trainer *t, int64_t done)
{
    SQ_TRY(sq_model_backend(t->model)->ops->wait(sq_model_backend(t->model)));
    SQ_TRY(sq_trainer_check_weights(t, done));
    t->state.step = done;
    SQ_TRY(sq_ranks_agree(t->run->ranks, sq_trainer_is_root(t) ? write_checkpoint(t) : SQ_OK));
    if (done % t->options->checkpoint_every == 0)
        t->rollback_step = done;
    return SQ_OK;
}

/* Writes the trace file after timeline_steps steps, or after the last step, and stops recording. */
static sq_status end_timeline(sq_trainer *t, int64_t done, bool is_last)
{
    if (!t->timeline || (done - t->start_step < t->options->timeline_steps && !is_last))
        return SQ_OK;
    const sq_status status = sq_timeline_write(t->timeline, t->run->timeline);
    sq_model_set_timeline(t->model, NULL);
    sq_timeline_close(t->timeline);
    t->timeline = NULL;
    if (status == SQ_OK || status == SQ_COMMUNICATION)
        return status;
    if (sq_trainer_is_root(t)) { /* only a note, because training continues without a trace */
        char line[SQ_ERROR_BYTES + 64];
        (void)snprintf(line, sizeof line, "no trace file: %s", sq_error_text());
        sq_progress_note(t->progress, line);
    }
    return SQ_OK;
}

static sq_status log_timed(sq_trainer *t, int64_t done)
{
    const double begin = sq_timeline_now(t->timeline);
    SQ_TRY(sq_ranks_agree(t->run->ranks, sq_trainer_log_interval(t, done)));
    sq_timeline_add(t->timeline, SQ_TIME_LOG, 0, 0, begin);
    return SQ_OK;
}

static sq_status save_timed(sq_trainer *t, int64_t done)
{
    const double begin = sq_timeline_now(t->timeline);
    SQ_TRY(save(t, done));
    sq_timeline_add(t->timeline, SQ_TIME_CHECKPOINT, 0, 0, begin);
    return SQ_OK;
}

/* Periodic work after a step: log, checkpoint, check of the weights. SQ_INTERRUPTED: a signal requested the stop. */
static sq_status do_periodic_work(sq_trainer *t, int64_t done)
{
    const sq_train_options *o = t->options;
    const bool is_stopped = t->step.is_stop_requested && done < o->steps;
    if (done % o->log_every == 0 || done == o->steps)
        SQ_TRY(log_timed(t, done));
    if (is_stopped || done % o->checkpoint_every == 0 || done == o->steps)
        SQ_TRY(save_timed(t, done));
    else if (o->check_every > 0 && done % o->check_every == 0)
        SQ_TRY(sq_trainer_check_weights(t, done));
    return is_stopped
               ? sq_fail(SQ_INTERRUPTED, "%s: step %" PRId64 " of %" PRId64 " is saved; continue with --resume auto",
                         sq_signals_received() ? sq_signals_name() : "another rank received a signal", done, o->steps)
               : SQ_OK;
}

static sq_status loop(sq_trainer *t)
{
    const int64_t steps = t->options->steps;
    for (int64_t step = t->state.step; step < steps; step++) {
        const double begin = sq_timeline_now(t->timeline);
        SQ_TRY(take_step(t, step));
        SQ_TRY(do_periodic_work(t, step + 1));
        sq_timeline_add(t->timeline, SQ_TIME_STEP, step + 1, 0, begin);
        SQ_TRY(end_timeline(t, step + 1, step + 1 == steps));
    }
    return SQ_OK;
}

/* ---- Begin and end ---- */

static sq_status open_timeline(sq_trainer *t)
{
    const int layers = t->space->layer_count;
    const int entries = t->options->timeline_steps * (t->step.path_count * (4 * layers + 2) + 8);
    if (!t->run->timeline)
        return SQ_OK;
    SQ_TRY(sq_timeline_open(&t->timeline, entries, t->run->ranks));
    sq_model_set_timeline(t->model, t->timeline);
    return SQ_OK;
}

/* All ranks must start at the same step. If they do not, the ranks do not share the run's folder. */
static sq_status check_start(sq_trainer *t)
{
    int64_t first = t->state.step;
    SQ_TRY(sq_ranks_broadcast(t->run->ranks, &first, sizeof first));
    if (first == t->state.step)
        return SQ_OK;
    return sq_fail(SQ_COMMUNICATION,
                   "%s: rank 0 continues from step %" PRId64 ", rank %d from step %" PRId64
                   "; use a folder that all ranks share",
                   t->run->folder, first, sq_ranks_rank(t->run->ranks), t->state.step);
}

static void report_done(const sq_trainer *t)
{
    if (sq_trainer_is_root(t) && !t->run->is_quiet)
        (void)fprintf(stderr, "nothing to do: step %" PRId64 " of %" PRId64 " is complete\n", t->state.step,
                      t->options->steps);
}

static sq_status take_folder(sq_trainer *t)
{
    SQ_TRY(sq_folder_make(t->run->folder));
    return sq_folder_lock(t->run->folder, &t->lock);
}

static sq_status open_sampler(sq_trainer *t)
{
    SQ_TRY(sq_sampler_open(&t->sampler, t->space, &t->options->sampler));
    t->step.path_count = t->step.local_count = sq_sampler_paths(t->sampler);
    if (t->options->rank_paths && t->step.path_count > 1) {
        t->step.local_count = t->step.path_count / sq_ranks_count(t->run->ranks);
        t->step.local_first = sq_ranks_rank(t->run->ranks) * t->step.local_count;
    }
    return SQ_OK;
}

/* Locks the folder, and loads the weights and state from which training continues. */
static sq_status restore(sq_trainer *t)
{
    sq_ranks *ranks = t->run->ranks;
    SQ_TRY(sq_ranks_agree(ranks, sq_trainer_is_root(t) ? take_folder(t) : SQ_OK));
    SQ_TRY(open_sampler(t));
    t->state =
        (sq_training_state){.seed = t->options->seed,
                            .space_hash = sq_space_hash(t->space),
                            .search_mask_hash = sq_search_mask_hash(0, t->options->sampler.search_mask, t->space),
                            .batch = t->options->batch};
    SQ_TRY(sq_ranks_agree(ranks, sq_trainer_restore(t)));
    t->rollback_step = t->state.step - t->state.step % t->options->checkpoint_every;
    return sq_ranks_agree(ranks, check_start(t));
}

/* Calls complete_loader and on_start of sq_train_run. All checks that can refuse the run come before this call. */
static sq_status call_back(sq_trainer *t, sq_loader_options *loader)
{
    const sq_train_run *run = t->run;
    sq_status status = SQ_OK;
    if (t->state.step >= t->options->steps) {
        report_done(t);
        return SQ_OK;
    }
    if (run->complete_loader)
        status = run->complete_loader(run->context, loader);
    SQ_TRY(sq_ranks_agree(run->ranks, status));
    if (run->on_start && sq_trainer_is_root(t))
        status = run->on_start(run->context);
    return sq_ranks_agree(run->ranks, status);
}

static sq_status open_loader(sq_trainer *t, const sq_dataset *dataset, sq_loader_options *loader)
{
    loader->first_batch = (uint64_t)t->state.step;
    loader->rank = sq_ranks_rank(t->run->ranks);
    loader->rank_count = sq_ranks_count(t->run->ranks);
    t->cached_images = loader->device_cache ? sq_device_cache_memory(loader->device_cache) : (sq_device_ptr){NULL};
    return sq_loader_open(&t->loader, dataset, loader);
}

static sq_status begin(sq_trainer *t, const sq_dataset *dataset, const sq_loader_options *options)
{
    sq_loader_options loader = *options;
    SQ_TRY(restore(t));
    SQ_TRY(call_back(t, &loader));
    SQ_TRY(sq_nonfinite_check_open(&t->nonfinite_check, t->model, t->run->ranks,
                                   t->options->nonfinite == SQ_NONFINITE_SKIP));
    SQ_TRY(sq_nonfinite_check_weights(t->nonfinite_check, t->state.step, t->options->check_every > 0));
    SQ_TRY(sq_model_compile(t->model, 1u << SQ_FORWARD | 1u << SQ_BACKWARD | 1u << SQ_UPDATE));
    SQ_TRY(sq_ranks_agree(t->run->ranks, sq_trainer_is_root(t) ? sq_trainer_open_files(t) : SQ_OK));
    SQ_TRY(open_loader(t, dataset, &loader));
    SQ_TRY(open_timeline(t));
    t->start_step = t->interval.step = t->state.step;
    t->start_seconds = t->interval.seconds = sq_seconds_now();
    return SQ_OK;
}

static void end(sq_trainer *t)
{
    sq_loader_close(t->loader);
    sq_sampler_close(t->sampler);
    sq_nonfinite_check_close(t->nonfinite_check);
    sq_model_set_timeline(t->model, NULL);
    sq_timeline_close(t->timeline);
    sq_trainer_close_files(t);
    sq_folder_unlock(t->lock);
}

static sq_status check_options(const sq_train_options *o)
{
    if (o->steps < 1 || o->batch < 1 || o->log_every < 1 || o->checkpoint_every < 1)
        return sq_fail(SQ_INVALID,
                       "train: steps %" PRId64 ", batch %d, log_every %d, checkpoint_every %d, expected at least 1",
                       o->steps, o->batch, o->log_every, o->checkpoint_every);
    return SQ_OK;
}

sq_status sq_train(sq_model *model, const sq_dataset *dataset, const sq_loader_options *loader,
                   const sq_train_options *options, const sq_train_run *run)
{
    sq_trainer t = {
        .model = model, .options = options, .run = run, .space = sq_model_plan(model)->space, .lock = SQ_NO_LOCK};
    SQ_TRY(check_options(options));
    sq_status status = begin(&t, dataset, loader);
    if (status == SQ_OK)
        status = loop(&t);
    end(&t);
    return status;
}
