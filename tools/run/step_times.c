/* Measures the times of programs and lists the parts of a training step. supernet/model/walk.c defines the order of the
 * parts, here and in the trainer. */
#include "tools/run/step_times.h"

#include <stdlib.h>

#include "kernels/base/clock.h"
#include "supernet/model/initialize.h"
#include "supernet/model/walk.h"
#include "supernet/space/cost.h"
#include "supernet/train/train_step.h"
#include "tools/run/messages.h"
#include "tools/run/synthetic_batch.h"

static const sq_mode modes[SQ_STEP_MODES] = {SQ_FORWARD, SQ_BACKWARD, SQ_UPDATE};

static int mode_index(sq_mode mode)
{
    int index = 0;
    while (modes[index] != mode)
        index++;
    return index;
}

enum {
    FORWARD,
    BACKWARD,
    UPDATE,
    REPEATS = 5,
    /* Two agreements and one update; for each path, one forward and one join; for each layer of a path, one backward
     * and two reductions. */
    MOST_PARTS = SQ_MAX_PATHS * (3 * SQ_MAX_LAYERS + 2) + 3
};

typedef struct {
    int paths[SQ_MAX_PATHS][SQ_MAX_LAYERS], count;
} drawn_paths;

static void draw(const sq_step_times *t, int step, drawn_paths *out)
{
    out->count = sq_sampler_paths(t->sampler);
    for (int i = 0; i < out->count; i++)
        sq_sampler_draw(t->sampler, (uint64_t)t->session->config->seed, (uint64_t)step, i, out->paths[i]);
}

static sq_step_paths paths_of(const drawn_paths *d)
{
    return (sq_step_paths){.first = d->paths[0], .count = d->count};
}

/* ---- The parts of a step ---- */

/* The calls of a step, as parts for the step model. Programs that follow each other without a reduction between them
 * form one part. */
typedef struct {
    const sq_step_times *times;
    sq_step_part *list; /* [MOST_PARTS] */
    size_t count;
    double seconds[SQ_STEP_MODES]; /* seconds of the programs, by mode */
} part_list;

static sq_status add(part_list *p, sq_step_part part)
{
    if (p->count == MOST_PARTS)
        return sq_fail(SQ_UNSUPPORTED, "forecast: more than %d parts in a step", MOST_PARTS);
    p->list[p->count++] = part;
    return SQ_OK;
}

static sq_status add_program(void *context, int layer, int choice, sq_mode mode)
{
    part_list *p = context;
    const int index = mode_index(mode);
    const double seconds = p->times->seconds[index][layer][choice];
    p->seconds[index] += seconds;
    if (mode != SQ_BACKWARD && p->count && p->list[p->count - 1].kind == SQ_PART_RUN) {
        p->list[p->count - 1].seconds += seconds;
        return SQ_OK;
    }
    return add(p, (sq_step_part){SQ_PART_RUN, seconds, 0});
}

/* Adds the reductions of sq_model_reduce: the gradients in the configured data type, and the statistics in FP32. */
static sq_status add_reduction(void *context, int layer, int choice, bool is_local)
{
    part_list *p = context;
    const sq_region *region = &p->times->plan.regions[layer][choice];
    const size_t weights = region->bytes[SQ_ROLE_WEIGHT] / sizeof(float),
                 statistics = region->bytes[SQ_ROLE_STATISTICS];
    (void)is_local; /* zero gradients take the same bytes */
    SQ_TRY(add(p, (sq_step_part){SQ_PART_REDUCE, 0, weights * sq_dtype_bytes(p->times->session->config->reduction)}));
    return statistics ? add(p, (sq_step_part){SQ_PART_REDUCE, 0, statistics}) : SQ_OK;
}

static sq_status add_join(void *context)
{
    return add(context, (sq_step_part){SQ_PART_JOIN, 0, 0});
}

static sq_status accumulate(void *context, bool is_on)
{
    (void)context, (void)is_on; /* accumulation takes no time */
    return SQ_OK;
}

/* Lists the parts of a step as in supernet/train/trainer.c: all ranks agree that there is a batch; each path runs
 * forward and backward; all ranks add up the losses; the update runs. */
static sq_status make_parts(const drawn_paths *d, part_list *p)
{
    const int layers = p->times->session->space->layer_count;
    const sq_step_paths paths = paths_of(d);
    const sq_walk_calls calls = {layers, accumulate, add_program, add_reduction, add_join, p};
    SQ_TRY(add(p, (sq_step_part){SQ_PART_AGREE, 0, 0}));
    for (int i = 0; i < d->count; i++) {
        for (int l = 0; l < layers; l++)
            SQ_TRY(add_program(p, l, d->paths[i][l], SQ_FORWARD));
        SQ_TRY(sq_walk_backward(&calls, &paths, i));
    }
    SQ_TRY(add(p, (sq_step_part){SQ_PART_AGREE, 0, 0}));
    return sq_walk_update(&calls, &paths);
}

/* ---- Times ---- */

typedef struct {
    sq_step_times *times;
    sq_model *model;
    sq_nonfinite_check *nonfinite_check;
    sq_synthetic_batch batch;
    double *steps; /* seconds of each whole step */
} meter;

static sq_status load(void *context)
{
    const meter *m = context;
    return sq_synthetic_batch_load(m->model, &m->batch);
}

static sq_status run_paths(meter *m, const drawn_paths *d, int step)
{
    sq_step scalars[SQ_MAX_PATHS];
    const sq_step_paths paths = paths_of(d);
    const sq_train_step gradients = {
        .model = m->model, .nonfinite_check = m->nonfinite_check, .load = load, .context = m};
    sq_train_outcome outcome; /* ignored, because the loss of random images can be nonfinite */
    for (int i = 0; i < d->count; i++)
        scalars[i] = sq_synthetic_batch_step(sq_model_plan(m->model), m->times->session, step);
    SQ_TRY(sq_train_step_gradients(&gradients, &paths, scalars, &outcome));
    return sq_model_update_of(m->model, &paths);
}

/* Runs every step twice: once to compile and warm up, and once timed. */
static sq_status time_steps(meter *m)
{
    const sq_session *s = m->times->session;
    drawn_paths d;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < m->times->steps; i++) {
            draw(m->times, i, &d);
            SQ_TRY(sq_ranks_barrier(s->ranks));
            const double begin = sq_seconds_now();
            SQ_TRY(run_paths(m, &d, i));
            SQ_TRY(s->backend->ops->wait(s->backend));
            SQ_TRY(sq_ranks_barrier(s->ranks));
            m->steps[i] = sq_seconds_now() - begin;
        }
    return SQ_OK;
}

static sq_status time_programs(meter *m)
{
    sq_step_times *t = m->times;
    const sq_session *s = t->session;
    drawn_paths d;
    for (int i = 0; i < t->steps; i++) {
        draw(t, i, &d);
        for (int k = 0; k < d.count; k++)
            for (int l = 0; l < s->space->layer_count; l++)
                for (int mode = 0; mode < SQ_STEP_MODES; mode++) {
                    double *seconds = &t->seconds[mode][l][d.paths[k][l]];
                    const sq_program *program;
                    if (*seconds > 0)
                        continue;
                    SQ_TRY(sq_model_program(m->model, l, d.paths[k][l], modes[mode], &program));
                    SQ_TRY(s->backend->ops->measure(s->backend, program, REPEATS, seconds));
                }
    }
    return SQ_OK;
}

/* Computes the seconds of all programs in one step, averaged over the steps. */
static sq_status programs_of(const sq_step_times *t, double *out)
{
    sq_step_forecast forecast;
    const sq_network alone = {.ranks = 1, .per_node = 1, .within = {0, 1}, .between = {0, 1}};
    SQ_TRY(sq_step_times_predict(t, &alone, &forecast));
    *out = forecast.mean.programs;
    return SQ_OK;
}

/* Scales the program times so that the programs of a step add up to the time of whole steps, because a program that is
 * measured alone finds its data in the caches. */
static sq_status scale_to(sq_step_times *t, double seconds)
{
    double programs;
    SQ_TRY(programs_of(t, &programs));
    if (programs <= 0 || seconds <= 0)
        return sq_fail(SQ_DEVICE, "forecast: found programs of %g s in steps of %g s, expected times above 0", programs,
                       seconds);
    for (int mode = 0; mode < SQ_STEP_MODES; mode++)
        for (int l = 0; l < SQ_MAX_LAYERS; l++)
            for (int c = 0; c < SQ_MAX_CHOICES; c++)
                t->seconds[mode][l][c] *= seconds / programs;
    t->measured = seconds;
    return SQ_OK;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Averages the measurements over the ranks. */
static sq_status share_times(meter *m)
{
    sq_step_times *t = m->times;
    const sq_session *s = t->session;
    double *all = &t->seconds[0][0][0], step;
    qsort(m->steps, (size_t)t->steps, sizeof *m->steps, by_value);
    step = m->steps[t->steps / 2];
    SQ_TRY(sq_ranks_sum(s->ranks, all, (int)(sizeof t->seconds / sizeof *all)));
    SQ_TRY(sq_ranks_sum(s->ranks, &step, 1));
    return scale_to(t, step / sq_ranks_count(s->ranks));
}

static sq_status measure(meter *m)
{
    const sq_session *s = m->times->session;
    const sq_model_options options = {.block = sq_session_block(s, m->times->batch, true), .is_training = true};
    SQ_TRY(sq_model_create(&m->model, s->backend, s->space, &options));
    SQ_TRY(sq_model_initialize(m->model, (uint64_t)s->config->seed));
    SQ_TRY(sq_nonfinite_check_open(&m->nonfinite_check, m->model, s->ranks, false));
    SQ_TRY(sq_synthetic_batch_make(&m->batch, sq_model_plan(m->model), (uint64_t)s->config->seed));
    SQ_TRY(sq_synthetic_batch_load(m->model, &m->batch));
    SQ_TRY(time_steps(m));
    SQ_TRY(time_programs(m));
    return share_times(m);
}

static sq_status open_times(sq_step_times *t, const sq_session *s, int batch, int steps)
{
    const sq_block_options block = sq_session_block(s, batch, true);
    *t = (sq_step_times){.session = s, .batch = batch, .steps = steps};
    SQ_TRY(sq_sampler_open(&t->sampler, s->space, &s->config->train.sampler));
    return sq_memory_plan_make(&t->plan, s->space, &block, true, s->backend);
}

sq_status sq_step_times_measure(sq_step_times *out, const sq_session *session, int batch, int steps)
{
    meter m = {.times = out, .steps = calloc((size_t)steps, sizeof *m.steps)};
    sq_status status = m.steps ? open_times(out, session, batch, steps) : sq_fail(SQ_NO_MEMORY, "%d steps", steps);
    if (status == SQ_OK)
        status = measure(&m);
    sq_nonfinite_check_close(m.nonfinite_check);
    sq_synthetic_batch_clear(&m.batch);
    sq_model_destroy(m.model);
    free(m.steps);
    return status;
}

sq_status sq_step_times_spread(sq_step_times *out, const sq_session *session, int batch, int steps, double seconds)
{
    SQ_TRY(open_times(out, session, batch, steps));
    for (int l = 0; l < session->space->layer_count; l++)
        for (int c = 0; c < session->space->layers[l].choice_count; c++) {
            const double macs = (double)sq_cost_block(session->space, l, c).macs;
            out->seconds[FORWARD][l][c] = macs;
            out->seconds[BACKWARD][l][c] = 2 * macs;
        }
    return scale_to(out, seconds);
}

void sq_step_times_clear(sq_step_times *times)
{
    if (times->plan.space)
        sq_memory_plan_clear(&times->plan);
    sq_sampler_close(times->sampler);
}

/* ---- The forecast ---- */

static void add_time(sq_step_time *sum, const sq_step_time *more)
{
    sum->seconds += more->seconds;
    sum->programs += more->programs;
    sum->network += more->network;
    sum->exposed += more->exposed;
    sum->agreement += more->agreement;
    sum->bytes += more->bytes;
    sum->messages += more->messages;
}

static sq_status add_steps(part_list *p, const sq_network *network, sq_step_forecast *sum)
{
    drawn_paths d;
    for (int step = 0; step < p->times->steps; step++) {
        sq_step_time time;
        draw(p->times, step, &d);
        p->count = 0;
        SQ_TRY(make_parts(&d, p));
        SQ_TRY(sq_step_predict(network, p->list, p->count, &time));
        add_time(&sum->mean, &time);
    }
    sum->forward = p->seconds[FORWARD];
    sum->backward = p->seconds[BACKWARD];
    sum->update = p->seconds[UPDATE];
    return SQ_OK;
}

sq_status sq_step_times_predict(const sq_step_times *t, const sq_network *network, sq_step_forecast *out)
{
    sq_step_forecast sum = {0};
    part_list p = {.times = t, .list = malloc(MOST_PARTS * sizeof *p.list)};
    const sq_status status = p.list ? add_steps(&p, network, &sum) : sq_fail(SQ_NO_MEMORY, "parts of a step");
    free(p.list);
    if (status != SQ_OK)
        return status;
    double *values[] = {&sum.mean.seconds,   &sum.mean.programs, &sum.mean.network, &sum.mean.exposed,
                        &sum.mean.agreement, &sum.forward,       &sum.backward,     &sum.update};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        *values[i] /= t->steps;
    sum.mean.bytes /= (size_t)t->steps;
    sum.mean.messages /= t->steps;
    *out = sum;
    return SQ_OK;
}
