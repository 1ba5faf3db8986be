/* The training loop. The step itself is run_step() below; everything around it is bookkeeping that a resumed run
 * repeats to the byte: what depends on the clock goes to the progress line and to timing.jsonl, never to log.jsonl. */
#include "supernet/trainer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kernels/base/clock.h"
#include "kernels/base/file.h"
#include "kernels/base/retry.h"
#include "kernels/base/text.h"
#include "supernet/checkpoint.h"
#include "supernet/events.h"
#include "supernet/health.h"
#include "supernet/interrupt.h"
#include "supernet/progress.h"

enum { PATH_BYTES = 4096 };

typedef struct {
    sq_model *model;
    const sq_train_options *options;
    const sq_train_run *run;
    const sq_space *space;
    sq_loader *loader;
    sq_sampler *sampler;
    sq_progress *progress;
    FILE *timing;
    sq_events *events;
    sq_training_state state;
    int paths[SQ_MAX_PATHS][SQ_MAX_LAYERS], path_count; /* of the current step */
    double mark_seconds, mark_wait;                     /* when the log interval began */
    int64_t mark_step, mark_stalls, start_step;
    double start_seconds;
    sq_health *health;
    int64_t
        anchor; /* step of the newest checkpoint of checkpoint_every that this run can go back to; 0: first weights */
    double images_lost[SQ_MAX_PATHS]; /* of the step: whose loss was not finite, of each path, on all ranks */
    int bad_path, bad_layer;          /* of the step: with gradients that are not finite; SQ_NONE: none */
    bool is_asked;                    /* some rank was asked to stop */
} trainer;

/* ---- The step ---- */

static sq_step scalars_of(const trainer *t, int64_t step, int index, int count)
{
    return (sq_step){
        .seed = t->options->seed,
        .step = (uint64_t)step * (uint64_t)t->path_count + (uint64_t)index, /* dropout: a mask for each path */
        .learning_rate = (float)sq_schedule_at(&t->options->schedule, step),
        .momentum = (float)t->options->momentum,
        .weight_decay = (float)t->options->weight_decay,
        .statistics_rate = t->space->momentum,
        .average_decay = (float)t->options->average_decay,
        .gradient_scale = t->options->gradients == SQ_GRADIENTS_MEAN ? 1.0f / (float)t->path_count : 1,
        .valid_count = count,
    };
}

static void add(sq_result *sum, const sq_result *more)
{
    sum->loss += more->loss;
    sum->top1 += more->top1;
    sum->images += more->images;
    sum->nonfinite += more->nonfinite;
}

/* Adds up what all ranks saw of a step, and whether one of them was asked to stop. */
static sq_status exchange(trainer *t, sq_result *step)
{
    enum { SCALARS = 6 };
    double all[SCALARS + SQ_MAX_PATHS] = {step->loss,           (double)step->top1,
                                          (double)step->images, (double)step->nonfinite,
                                          sq_interrupt_asked(), t->bad_path != SQ_NONE};
    memcpy(all + SCALARS, t->images_lost, (size_t)t->path_count * sizeof *all);
    SQ_TRY(sq_ranks_sum(t->run->ranks, all, SCALARS + t->path_count));
    memcpy(t->images_lost, all + SCALARS, (size_t)t->path_count * sizeof *all);
    step->loss = all[0];
    step->top1 = (int64_t)all[1];
    step->images = (int64_t)all[2];
    step->nonfinite = (int64_t)all[3];
    t->is_asked = all[4] > 0;
    if (all[5] > 0 && all[5] < sq_ranks_count(t->run->ranks)) /* what was reduced should be alike everywhere */
        return sq_fail(SQ_COMMUNICATION, "gradients are finite on some ranks and not on others");
    return SQ_OK;
}

/* "(2, 1, 0, ...)", or "2 of 4 (2, 1, 0, ...)" where a step has several paths. */
static void print_path(const trainer *t, int index, char *text, size_t bytes)
{
    char arch[512], more[32] = "";
    (void)sq_arch_print(t->space, t->paths[index], arch, sizeof arch);
    if (t->path_count > 1)
        (void)snprintf(more, sizeof more, "%d of %d ", index + 1, t->path_count);
    (void)snprintf(text, bytes, "%s%s", more, arch);
}

/* Refuses a step whose loss or gradients are not numbers, before they reach the weights. */
static sq_status check_step(const trainer *t, int64_t done, const sq_result *result)
{
    const double rate = sq_schedule_at(&t->options->schedule, done - 1);
    char path[PATH_BYTES];
    if (result->nonfinite > 0) {
        int bad = 0;
        while (t->images_lost[bad] == 0)
            bad++;
        print_path(t, bad, path, sizeof path);
        return sq_fail(SQ_NONFINITE,
                       "step %" PRId64 ": the loss of %" PRId64 " of %" PRId64
                       " images is not finite, path %s, learning rate %g",
                       done, result->nonfinite, result->images, path, rate);
    }
    if (t->bad_path == SQ_NONE)
        return SQ_OK;
    print_path(t, t->bad_path, path, sizeof path);
    return sq_fail(SQ_NONFINITE, "step %" PRId64 ": gradients of layer %d are not finite, path %s, learning rate %g",
                   done, t->bad_layer, path, rate);
}

static sq_status run_path(trainer *t, const sq_step_paths *paths, int index, const sq_step *scalars, sq_result *sum)
{
    sq_result result;
    SQ_TRY(sq_model_set_step(t->model, scalars));
    SQ_TRY(sq_model_forward(t->model, t->paths[index]));
    SQ_TRY(sq_model_result(t->model, &result));
    t->images_lost[index] = (double)result.nonfinite;
    add(sum, &result);
    return sq_model_backward_of(t->model, paths, index);
}

static sq_status run_step(trainer *t, int64_t step)
{
    sq_batch batch;
    sq_result sum = {0};
    const sq_step_paths paths = {t->paths[0], t->path_count};
    for (int i = 0; i < t->path_count; i++)
        sq_sampler_draw(t->sampler, t->options->seed, (uint64_t)step, i, t->paths[i]);
    SQ_TRY(sq_ranks_agree(t->run->ranks, sq_loader_next(t->loader, &batch)));
    const sq_model_batch loaded = {batch.images, batch.labels, batch.augment, batch.count};
    SQ_TRY(sq_model_load(t->model, &loaded));
    if (t->options->nonfinite == SQ_NONFINITE_SKIP)
        SQ_TRY(sq_health_keep(t->health));
    for (int i = 0; i < t->path_count; i++) {
        const sq_step scalars = scalars_of(t, step, i, batch.count);
        SQ_TRY(run_path(t, &paths, i, &scalars, &sum));
    }
    SQ_TRY(sq_health_gradients(t->health, &paths, &t->bad_path, &t->bad_layer));
    SQ_TRY(exchange(t, &sum));
    SQ_TRY(check_step(t, step + 1, &sum));
    t->state.loss_sum += sum.loss;
    t->state.top1 += sum.top1;
    t->state.images += sum.images;
    return sq_model_update_of(t->model, &paths);
}

/* ---- Around it ---- */

/* Who writes. */
static bool is_first(const trainer *t)
{
    return sq_ranks_rank(t->run->ranks) == 0;
}

static void show(trainer *t, int64_t done, double loss, double top1)
{
    char line[256], left[64], paths[32] = "";
    const sq_loader_counters counters = sq_loader_count(t->loader);
    const double seconds = sq_seconds_now() - t->mark_seconds, wait = counters.wait_seconds - t->mark_wait;
    const double passes = (double)((done - t->mark_step) * t->options->batch * t->path_count);
    const double rate = passes / (seconds > 0 ? seconds : 1e-9);
    const double per_step = (sq_seconds_now() - t->start_seconds) / (double)(done - t->start_step);
    if (t->path_count > 1)
        (void)snprintf(paths, sizeof paths, "%d paths  ", t->path_count);
    (void)snprintf(line, sizeof line,
                   "train %6" PRId64 "/%" PRId64
                   " %3.0f%%  %sloss %.4f  top-1 %5.1f%%  %.0f images/s  data-bound %.0f%%  left %s",
                   done, t->options->steps, 100.0 * (double)done / (double)t->options->steps, paths, loss, 100 * top1,
                   rate, 100 * wait / (seconds > 0 ? seconds : 1e-9),
                   sq_text_duration(left, sizeof left, per_step * (double)(t->options->steps - done)));
    sq_progress_show(t->progress, line);
    (void)fprintf(t->timing,
                  "{\"step\":%" PRId64 ",\"seconds\":%.3f,\"images_per_second\":%.1f,\"wait_seconds\":%.3f,"
                  "\"stalls\":%" PRId64 ",\"batches_ahead\":%d}\n",
                  done, seconds, rate, wait, counters.stalls - t->mark_stalls, counters.ahead);
    (void)fflush(t->timing); /* of use even if it is lost */
    sq_events_scalar(t->events, "speed/images_per_second", done, rate);
    sq_events_scalar(t->events, "speed/data_bound", done, wait / (seconds > 0 ? seconds : 1e-9));
    t->mark_seconds = sq_seconds_now();
    t->mark_wait = counters.wait_seconds;
    t->mark_stalls = counters.stalls;
    t->mark_step = done;
}

/* A line of the log; it says how many paths a step has when there are several. */
static sq_status log_event(trainer *t, json_t *event)
{
    if (event && t->path_count > 1 && json_object_set_new(event, "paths", json_integer(t->path_count)) != 0) {
        json_decref(event);
        event = NULL; /* the log says that memory was short */
    }
    return sq_progress_log(t->progress, event);
}

static sq_status log_interval(trainer *t, int64_t done)
{
    const double images = (double)t->state.images, loss = t->state.loss_sum / images,
                 top1 = (double)t->state.top1 / images, rate = sq_schedule_at(&t->options->schedule, done - 1);
    t->state.loss_sum = 0;
    t->state.top1 = t->state.images = 0;
    if (!is_first(t))
        return SQ_OK;
    show(t, done, loss, top1);
    sq_events_scalar(t->events, "train/lr", done, rate);
    if (images == 0) /* every step of the interval was left out */
        return log_event(t, json_pack("{s:s, s:I, s:n, s:n, s:f}", "event", "step", "step", (json_int_t)done, "loss",
                                      "top1_acc", "lr", rate));
    sq_events_scalar(t->events, "train/loss", done, loss);
    sq_events_scalar(t->events, "train/top1_acc", done, top1);
    return log_event(t, json_pack("{s:s, s:I, s:f, s:f, s:f}", "event", "step", "step", (json_int_t)done, "loss", loss,
                                  "top1_acc", top1, "lr", rate));
}

static void warn(const char *line)
{
    (void)fprintf(stderr, "passed over: %s\n", line);
}

/* Weights and statistics of another run of the same space; momentum begins at zero, the moving average at the weights.
 */
static sq_status inherit(trainer *t)
{
    char folder[PATH_BYTES];
    int64_t step;
    sq_training_state state = {.space_hash = t->state.space_hash};
    SQ_TRY(sq_checkpoint_find(t->run->from, folder, sizeof folder, &step, warn));
    SQ_TRY(sq_checkpoint_read(folder, t->model, false, &state));
    const size_t bytes = sq_model_plan(t->model)->role_bytes[SQ_ROLE_AVERAGE];
    if (bytes == 0)
        return SQ_OK;
    sq_backend *backend = sq_model_backend(t->model);
    return backend->ops->copy(backend, sq_model_address(t->model, SQ_ROLE_AVERAGE, 0),
                              sq_model_address(t->model, SQ_ROLE_WEIGHT, 0), bytes);
}

/* Initial ones, or another run's. */
static sq_status first_weights(trainer *t)
{
    SQ_TRY(sq_model_initialise(t->model, t->options->seed));
    return t->run->from ? inherit(t) : SQ_OK;
}

/* ---- What is not finite ---- */

/* The newest usable checkpoint of the schedule: a signal's would be another one in a run that no signal met. */
static sq_status roll_back(trainer *t)
{
    const sq_training_state now = t->state;
    sq_status status = SQ_DATA;
    for (; t->anchor > 0; t->anchor -= t->options->checkpoint_every) {
        char folder[PATH_BYTES];
        SQ_TRY(sq_checkpoint_folder(t->run->run, t->anchor, folder, sizeof folder));
        status = sq_ranks_agree(t->run->ranks, sq_checkpoint_read(folder, t->model, true, &t->state));
        if (status == SQ_OK || status == SQ_COMMUNICATION)
            break;
    }
    if (t->anchor <= 0)
        status = sq_ranks_agree(t->run->ranks, first_weights(t));
    const int64_t lost = t->anchor > 0 ? t->state.lost : 0; /* what was lost since counts below */
    t->state = now;
    t->state.lost = lost - t->anchor;
    t->state.loss_sum = 0;
    t->state.top1 = t->state.images = 0;
    return status;
}

/* After SQ_NONFINITE of a step (or, is_late, of the weights after it): goes on as the policy says, or not. */
static sq_status pass_over(trainer *t, int64_t done, bool is_late)
{
    const sq_train_options *o = t->options;
    const bool is_skipped = o->nonfinite == SQ_NONFINITE_SKIP && !is_late;
    char why[1024], line[1280];
    (void)snprintf(why, sizeof why, "%s", sq_error_text());
    if (o->nonfinite == SQ_NONFINITE_STOP)
        return SQ_NONFINITE;
    if (t->state.nonfinite >= o->nonfinite_limit)
        return sq_fail(SQ_NONFINITE, "%s; it was the %" PRId64 ". time, train.nonfinite_limit is %d", why,
                       t->state.nonfinite + 1, o->nonfinite_limit);
    if (is_skipped)
        SQ_TRY(sq_health_undo(t->health));
    else
        SQ_TRY(roll_back(t));
    t->state.nonfinite++;
    t->state.lost += is_skipped ? 1 : done;
    if (!is_first(t))
        return SQ_OK;
    if (is_skipped)
        (void)snprintf(line, sizeof line, "%s; the step is left out", why);
    else
        (void)snprintf(line, sizeof line, "%s; back to the weights of step %" PRId64, why, t->anchor);
    sq_progress_note(t->progress, line);
    return log_event(t, json_pack("{s:s, s:I, s:s, s:I, s:I}", "event", is_skipped ? "skipped" : "rolled back", "step",
                                  (json_int_t)done, "text", why, "weights_of",
                                  (json_int_t)(is_skipped ? done - 1 : t->anchor), "count",
                                  (json_int_t)t->state.nonfinite));
}

static sq_status take_step(trainer *t, int64_t step)
{
    sq_status status = run_step(t, step);
    if (status == SQ_NONFINITE)
        status = sq_ranks_agree(t->run->ranks, pass_over(t, step + 1, false));
    return status;
}

/* Whether the weights are finite, and the same on all ranks. */
static sq_status look_at_weights(trainer *t, int64_t done)
{
    sq_status status = sq_health_weights(t->health, done, t->options->check_every > 0);
    if (status == SQ_NONFINITE)
        status = sq_ranks_agree(t->run->ranks, pass_over(t, done, true));
    return status;
}

/* ---- Checkpoints ---- */

static sq_keep keep_of(const sq_train_options *o)
{
    return (sq_keep){o->keep, (int64_t)o->keep_every * o->checkpoint_every, o->checkpoint_every};
}

static sq_status write_checkpoint(trainer *t)
{
    const sq_keep keep = keep_of(t->options);
    sq_retry retry = sq_retry_begin(t->options->write_retries);
    sq_status status;
    do
        status = sq_checkpoint_write(t->run->run, t->model, &t->state, &keep);
    while (sq_retry_again(&retry, status));
    return status;
}

static sq_status save(trainer *t, int64_t done)
{
    SQ_TRY(sq_model_backend(t->model)->ops->wait(sq_model_backend(t->model)));
    SQ_TRY(look_at_weights(t, done));
    t->state.step = done;
    double bad = (double)sq_loader_count(t->loader).bad;
    SQ_TRY(sq_ranks_sum(t->run->ranks, &bad, 1));
    t->state.bad_images = (int64_t)bad;
    SQ_TRY(sq_ranks_agree(t->run->ranks, is_first(t) ? write_checkpoint(t) : SQ_OK));
    if (done % t->options->checkpoint_every == 0)
        t->anchor = done;
    return SQ_OK;
}

static sq_status loop(trainer *t)
{
    const int64_t steps = t->options->steps;
    for (int64_t step = t->state.step; step < steps; step++) {
        const int64_t done = step + 1;
        SQ_TRY(take_step(t, step));
        if (done % t->options->log_every == 0 || done == steps)
            SQ_TRY(sq_ranks_agree(t->run->ranks, log_interval(t, done)));
        if (t->is_asked && done < steps) {
            SQ_TRY(save(t, done));
            return sq_fail(SQ_INTERRUPTED, "%s: step %" PRId64 " of %" PRId64 " is saved; --resume auto goes on",
                           sq_interrupt_asked() ? sq_interrupt_name() : "another rank", done, steps);
        }
        if (done % t->options->checkpoint_every == 0 || done == steps)
            SQ_TRY(save(t, done));
        else if (t->options->check_every > 0 && done % t->options->check_every == 0)
            SQ_TRY(look_at_weights(t, done));
    }
    return SQ_OK;
}

/* ---- Begin and end ---- */

/* Weights and state to begin with: a checkpoint's, another run's, or fresh ones. */
static sq_status restore(trainer *t)
{
    char folder[PATH_BYTES];
    int64_t step;
    const sq_training_state wanted = t->state;
    if (!t->run->is_resumed ||
        sq_checkpoint_find(t->run->run, folder, sizeof folder, &step, t->run->is_quiet ? NULL : warn) != SQ_OK) {
        return first_weights(t);
    }
    SQ_TRY(sq_checkpoint_read(folder, t->model, true, &t->state));
    if (t->state.scope_hash != wanted.scope_hash)
        return sq_fail(SQ_INVALID, "%s: trained with other layers fixed (scope.free, scope.fixed): not the same run",
                       folder);
    if (t->state.space_hash != wanted.space_hash || t->state.seed != t->options->seed ||
        t->state.batch != t->options->batch)
        return sq_fail(SQ_INVALID,
                       "%s: seed %" PRIu64 ", batch %d; the configuration has seed %" PRIu64
                       ", batch %d: not the same run",
                       folder, t->state.seed, t->state.batch, t->options->seed, t->options->batch);
    return SQ_OK;
}

static sq_status open_timing(trainer *t)
{
    char path[PATH_BYTES];
    if (!sq_text_path(path, sizeof path, t->run->run, "timing.jsonl"))
        return sq_fail(SQ_INVALID, "%s: the path is too long", t->run->run);
    t->timing = fopen(path, "a");
    return t->timing ? SQ_OK : sq_fail(SQ_IO, "%s: cannot be written", path);
}

/* What only rank 0 has: the folder, the log, the times. */
static sq_status open_files(trainer *t)
{
    const sq_keep keep = keep_of(t->options);
    SQ_TRY(sq_checkpoint_tidy(t->run->run, t->state.step, &keep));
    SQ_TRY(sq_progress_open(&t->progress, t->run->run, t->state.step, t->options->write_retries, t->run->is_quiet));
    SQ_TRY(open_timing(t));
    SQ_TRY(sq_events_open(&t->events, t->run->run, t->state.step));
    if (t->state.step > 0)
        return SQ_OK;
    sq_events_network(t->events, "network", 0, t->space, NULL);
    return log_event(t, json_pack("{s:s, s:i, s:s, s:I, s:i, s:I}", "event", "start", "step", 0, "space",
                                  t->space->name, "steps", (json_int_t)t->options->steps, "batch", t->options->batch,
                                  "seed", (json_int_t)t->options->seed));
}

static sq_status begin(trainer *t, const sq_dataset *dataset, const sq_loader_options *options)
{
    sq_ranks *ranks = t->run->ranks;
    SQ_TRY(sq_ranks_agree(ranks, is_first(t) ? sq_folder_make(t->run->run) : SQ_OK));
    SQ_TRY(sq_sampler_open(&t->sampler, t->space, &t->options->sampler));
    t->path_count = sq_sampler_paths(t->sampler);
    t->state = (sq_training_state){.seed = t->options->seed,
                                   .space_hash = sq_space_hash(t->space),
                                   .scope_hash = sq_scope_hash(0, t->options->sampler.scope, t->space),
                                   .batch = t->options->batch};
    SQ_TRY(sq_ranks_agree(ranks, restore(t)));
    t->anchor = t->state.step - t->state.step % t->options->checkpoint_every;
    SQ_TRY(sq_health_open(&t->health, t->model, ranks, t->options->nonfinite == SQ_NONFINITE_SKIP));
    SQ_TRY(sq_health_weights(t->health, t->state.step, t->options->check_every > 0));
    SQ_TRY(sq_model_compile(t->model, 1u << SQ_FORWARD | 1u << SQ_BACKWARD | 1u << SQ_UPDATE));
    SQ_TRY(sq_ranks_agree(ranks, is_first(t) ? open_files(t) : SQ_OK));
    sq_loader_options loader = *options;
    loader.first_batch = (uint64_t)t->state.step;
    loader.part = sq_ranks_rank(ranks);
    loader.parts = sq_ranks_count(ranks);
    SQ_TRY(sq_loader_open(&t->loader, dataset, &loader));
    t->start_step = t->mark_step = t->state.step;
    t->start_seconds = t->mark_seconds = sq_seconds_now();
    return SQ_OK;
}

static void end(trainer *t)
{
    sq_loader_close(t->loader);
    sq_sampler_close(t->sampler);
    sq_health_close(t->health);
    sq_progress_close(t->progress);
    sq_events_close(t->events);
    if (t->timing)
        (void)fclose(t->timing); /* every line was flushed */
}

static sq_status check_options(const sq_train_options *o)
{
    if (o->steps < 1 || o->batch < 1 || o->log_every < 1 || o->checkpoint_every < 1)
        return sq_fail(SQ_INVALID,
                       "train: steps %" PRId64 ", batch %d, log_every %d, checkpoint_every %d, wanted at least 1",
                       o->steps, o->batch, o->log_every, o->checkpoint_every);
    return SQ_OK;
}

sq_status sq_train(sq_model *model, const sq_dataset *dataset, const sq_loader_options *loader,
                   const sq_train_options *options, const sq_train_run *run)
{
    trainer t = {.model = model, .options = options, .run = run, .space = sq_model_plan(model)->space};
    SQ_TRY(check_options(options));
    sq_status status = begin(&t, dataset, loader);
    if (status == SQ_OK)
        status = loop(&t);
    end(&t);
    return status;
}
