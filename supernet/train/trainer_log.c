#include "supernet/train/trainer_log.h"

#include <inttypes.h>
#include <stdio.h>

#include "kernels/base/clock.h"
#include "kernels/base/text.h"

static void show(sq_trainer *t, int64_t done, double loss, double top1)
{
    char line[256], left[64], paths[32] = "";
    const sq_loader_counters counters = sq_loader_get_counters(t->loader);
    const double seconds = sq_seconds_now() - t->interval.seconds,
                 wait = counters.wait_seconds - t->interval.wait_seconds;
    const double passes = (double)((done - t->interval.step) * t->options->batch * t->step.local_count);
    const double rate = passes / (seconds > 0 ? seconds : 1e-9);
    const double per_step = (sq_seconds_now() - t->start_seconds) / (double)(done - t->start_step);
    if (t->step.path_count > 1)
        (void)snprintf(paths, sizeof paths, "%d paths  ", t->step.path_count);
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
                  done, seconds, rate, wait, counters.stalls - t->interval.stalls, counters.prefetch_depth);
    (void)fflush(t->timing); /* write errors of timing.jsonl are ignored */
    sq_events_scalar(t->events, "speed/images_per_second", done, rate);
    sq_events_scalar(t->events, "speed/data_bound", done, wait / (seconds > 0 ? seconds : 1e-9));
    t->interval.seconds = sq_seconds_now();
    t->interval.wait_seconds = counters.wait_seconds;
    t->interval.stalls = counters.stalls;
    t->interval.step = done;
}

sq_status sq_trainer_log_event(sq_trainer *t, json_t *event)
{
    if (event && t->step.path_count > 1 && json_object_set_new(event, "paths", json_integer(t->step.path_count)) != 0) {
        json_decref(event);
        event = NULL; /* for NULL, sq_progress_log returns SQ_NO_MEMORY */
    }
    return sq_progress_log(t->progress, event);
}

sq_status sq_trainer_log_interval(sq_trainer *t, int64_t done)
{
    const double images = (double)t->state.images, loss = t->state.loss_sum / images,
                 top1 = (double)t->state.top1 / images, rate = sq_schedule_at(&t->options->schedule, done - 1);
    t->state.loss_sum = 0;
    t->state.top1 = t->state.images = 0;
    if (!sq_trainer_is_root(t))
        return SQ_OK;
    show(t, done, loss, top1);
    sq_events_scalar(t->events, "train/lr", done, rate);
    if (images == 0) /* every step of the interval was skipped */
        return sq_trainer_log_event(t, json_pack("{s:s, s:I, s:n, s:n, s:f}", "event", "step", "step", (json_int_t)done,
                                                 "loss", "top1_acc", "lr", rate));
    sq_events_scalar(t->events, "train/loss", done, loss);
    sq_events_scalar(t->events, "train/top1_acc", done, top1);
    return sq_trainer_log_event(t, json_pack("{s:s, s:I, s:f, s:f, s:f}", "event", "step", "step", (json_int_t)done,
                                             "loss", loss, "top1_acc", top1, "lr", rate));
}

static sq_status open_timing(sq_trainer *t)
{
    char path[SQ_PATH_BYTES];
    SQ_TRY(sq_text_path(path, sizeof path, t->run->folder, "timing.jsonl"));
    t->timing = fopen(path, "a");
    return t->timing ? SQ_OK : sq_fail(SQ_IO, "%s: cannot be written", path);
}

sq_status sq_trainer_open_files(sq_trainer *t)
{
    const sq_retention keep = sq_trainer_retention(t->options);
    SQ_TRY(sq_checkpoint_tidy(t->run->folder, t->state.step, &keep));
    SQ_TRY(sq_progress_open(&t->progress, t->run->folder, t->state.step, t->options->write_retries, t->run->is_quiet));
    SQ_TRY(open_timing(t));
    SQ_TRY(sq_events_open(&t->events, t->run->folder, t->state.step));
    if (t->state.step > 0)
        return SQ_OK;
    sq_events_network(t->events, "network", 0, t->space, NULL);
    return sq_trainer_log_event(t, json_pack("{s:s, s:i, s:s, s:I, s:i, s:I}", "event", "start", "step", 0, "space",
                                             t->space->name, "steps", (json_int_t)t->options->steps, "batch",
                                             t->options->batch, "seed", (json_int_t)t->options->seed));
}

void sq_trainer_close_files(sq_trainer *t)
{
    sq_progress_close(t->progress);
    sq_events_close(t->events);
    if (t->timing)
        (void)fclose(t->timing); /* every line was flushed */
}
