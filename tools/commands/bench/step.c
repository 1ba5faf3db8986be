/* squall bench step: times whole training steps on random paths with the trainer's code (supernet/train/train_step.h).
 * A step copies a batch to the device, and the host waits for the loss and for the check of the gradients. Decoding,
 * reductions between ranks, logs and checkpoints are not included. */
#include <inttypes.h>
#include <stdlib.h>

#include "kernels/base/clock.h"
#include "kernels/base/text.h"
#include "supernet/model/walk.h"
#include "supernet/train/signals.h"
#include "supernet/train/train_step.h"
#include "tools/commands/bench/bench.h"

enum { BLOCK_STEPS = 10 };

typedef struct {
    const sq_session *session;
    const sq_bench_options *options;
    sq_bench_subject subject;
    sq_sampler *sampler;
    sq_nonfinite_check *nonfinite_check;
    sq_result sum; /* over the timed steps */
    double *rates; /* images/s of each block of steps, sorted at the end */
    int block_count;
    double loss;                             /* mean loss of the timed steps */
    int uses[SQ_MAX_LAYERS][SQ_MAX_CHOICES]; /* number of timed paths with a choice */
    sq_bench_tally tally;
} bench;

static sq_status load(void *context)
{
    const bench *b = context;
    return sq_synthetic_batch_load(b->subject.model, &b->subject.batch);
}

/* Fails if the loss or a gradient is not finite, because the speed of such a step is meaningless. */
static sq_status check_step(const bench *b, const sq_train_outcome *outcome)
{
    const char *space = b->subject.space->name, *device = b->session->backend->ops->name;
    const sq_result *result = &outcome->results[0];
    if (result->nonfinite > 0)
        return sq_fail(SQ_NONFINITE, "%s on %s: the loss of %" PRId64 " of %" PRId64 " images is not finite", space,
                       device, result->nonfinite, result->images);
    if (outcome->bad_path != SQ_NONE)
        return sq_fail(SQ_NONFINITE, "%s on %s: gradients of layer %d are not finite", space, device,
                       outcome->bad_layer);
    return SQ_OK;
}

static sq_status train(bench *b, int64_t step, const int *path)
{
    const sq_step scalars = sq_synthetic_batch_step(b->subject.plan, b->session, step);
    const sq_step_paths paths = {.first = path, .count = 1};
    const sq_train_step gradients = {
        .model = b->subject.model, .nonfinite_check = b->nonfinite_check, .load = load, .context = b};
    sq_train_outcome outcome;
    SQ_TRY(sq_train_step_gradients(&gradients, &paths, &scalars, &outcome));
    SQ_TRY(check_step(b, &outcome));
    b->sum.loss += outcome.results[0].loss;
    b->sum.images += outcome.results[0].images;
    return sq_model_update_of(b->subject.model, &paths);
}

static sq_status train_drawn(bench *b, int64_t step)
{
    int path[SQ_MAX_LAYERS];
    sq_sampler_draw(b->sampler, (uint64_t)b->session->config->seed, (uint64_t)step, 0, path);
    return train(b, step, path);
}

static sq_status count_paths(bench *b)
{
    const int64_t first = b->options->warmup;
    if (b->options->arch) {
        int path[SQ_MAX_LAYERS];
        SQ_TRY(sq_arch_read(b->subject.space, b->options->arch, path));
        for (int l = 0; l < b->subject.space->layer_count; l++)
            b->uses[l][path[l]] = b->options->steps;
        return SQ_OK;
    }
    for (int64_t step = first; step < first + b->options->steps; step++) {
        int path[SQ_MAX_LAYERS];
        sq_sampler_draw(b->sampler, (uint64_t)b->session->config->seed, (uint64_t)step, 0, path);
        for (int l = 0; l < b->subject.space->layer_count; l++)
            b->uses[l][path[l]]++;
    }
    return SQ_OK;
}

/* Compiles all programs, and trains on a few paths that together contain all blocks, so that every program runs at
 * least once. Then runs the warm-up steps. */
static sq_status warm_up(bench *b)
{
    const sq_space *space = b->subject.space;
    const struct sq_backend_ops *ops = b->session->backend->ops;
    int most = 1;
    SQ_TRY(sq_nonfinite_check_open(&b->nonfinite_check, b->subject.model, NULL, false));
    SQ_TRY(sq_model_compile(b->subject.model, 1u << SQ_FORWARD | 1u << SQ_BACKWARD | 1u << SQ_UPDATE));
    for (int k = 0; k < most; k++) {
        int path[SQ_MAX_LAYERS];
        for (int l = 0; l < space->layer_count; l++) {
            const int choices = space->layers[l].choice_count;
            path[l] = k < choices ? k : choices - 1;
            most = choices > most ? choices : most;
        }
        SQ_TRY(train(b, 0, path));
    }
    for (int64_t step = 0; step < b->options->warmup; step++)
        SQ_TRY(train_drawn(b, step));
    return ops->wait(b->session->backend);
}

static double median(const bench *b)
{
    const int n = b->block_count;
    return n % 2 ? b->rates[n / 2] : (b->rates[n / 2 - 1] + b->rates[n / 2]) / 2;
}

static sq_status time_blocks(bench *b)
{
    const struct sq_backend_ops *ops = b->session->backend->ops;
    int64_t step = b->options->warmup;
    const int64_t end = step + b->options->steps;
    b->sum = (sq_result){0};
    for (int i = 0; i < b->block_count; i++) {
        const int64_t last =
            i + 1 < b->block_count ? step + BLOCK_STEPS : end; /* the last block has the remaining steps */
        const int64_t count = last - step;
        if (sq_signals_received())
            return sq_fail(SQ_INTERRUPTED, "%s: nothing was measured", sq_signals_name());
        const double begin = sq_seconds_now();
        for (; step < last; step++)
            SQ_TRY(train_drawn(b, step));
        SQ_TRY(ops->wait(b->session->backend));
        b->rates[i] = (double)count * b->options->batch / (sq_seconds_now() - begin);
    }
    qsort(b->rates, (size_t)b->block_count, sizeof *b->rates, sq_bench_by_value);
    b->loss = b->sum.loss / (double)b->sum.images;
    return SQ_OK;
}

/* ---- Showing ---- */

static double bandwidth_of(const bench *b)
{
    return b->options->bandwidth > 0 ? b->options->bandwidth : SQ_BENCH_BANDWIDTH;
}

static sq_status print_json(const bench *b)
{
    const bool is_dry = b->options->is_dry;
    json_t *object =
        json_pack("{s:s, s:s, s:i, s:i, s:i, s:I}", "space", b->subject.space->name, "device",
                  is_dry ? "cuda" : b->session->backend->ops->name, "batch", b->options->batch, "steps",
                  b->options->steps, "warmup", b->options->warmup, "seed", (json_int_t)b->session->config->seed);
    if (!object)
        return sq_fail(SQ_NO_MEMORY, "bench: JSON");
    if (!is_dry) {
        (void)json_object_set_new(object, "images_per_second",
                                  json_real(median(b))); /* on failure the key is missing */
        (void)json_object_set_new(object, "images_per_second_min", json_real(b->rates[0]));
        (void)json_object_set_new(object, "images_per_second_max", json_real(b->rates[b->block_count - 1]));
        (void)json_object_set_new(object, "ms_per_step", json_real(1e3 * b->options->batch / median(b)));
        (void)json_object_set_new(object, "loss", json_real(b->loss));
    }
    if (sq_bench_has_parts(&b->subject)) {
        const double bound = bandwidth_of(b) / sq_bench_tally_bytes(&b->tally, SQ_MODES);
        sq_bench_tally_json(&b->tally, object);
        (void)json_object_set_new(object, "bound_images_per_second", json_real(bound));
        if (!is_dry)
            (void)json_object_set_new(object, "share_of_bound", json_real(median(b) / bound));
    }
    return sq_print_json(object);
}

static void print_bound(const bench *b)
{
    const double bound = bandwidth_of(b) / sq_bench_tally_bytes(&b->tally, SQ_MODES);
    sq_bench_tally_print(&b->tally);
    sq_print_row("bound", "%.0f images/s at %.0f GB/s", bound, 1e-9 * bandwidth_of(b));
    if (!b->options->is_dry)
        sq_print_row("share reached", "%.1f %%", 100 * median(b) / bound);
}

static void print_table(const bench *b)
{
    char size[32];
    size_t bytes = 0;
    for (int role = 0; role < SQ_ROLES; role++)
        bytes += b->subject.plan->role_bytes[role];
    if (b->options->arch) {
        (void)printf("%s on cuda, batch %d: path %s, counted and not run\n", b->subject.space->name, b->options->batch,
                     b->options->arch);
    } else if (b->options->is_dry) {
        (void)printf("%s on cuda, batch %d: %d random paths, seed %" PRId64 ", counted and not run\n",
                     b->subject.space->name, b->options->batch, b->options->steps, b->session->config->seed);
    } else {
        (void)printf("%s on %s, batch %d: %d steps on random paths, seed %" PRId64 ", in %d blocks, after %d\n",
                     b->subject.space->name, b->session->backend->ops->name, b->options->batch, b->options->steps,
                     b->session->config->seed, b->block_count, b->options->warmup);
        sq_print_row("images/s", "%.1f, median of blocks (%.1f to %.1f)", median(b), b->rates[0],
                     b->rates[b->block_count - 1]);
        sq_print_row("ms per step", "%.3f", 1e3 * b->options->batch / median(b));
        sq_print_row("in each step", "copy of a batch, loss, check of the gradients, update; no decoding");
        sq_print_row("loss", "%.4f, mean of these steps", b->loss);
    }
    sq_print_row("memory of the plan", "%s%s", sq_text_si(size, sizeof size, (double)bytes, "B"),
                 b->options->is_dry ? ", without workspace" : "");
    if (sq_bench_has_parts(&b->subject))
        print_bound(b);
}

static sq_status run_bench(bench *b)
{
    const sq_sampler_options uniform = {.sampling = SQ_SAMPLE_UNIFORM};
    SQ_TRY(sq_bench_open(&b->subject, b->session, b->options, b->options->file));
    SQ_TRY(sq_sampler_open(&b->sampler, b->subject.space, &uniform));
    SQ_TRY(count_paths(b));
    if (b->options->gpu)
        return sq_bench_model(&b->subject, b->options, b->uses, b->options->steps);
    if (!b->options->is_dry) {
        SQ_TRY(warm_up(b));
        SQ_TRY(time_blocks(b));
    }
    if (sq_bench_has_parts(&b->subject))
        SQ_TRY(sq_bench_tally_make(&b->tally, &b->subject, b->uses, b->options->steps));
    if (b->options->is_json)
        return print_json(b);
    print_table(b);
    return SQ_OK;
}

sq_status sq_bench_step(const sq_session *session, const sq_bench_options *options)
{
    bench *b = calloc(1, sizeof *b);
    const int blocks = options->steps < BLOCK_STEPS ? 1 : options->steps / BLOCK_STEPS;
    double *rates = calloc((size_t)blocks, sizeof *rates);
    sq_status status = b && rates ? SQ_OK : sq_fail(SQ_NO_MEMORY, "bench: %d blocks of steps", blocks);
    if (status == SQ_OK) {
        b->session = session;
        b->options = options;
        b->rates = rates;
        b->block_count = blocks;
        status = run_bench(b);
        sq_sampler_close(b->sampler);
        sq_nonfinite_check_close(b->nonfinite_check);
        sq_bench_close(&b->subject);
    }
    free(rates);
    free(b);
    return status;
}
