/* Tests nonfinite losses, gradients and weights. The nonfinite weights come from a run from which the training
 * inherits. The tests compute the expected weights by walks over the model. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "supernet/model/initialize.h"
#include "supernet/model/walk.h"
#include "supernet/train/checkpoint.h"
#include "supernet/train/signals.h"
#include "supernet/train/trainer.h"
#include "tests/support/support.h"

enum { STEPS = 14, EVERY = 4, SPOILT_LAYER = 2, SPOILT_CHOICE = 0 };

static sq_train_options options_of(sq_nonfinite_policy policy)
{
    sq_train_options options = train_bench_options(STEPS);
    options.nonfinite = policy;
    options.nonfinite_limit = 10;
    options.checkpoint_every = EVERY;
    return options;
}

static sq_status train(const char *run, const char *from, bool is_resumed, const sq_train_options *options)
{
    train_bench b = open_train_bench(NULL, 1);
    const sq_train_run how = {.folder = run, .inherit_from = from, .is_resumed = is_resumed, .is_quiet = true};
    const sq_status status = sq_train(b.model, b.dataset, &b.loader, options, &how);
    close_train_bench(&b);
    return status;
}

/* Initializes the weights, then fills the tensors of one choice with one value. With layer SQ_NONE, no tensor is
 * filled. */
static void spoil(train_bench *b, int layer, int choice, float value)
{
    const sq_memory_plan *plan = sq_model_plan(b->model);
    MUST(sq_model_initialize(b->model, 3));
    for (int i = 0; i < plan->parameter_count; i++) {
        const sq_parameter *p = &plan->parameters[i];
        if (p->layer != layer || p->choice != choice || p->dim_count < 2)
            continue;
        for (size_t k = 0; k < p->count; k++)
            MUST(sq_model_write(b->model, p->role, p->offset + k * sizeof value, &value, sizeof value));
    }
    sq_backend *backend = sq_model_backend(b->model); /* the average starts at the weights */
    MUST(backend->ops->copy(backend, sq_model_address(b->model, SQ_ROLE_AVERAGE, 0),
                            sq_model_address(b->model, SQ_ROLE_WEIGHT, 0), plan->role_bytes[SQ_ROLE_AVERAGE]));
}

/* Writes a run with one checkpoint, whose weights have one choice filled with `value`. Returns the run's folder. */
static char *spoilt_run(int layer, int choice, float value)
{
    char *run = make_folder();
    train_bench b = open_train_bench(NULL, 1);
    const sq_training_state state = {.step = 1, .seed = 3, .space_hash = sq_space_hash(b.space), .batch = 8};
    spoil(&b, layer, choice, value);
    MUST(sq_checkpoint_write(run, b.model, &state, &(sq_retention){.newest = 1}));
    close_train_bench(&b);
    return run;
}

static void path_of(const sq_space *space, int step, int *path)
{
    sq_rng rng = sq_rng_open(3, SQ_RNG_PATH, (uint64_t)step);
    for (int l = 0; l < space->layer_count; l++)
        path[l] = sq_search_mask_draw(NULL, space, l, &rng);
}

/* ---- The expected result ---- */

enum { KEPT_ROLES = 4 };
static const sq_role kept_roles[KEPT_ROLES] = {SQ_ROLE_WEIGHT, SQ_ROLE_MOMENTUM, SQ_ROLE_AVERAGE, SQ_ROLE_STATISTICS};

typedef struct {
    void *roles[KEPT_ROLES];
} snapshot;

static void take(const train_bench *b, snapshot *s)
{
    for (int i = 0; i < KEPT_ROLES; i++) {
        const size_t bytes = sq_model_plan(b->model)->role_bytes[kept_roles[i]];
        s->roles[i] = s->roles[i] ? s->roles[i] : malloc(bytes);
        MUST(sq_model_read(b->model, kept_roles[i], 0, s->roles[i], bytes));
    }
}

static void put_back(const train_bench *b, const snapshot *s)
{
    for (int i = 0; i < KEPT_ROLES; i++)
        MUST(sq_model_write(b->model, kept_roles[i], 0, s->roles[i],
                            sq_model_plan(b->model)->role_bytes[kept_roles[i]]));
}

static void expect_same_snapshot(const train_bench *b, const snapshot *x, const snapshot *y)
{
    for (int i = 0; i < KEPT_ROLES; i++)
        cr_expect_eq(memcmp(x->roles[i], y->roles[i], sq_model_plan(b->model)->role_bytes[kept_roles[i]]), 0, "role %d",
                     (int)kept_roles[i]);
}

static void free_snapshot(snapshot *s)
{
    for (int i = 0; i < KEPT_ROLES; i++)
        free(s->roles[i]);
}

static void walk(train_bench *b, const sq_train_options *o, int number, const sq_batch *batch, const int *path)
{
    const sq_model_batch loaded = {batch->images, batch->labels, batch->augment, batch->count};
    const sq_step step = {.seed = o->seed,
                          .step = (uint64_t)number,
                          .learning_rate = (float)sq_schedule_at(&o->schedule, number),
                          .momentum = 0.9f,
                          .weight_decay = 1e-4f,
                          .statistics_rate = b->space->momentum,
                          .average_decay = 0.9f,
                          .gradient_scale = 1};
    MUST(sq_model_load(b->model, &loaded));
    MUST(sq_model_set_step(b->model, &step));
    MUST(sq_model_forward(b->model, path));
    MUST(sq_model_backward(b->model, path));
    MUST(sq_model_update(b->model, path));
}

/* Computes the weights that the training must reach, by walking all steps except the nonfinite ones. A rollback
 * restores the weights after the last step that is a multiple of EVERY. Returns the number of nonfinite steps. */
static int walk_around(train_bench *b, const sq_train_options *o)
{
    snapshot saved = {{0}};
    sq_loader *loader = NULL;
    int odd = 0, early = 0;
    spoil(b, SPOILT_LAYER, SPOILT_CHOICE, 1e38f);
    take(b, &saved);
    MUST(sq_loader_open(&loader, b->dataset, &b->loader));
    for (int i = 0; i < STEPS; i++) {
        int path[SQ_MAX_LAYERS];
        sq_batch batch;
        path_of(b->space, i, path);
        MUST(sq_loader_next(loader, &batch));
        const bool is_odd = path[SPOILT_LAYER] == SPOILT_CHOICE;
        odd += is_odd;
        early += is_odd && i < EVERY;
        cr_assert(i > 0 || !is_odd);
        if (!is_odd)
            walk(b, o, i, &batch, path);
        else if (o->nonfinite == SQ_NONFINITE_ROLLBACK)
            put_back(b, &saved);
        if ((i + 1) % EVERY == 0)
            take(b, &saved);
    }
    cr_assert_gt(early, 0);
    sq_loader_close(loader);
    free_snapshot(&saved);
    return odd;
}

static int count_of(const char *text, const char *word)
{
    int count = 0;
    for (const char *at = strstr(text, word); at; at = strstr(at + 1, word))
        count++;
    return count;
}

static void expect_same_file(const char *a, const char *b, const char *name)
{
    char path[4096], *x = NULL, *y = NULL;
    size_t bytes_x = 0, bytes_y = 0;
    (void)snprintf(path, sizeof path, "%s/%s", a, name);
    MUST(sq_file_read(path, 1 << 28, &x, &bytes_x));
    (void)snprintf(path, sizeof path, "%s/%s", b, name);
    MUST(sq_file_read(path, 1 << 28, &y, &bytes_y));
    cr_expect(bytes_x == bytes_y && memcmp(x, y, bytes_x) == 0, "%s differs", name);
    free(x);
    free(y);
}

static void expect_same_end(const char *a, const char *b)
{
    static const char *const files[] = {"ckpt-00000014/model.safetensors", "ckpt-00000014/optim.safetensors",
                                        "ckpt-00000014/state.json", "log.jsonl"};
    for (int i = 0; i < 4; i++)
        expect_same_file(a, b, files[i]);
}

/* Stops the run with a signal in the first step, then resumes it. The run then has an additional checkpoint of step 1.
 * A rollback before the first scheduled checkpoint must restore the initial weights, not this checkpoint. */
static void stop_and_resume(const char *run, const char *from, const sq_train_options *options)
{
    int code = 0;
    char path[4096];
    const pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        sq_signals_listen();
        (void)raise(SIGTERM);
        _exit(sq_exit_code(train(run, from, false, options)));
    }
    cr_assert_eq(waitpid(child, &code, 0), child);
    cr_expect_eq(WEXITSTATUS(code), 75);
    (void)snprintf(path, sizeof path, "%s/ckpt-00000001", run);
    cr_expect(sq_path_exists(path));
    MUST(train(run, from, true, options));
}

static void expect_lived_through(sq_nonfinite_policy policy, const char *event)
{
    const sq_train_options options = options_of(policy);
    char *from = spoilt_run(SPOILT_LAYER, SPOILT_CHOICE, 1e38f), *a = make_folder(), *b = make_folder(),
         *c = make_folder(), path[4096];
    train_bench trained = open_train_bench(NULL, 1), walked = open_train_bench(NULL, 1);
    snapshot x = {{0}}, y = {{0}};
    const sq_train_run how = {.folder = a, .inherit_from = from, .is_quiet = true};
    MUST(sq_train(trained.model, trained.dataset, &trained.loader, &options, &how));
    const int odd = walk_around(&walked, &options);
    cr_assert(odd >= 2 && odd <= 6, "%d", odd);
    take(&trained, &x);
    take(&walked, &y);
    expect_same_snapshot(&trained, &x, &y);
    char *log = read_text(a, "log.jsonl");
    cr_expect_eq(count_of(log, event), odd, "%s", log);
    cr_expect_eq(count_of(log, "not finite, path ("), odd, "%s", log);
    free(log);
    MUST(train(b, from, false, &options));
    for (int step = 8; step <= STEPS; step++) { /* simulates a crash soon after step 4 */
        (void)snprintf(path, sizeof path, "%s/ckpt-%08d", b, step);
        MUST(sq_path_remove(path));
    }
    MUST(train(b, from, true, &options));
    expect_same_end(a, b);
    stop_and_resume(c, from, &options);
    expect_same_end(a, c);
    close_train_bench(&trained);
    close_train_bench(&walked);
    free_snapshot(&x);
    free_snapshot(&y);
    drop_folder(from);
    drop_folder(a);
    drop_folder(b);
    drop_folder(c);
}

Test(survival, a_skipped_step_leaves_nothing_behind_and_is_skipped_again_after_a_resume)
{
    expect_lived_through(SQ_NONFINITE_SKIP, "{\"event\":\"skipped\"");
}

Test(survival, a_rollback_takes_the_last_checkpoint_and_goes_on_behind_the_step)
{
    expect_lived_through(SQ_NONFINITE_ROLLBACK, "{\"event\":\"rolled back\"");
}

Test(survival, with_several_paths_the_one_at_fault_is_named)
{
    sq_train_options options = options_of(SQ_NONFINITE_SKIP);
    char *from = spoilt_run(SPOILT_LAYER, SPOILT_CHOICE, 1e38f), *run = make_folder();
    options.sampler.sampling = SQ_SAMPLE_FAIR; /* every step includes the bad choice, so no step updates the weights */
    options.nonfinite_limit = STEPS;
    MUST(train(run, from, false, &options));
    char *log = read_text(run, "log.jsonl");
    cr_expect_eq(count_of(log, " of 5 ("), STEPS, "%s", log);
    cr_expect_eq(count_of(log, "\"loss\":null"), 5, "%s", log);
    free(log);
    log = read_text(run, "ckpt-00000014/state.json");
    cr_expect_not_null(strstr(log, "\"nonfinite\": 14, \"lost\": 14}"), "%s", log);
    free(log);
    drop_folder(from);
    drop_folder(run);
}

Test(survival, more_often_than_the_limit_stops)
{
    sq_train_options options = options_of(SQ_NONFINITE_SKIP);
    char *from = spoilt_run(SPOILT_LAYER, SPOILT_CHOICE, 1e38f), *run = make_folder();
    options.nonfinite_limit = 1;
    cr_expect_eq(train(run, from, false, &options), SQ_NONFINITE);
    cr_expect_not_null(strstr(sq_error_text(), "; occurrence 2 exceeds train.nonfinite_limit (1)"), "%s",
                       sq_error_text());
    options.nonfinite = SQ_NONFINITE_STOP;
    cr_expect_eq(train(run, from, false, &options), SQ_NONFINITE);
    cr_expect_null(strstr(sq_error_text(), "time"), "%s", sq_error_text());
    drop_folder(from);
    drop_folder(run);
}

/* Writes a run whose checkpoint has initial weights, except that the head's weights are +-value. Returns the run's
 * folder. */
static char *run_with_head(float value)
{
    char *run = make_folder();
    train_bench b = open_train_bench(NULL, 1);
    const sq_memory_plan *plan = sq_model_plan(b.model);
    const sq_training_state state = {.step = 1, .seed = 3, .space_hash = sq_space_hash(b.space), .batch = 8};
    spoil(&b, SQ_NONE, 0, 0);
    for (int i = 0; i < plan->parameter_count; i++) {
        const sq_parameter *p = &plan->parameters[i];
        for (size_t k = 0; p->kind == SQ_PARAMETER_LINEAR && k < p->count; k++) {
            const float signed_value = k % 3 ? value : -value;
            MUST(sq_model_write(b.model, p->role, p->offset + k * sizeof value, &signed_value, sizeof value));
        }
    }
    MUST(sq_checkpoint_write(run, b.model, &state, &(sq_retention){.newest = 1}));
    close_train_bench(&b);
    return run;
}

static void read_newest(const char *run, train_bench *b, snapshot *out)
{
    char folder[4096];
    int64_t step;
    sq_training_state state = {0};
    MUST(sq_checkpoint_find(run, folder, sizeof folder, &step, NULL));
    MUST(sq_checkpoint_read(folder, b->model, true, &state));
    take(b, out);
}

/* The head's weights of 3e37 give logits of about 1e37, whose loss is finite. The backward pass multiplies the gradient
 * by these weights and then by those of each layer, so the gradients become infinite. */
Test(survival, gradients_that_are_not_finite_never_reach_the_weights)
{
    sq_train_options options = options_of(SQ_NONFINITE_STOP);
    options.steps = 1;
    char *from = run_with_head(3e37f), *run = make_folder();
    snapshot first = {{0}}, last = {{0}};
    cr_expect_eq(train(run, from, false, &options), SQ_NONFINITE);
    cr_expect_not_null(strstr(sq_error_text(), "step 1: gradients of layer "), "%s", sq_error_text());
    options.nonfinite = SQ_NONFINITE_SKIP;
    MUST(train(run, from, false, &options));
    train_bench b = open_train_bench(NULL, 1);
    read_newest(from, &b, &first);
    read_newest(run, &b, &last);
    char *log = read_text(run, "log.jsonl");
    cr_expect_eq(count_of(log, "{\"event\":\"skipped\""), 1, "%s", log);
    free(log);
    /* The average starts at the weights. */
    memcpy(first.roles[2], first.roles[0], sq_model_plan(b.model)->role_bytes[SQ_ROLE_AVERAGE]);
    expect_same_snapshot(&b, &first, &last);
    close_train_bench(&b);
    free_snapshot(&first);
    free_snapshot(&last);
    drop_folder(from);
    drop_folder(run);
}

/* The gradients are finite, but a learning rate of 1e12 makes the weights infinite. These weights must be detected
 * before a checkpoint is saved. */
Test(survival, weights_that_are_not_finite_are_never_saved)
{
    sq_train_options options = options_of(SQ_NONFINITE_STOP);
    char *from = run_with_head(1e32f), *run = make_folder(), folder[4096], path[4200];
    int64_t step = 0;
    options.schedule = (sq_schedule){SQ_SCHEDULE_CONSTANT, 1e12, 0, 0, STEPS};
    options.checkpoint_every = 1;
    cr_expect_eq(train(run, from, false, &options), SQ_NONFINITE);
    cr_expect_not_null(strstr(sq_error_text(), "step 1: "), "%s", sq_error_text());
    cr_expect_null(strstr(sq_error_text(), "path"), "%s", sq_error_text());
    cr_expect_eq(sq_checkpoint_find(run, folder, sizeof folder, &step, NULL), SQ_DATA, "%s", folder);
    options.nonfinite = SQ_NONFINITE_SKIP;
    options.nonfinite_limit = STEPS;
    MUST(train(run, from, false, &options));
    char *log = read_text(run, "log.jsonl");
    cr_expect_geq(count_of(log, "{\"event\":\"rolled back\""), 1, "%s", log);
    free(log);
    train_bench b = open_train_bench(NULL, 1);
    const float odd = NAN;
    const sq_training_state state = {.step = 90, .space_hash = sq_space_hash(b.space)};
    MUST(sq_model_initialize(b.model, 3));
    MUST(sq_model_write(b.model, SQ_ROLE_MOMENTUM, 0, &odd, sizeof odd));
    cr_expect_eq(sq_checkpoint_write(run, b.model, &state, &(sq_retention){.newest = 1}), SQ_NONFINITE);
    (void)snprintf(path, sizeof path, "%s/ckpt-00000090.tmp", run);
    cr_expect(!sq_path_exists(path));
    close_train_bench(&b);
    drop_folder(from);
    drop_folder(run);
}
