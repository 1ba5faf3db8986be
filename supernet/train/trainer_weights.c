#include "supernet/train/trainer_weights.h"

#include <inttypes.h>
#include <stdio.h>

#include "kernels/base/text.h"
#include "supernet/model/initialize.h"
#include "supernet/train/trainer_log.h"

static void warn(const char *line)
{
    (void)fprintf(stderr, "skipped: %s\n", line);
}

/* Loads weights and statistics of another run of the same space. Momentum starts at 0, and the moving average starts
 * with the loaded weights. */
static sq_status inherit(sq_trainer *t)
{
    char folder[SQ_PATH_BYTES];
    int64_t step;
    sq_training_state state = {.space_hash = t->state.space_hash};
    SQ_TRY(sq_checkpoint_find(t->run->inherit_from, folder, sizeof folder, &step, warn));
    SQ_TRY(sq_checkpoint_read(folder, t->model, false, &state));
    const size_t bytes = sq_model_plan(t->model)->role_bytes[SQ_ROLE_AVERAGE];
    if (bytes == 0)
        return SQ_OK;
    sq_backend *backend = sq_model_backend(t->model);
    return backend->ops->copy(backend, sq_model_address(t->model, SQ_ROLE_AVERAGE, 0),
                              sq_model_address(t->model, SQ_ROLE_WEIGHT, 0), bytes);
}

/* Loads the weights of another run (inherit_from), or writes initial weights. */
static sq_status first_weights(sq_trainer *t)
{
    SQ_TRY(sq_model_initialize(t->model, t->options->seed));
    return t->run->inherit_from ? inherit(t) : SQ_OK;
}

sq_status sq_trainer_restore(sq_trainer *t)
{
    char folder[SQ_PATH_BYTES];
    int64_t step;
    const sq_training_state expected = t->state;
    if (!t->run->is_resumed ||
        sq_checkpoint_find(t->run->folder, folder, sizeof folder, &step, t->run->is_quiet ? NULL : warn) != SQ_OK) {
        return first_weights(t);
    }
    SQ_TRY(sq_checkpoint_read(folder, t->model, true, &t->state));
    if (t->state.search_mask_hash != expected.search_mask_hash)
        return sq_fail(SQ_INVALID,
                       "%s: layers.search and layers.fixed differ from this run's; restore them, or use a new folder",
                       folder);
    if (t->state.space_hash != expected.space_hash || t->state.seed != t->options->seed ||
        t->state.batch != t->options->batch)
        return sq_fail(SQ_INVALID,
                       "%s: seed %" PRIu64 ", batch %d: expected seed %" PRIu64
                       ", batch %d; restore them, or use a new folder",
                       folder, t->state.seed, t->state.batch, t->options->seed, t->options->batch);
    return SQ_OK;
}

/* Loads the newest usable periodic checkpoint. Checkpoints that a signal caused are not used, because a run without the
 * signal would roll back further, and the results would differ. */
static sq_status roll_back(sq_trainer *t)
{
    const sq_training_state now = t->state;
    sq_status status = SQ_DATA;
    for (; t->rollback_step > 0; t->rollback_step -= t->options->checkpoint_every) {
        char folder[SQ_PATH_BYTES];
        SQ_TRY(sq_checkpoint_folder(t->run->folder, t->rollback_step, folder, sizeof folder));
        status = sq_ranks_reduce_status(t->run->ranks, sq_checkpoint_read(folder, t->model, true, &t->state));
        if (status == SQ_OK || status == SQ_COMMUNICATION)
            break;
    }
    if (t->rollback_step <= 0)
        status = sq_ranks_agree(t->run->ranks, first_weights(t));
    const int64_t lost = t->rollback_step > 0 ? t->state.lost : 0; /* of the checkpoint; the caller adds later steps */
    t->state = now;
    t->state.lost = lost - t->rollback_step;
    t->state.loss_sum = 0;
    t->state.top1 = t->state.images = 0;
    return status;
}

/* Prints a line above the progress line, and writes a line of log.jsonl. */
static sq_status log_nonfinite(sq_trainer *t, int64_t done, bool is_skipped, const char *why)
{
    const int64_t weights_of = is_skipped ? done - 1 : t->rollback_step;
    char line[1280];
    if (!sq_trainer_is_root(t))
        return SQ_OK;
    if (is_skipped)
        (void)snprintf(line, sizeof line, "%s; the step is skipped", why);
    else
        (void)snprintf(line, sizeof line, "%s; rolled back to the weights of step %" PRId64, why, weights_of);
    sq_progress_note(t->progress, line);
    return sq_trainer_log_event(t,
                                json_pack("{s:s, s:I, s:s, s:I, s:I}", "event", is_skipped ? "skipped" : "rolled back",
                                          "step", (json_int_t)done, "text", why, "weights_of", (json_int_t)weights_of,
                                          "count", (json_int_t)t->state.nonfinite));
}

sq_status sq_trainer_handle_nonfinite(sq_trainer *t, int64_t done, bool is_late)
{
    const sq_train_options *o = t->options;
    const bool is_skipped = o->nonfinite == SQ_NONFINITE_SKIP && !is_late;
    char why[1024];
    (void)snprintf(why, sizeof why, "%s", sq_error_text());
    if (o->nonfinite == SQ_NONFINITE_STOP)
        return SQ_NONFINITE;
    if (t->state.nonfinite >= o->nonfinite_limit)
        return sq_fail(SQ_NONFINITE, "%s; occurrence %" PRId64 " exceeds train.nonfinite_limit (%d)", why,
                       t->state.nonfinite + 1, o->nonfinite_limit);
    if (is_skipped)
        SQ_TRY(sq_nonfinite_check_restore(t->nonfinite_check));
    else
        SQ_TRY(roll_back(t));
    t->state.nonfinite++;
    t->state.lost += is_skipped ? 1 : done;
    return log_nonfinite(t, done, is_skipped, why);
}

sq_status sq_trainer_check_weights(sq_trainer *t, int64_t done)
{
    sq_status status = sq_nonfinite_check_weights(t->nonfinite_check, done, t->options->check_every > 0);
    if (status == SQ_NONFINITE)
        status = sq_ranks_agree(t->run->ranks, sq_trainer_handle_nonfinite(t, done, true));
    return status;
}
