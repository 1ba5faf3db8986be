/* Compares results with those of PyTorch in FP64 (tests/oracle/make_fixtures.py). For every block kind and every
 * operator of HURRICANE's pool, at both strides, the tests compare the forward pass, all gradients and the running
 * statistics. They also compare the loss curve of 50 training steps. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supernet/export/safetensors.h"
#include "supernet/model/initialize.h"
#include "supernet/model/walk.h"
#include "tests/support/support.h"

enum { BATCH = 6, PIXELS = 12 * 12 * 3, STEPS = 50 };

static sq_model *make_model(const sq_space *space, const char *backend_name, bool is_supernet, sq_backend **backend)
{
    sq_model *model = NULL;
    const sq_model_options options = {.block = {.batch = BATCH,
                                                .is_supernet = is_supernet,
                                                .label_smoothing = 0.1f,
                                                .mean = {0.4f, 0.5f, 0.6f},
                                                .deviation = {0.2f, 0.25f, 0.3f}},
                                      .is_training = true};
    MUST(sq_backend_open(backend_name, 2, backend));
    MUST(sq_model_create(&model, *backend, space, &options));
    MUST(sq_model_initialize(model, 0));
    return model;
}

static const sq_tensor *find(const sq_safetensors *file, const char *prefix, const char *what, const char *name)
{
    char full[256];
    (void)snprintf(full, sizeof full, "%s%s%s", prefix, what, name);
    const sq_tensor *t = sq_safetensors_find(file, full);
    cr_assert_not_null(t, "the fixture has no %s", full);
    return t;
}

static void load_weights(sq_model *model, const sq_safetensors *file, const char *prefix)
{
    const sq_memory_plan *plan = sq_model_plan(model);
    for (int i = 0; i < plan->parameter_count; i++) {
        const sq_parameter *p = &plan->parameters[i];
        if (p->role != SQ_ROLE_WEIGHT)
            continue;
        const sq_tensor *t = find(file, prefix, "weight.", p->name);
        cr_assert_eq(t->count, p->count, "%s", p->name);
        MUST(sq_model_write(model, SQ_ROLE_WEIGHT, p->offset, t->data, p->count * sizeof(float)));
    }
}

static void load_images(sq_model *model, const sq_safetensors *file, size_t first)
{
    static uint8_t images[BATCH * PIXELS];
    int32_t labels[BATCH];
    const sq_tensor *pixels = find(file, "", "", "images"), *classes = find(file, "", "", "labels");
    for (size_t i = 0; i < BATCH * PIXELS; i++)
        images[i] = (uint8_t)pixels->data[first * PIXELS + i];
    for (size_t i = 0; i < BATCH; i++)
        labels[i] = (int32_t)classes->data[first + i];
    const sq_model_batch batch = {images, labels, NULL, BATCH};
    MUST(sq_model_load(model, &batch));
}

static double norm(const sq_tensor *t)
{
    double squares = 0;
    for (size_t i = 0; i < t->count; i++)
        squares += (double)t->data[i] * t->data[i];
    return sqrt(squares);
}

/* The expected tensors of one path. */
typedef struct {
    const sq_safetensors *file;
    const char *prefix; /* prefix of the tensors' names */
    double largest;     /* norm of the largest weight gradient */
} expectation;

/* Expects |found - expected| <= 1e-5 |expected|. For a gradient that is 0 in exact arithmetic (the gradient of a shift
 * before a batch norm, in FP64 about 1e-16 of the largest gradient), a relative error has no meaning. Such a gradient
 * has the bound 1e-6 times the largest gradient of the path. */
static void compare(sq_model *model, sq_role role, const sq_parameter *p, const expectation *e, const char *kind)
{
    const sq_tensor *expected = find(e->file, e->prefix, kind, p->name);
    float *found = malloc(p->count * sizeof *found);
    MUST(sq_model_read(model, role, p->offset, found, p->count * sizeof *found));
    double squares = 0;
    for (size_t i = 0; i < p->count; i++)
        squares += ((double)found[i] - expected->data[i]) * ((double)found[i] - expected->data[i]);
    const double size = norm(expected), error = sqrt(squares);
    const double scale = role == SQ_ROLE_STATISTICS ? 0 : e->largest;
    const double allowed = size > 1e-10 * scale ? 1e-5 * size : 1e-6 * scale;
    cr_expect_leq(error, allowed, "%s %s: differs by %g of %g", e->prefix, p->name, error, size);
    free(found);
}

/* Compares the gradient or the statistics of every parameter. */
static void compare_parameters(sq_model *model, expectation e)
{
    const sq_memory_plan *plan = sq_model_plan(model);
    for (int i = 0; i < plan->parameter_count; i++)
        if (plan->parameters[i].role == SQ_ROLE_WEIGHT)
            e.largest = fmax(e.largest, norm(find(e.file, e.prefix, "grad.", plan->parameters[i].name)));
    for (int i = 0; i < plan->parameter_count; i++) {
        const sq_parameter *p = &plan->parameters[i];
        if (p->role == SQ_ROLE_WEIGHT)
            compare(model, SQ_ROLE_WEIGHT_GRAD, p, &e, "grad.");
        else
            compare(model, SQ_ROLE_STATISTICS, p, &e, "statistic.");
    }
}

static void check_path(const sq_space *space, const sq_safetensors *file, const char *backend_name, int first,
                       int second)
{
    char arch[32], prefix[32];
    int path[SQ_MAX_LAYERS];
    const int zeros[SQ_MAX_LAYERS] = {0};
    sq_space *single = NULL;
    sq_backend *backend = NULL;
    sq_result result;
    float logits[BATCH * 5];
    (void)snprintf(arch, sizeof arch, "%d,%d", first, second);
    (void)snprintf(prefix, sizeof prefix, "path.%d.%d.", first, second);
    MUST(sq_arch_read(space, arch, path));
    MUST(sq_space_single(&single, space, path));
    sq_model *model = make_model(single, backend_name, false, &backend);
    const sq_step step = {.statistics_rate = 0.1f, .gradient_scale = 1};
    load_weights(model, file, prefix);
    load_images(model, file, 0);
    MUST(sq_model_set_step(model, &step));
    MUST(sq_model_forward(model, zeros));
    MUST(sq_model_logits(model, logits, BATCH));
    MUST(sq_model_backward(model, zeros));
    MUST(sq_model_result(model, &result));
    cr_expect_float_eq(result.loss / BATCH, find(file, prefix, "", "loss")->data[0], 1e-5, "%s loss", prefix);
    cr_expect_leq(relative_error(find(file, prefix, "", "logits")->data, logits, BATCH * 5), 1e-5, "%s logits", prefix);
    compare_parameters(model, (expectation){file, prefix, 0});
    sq_model_destroy(model);
    sq_backend_close(backend);
    sq_space_free(single);
}

static void check_blocks(const char *backend, const char *space_file, const char *fixture)
{
    sq_space *space = NULL;
    sq_safetensors *file = NULL;
    MUST(sq_space_read(&space, space_file, 0, 0));
    MUST(sq_safetensors_open(&file, fixture));
    const int firsts = space->layers[1].choice_count, seconds = space->layers[2].choice_count;
    for (int first = 0; first < seconds; first++)
        check_path(space, file, backend, first < firsts ? first : firsts - 1, (first * 5 + 3) % seconds);
    sq_safetensors_close(file);
    sq_space_free(space);
}

Test(oracle, reference_blocks_are_pytorchs)
{
    check_blocks("reference", SOURCE("tests/fixtures/oracle.yaml"), SOURCE("tests/fixtures/oracle_blocks.safetensors"));
}

Test(oracle, cpu_blocks_are_pytorchs)
{
    check_blocks("cpu", SOURCE("tests/fixtures/oracle.yaml"), SOURCE("tests/fixtures/oracle_blocks.safetensors"));
}

Test(oracle, reference_operators_of_the_pool_are_pytorchs)
{
    check_blocks("reference", SOURCE("tests/fixtures/oracle_pool.yaml"),
                 SOURCE("tests/fixtures/oracle_pool.safetensors"));
}

Test(oracle, cpu_operators_of_the_pool_are_pytorchs)
{
    check_blocks("cpu", SOURCE("tests/fixtures/oracle_pool.yaml"), SOURCE("tests/fixtures/oracle_pool.safetensors"));
}

Test(oracle, fused_mb_blocks_are_pytorchs)
{
    const char *space = SOURCE("tests/fixtures/oracle_fused_mb.yaml");
    check_blocks("reference", space, SOURCE("tests/fixtures/oracle_fused_mb.safetensors"));
    check_blocks("cpu", space, SOURCE("tests/fixtures/oracle_fused_mb.safetensors"));
}

Test(oracle, uib_blocks_are_pytorchs)
{
    const char *space = SOURCE("tests/fixtures/oracle_uib.yaml");
    check_blocks("reference", space, SOURCE("tests/fixtures/oracle_uib.safetensors"));
    check_blocks("cpu", space, SOURCE("tests/fixtures/oracle_uib.safetensors"));
}

/* The fixture's space must have exactly the operators of the published pool. */
Test(oracle, pool_of_the_fixture_is_the_published_one)
{
    static const char *const files[] = {"configs/spaces/hurricane-pool.yaml", "configs/spaces/hurricane-small.yaml"};
    sq_space *checked = NULL;
    MUST(sq_space_read(&checked, SOURCE("tests/fixtures/oracle_pool.yaml"), 0, 0));
    for (int f = 0; f < 2; f++) {
        char path[600];
        sq_space *pool = NULL;
        (void)snprintf(path, sizeof path, "%s/%s", SOURCE(""), files[f]);
        MUST(sq_space_read(&pool, path, 0, 0));
        cr_assert_eq(pool->choice_count, checked->choice_count);
        for (int i = 0; i < pool->choice_count; i++) {
            const sq_choice *a = &pool->choices[i], *b = &checked->choices[i];
            cr_expect_str_eq(a->name, b->name);
            cr_expect(a->kind == b->kind && a->kernel == b->kernel && a->expansion == b->expansion &&
                          a->has_se == b->has_se && a->se_ratio == b->se_ratio &&
                          a->gate_activation == b->gate_activation && a->activation == b->activation,
                      "%s", a->name);
        }
        cr_expect_eq(pool->layers[1].activation, checked->layers[1].activation);
        sq_space_free(pool);
    }
    sq_space_free(checked);
}

Test(oracle, fifty_training_steps_follow_pytorchs_loss)
{
    sq_space *space = NULL;
    sq_backend *backend = NULL;
    sq_safetensors *file = NULL;
    MUST(sq_space_read(&space, SOURCE("tests/fixtures/oracle.yaml"), 0, 0));
    MUST(sq_safetensors_open(&file, SOURCE("tests/fixtures/oracle_training.safetensors")));
    sq_model *model = make_model(space, "cpu", true, &backend);
    load_weights(model, file, "");
    const sq_tensor *paths = find(file, "", "", "paths"), *losses = find(file, "", "", "losses");
    cr_assert_eq(losses->count, STEPS);
    for (int i = 0; i < STEPS; i++) {
        char arch[32];
        int path[SQ_MAX_LAYERS];
        sq_result result;
        const sq_step step = {.step = (uint64_t)i,
                              .learning_rate = 0.05f,
                              .momentum = 0.9f,
                              .weight_decay = 1e-3f,
                              .statistics_rate = 0.1f,
                              .gradient_scale = 1};
        (void)snprintf(arch, sizeof arch, "%d,%d", (int)paths->data[2 * i], (int)paths->data[2 * i + 1]);
        MUST(sq_arch_read(space, arch, path));
        load_images(model, file, (size_t)(i % 4) * BATCH);
        MUST(sq_model_set_step(model, &step));
        MUST(sq_model_forward(model, path));
        MUST(sq_model_backward(model, path));
        MUST(sq_model_update(model, path));
        MUST(sq_model_result(model, &result));
        cr_expect_float_eq(result.loss / BATCH, losses->data[i], 1e-4, "step %d: %.6f, PyTorch %.6f", i,
                           result.loss / BATCH, (double)losses->data[i]);
    }
    sq_model_destroy(model);
    sq_backend_close(backend);
    sq_safetensors_close(file);
    sq_space_free(space);
}
