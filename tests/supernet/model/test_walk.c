/* Tests several paths per step: accumulated gradients, reductions over ranks, and the update. */
#include "supernet/model/walk.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "supernet/model/initialize.h"
#include "tests/support/support.h"

/* ---- Gradients ---- */

enum { PATHS = 4, BATCH = 6 };

/* All paths share the stem, the head and the classifier. Layer 1 has two choices with two paths each, layer 2 four
 * choices with one path each, and layer 3 one choice with one path and one choice with three paths. */
static void make_paths(const sq_space *space, int paths[PATHS][SQ_MAX_LAYERS])
{
    static const int choices[PATHS][3] = {{0, 0, 1}, {2, 1, 1}, {0, 3, 2}, {2, 2, 1}};
    memset(paths, 0, PATHS * sizeof *paths);
    for (int i = 0; i < PATHS; i++)
        for (int l = 1; l < space->layer_count; l++)
            paths[i][l] = l <= 3 ? choices[i][l - 1] : (i * l) % space->layers[l].choice_count;
}

static bool is_used(int paths[PATHS][SQ_MAX_LAYERS], int count, int layer, int choice)
{
    for (int i = 0; i < count; i++)
        if (paths[i][layer] == choice)
            return true;
    return false;
}

static float *read_role(sq_model *model, sq_role role)
{
    const size_t bytes = sq_model_plan(model)->role_bytes[role];
    float *values = malloc(bytes);
    cr_assert_not_null(values);
    MUST(sq_model_read(model, role, 0, values, bytes));
    return values;
}

static void walk(sq_model *model, const sq_step_paths *paths, int index, float scale)
{
    sq_step step = drawn_step(2);
    step.gradient_scale = scale;
    step.weight_decay = 0;
    MUST(sq_model_set_step(model, &step));
    MUST(sq_model_forward(model, paths->first + index * SQ_MAX_LAYERS));
    MUST(sq_model_backward_of(model, paths, index));
}

/* Returns the weight gradients after the walks of all paths. */
static float *accumulate(subject *s, int paths[PATHS][SQ_MAX_LAYERS], float scale)
{
    const sq_step_paths list = {.first = paths[0], .count = PATHS};
    for (int i = 0; i < PATHS; i++)
        walk(s->model, &list, i, scale);
    return read_role(s->model, SQ_ROLE_WEIGHT_GRAD);
}

typedef struct {
    const char *backend;
    int threads;
    bool is_exact; /* a path's gradient is rounded to FP32 before it is added, except in the classifier */
} gradient_case;

/* Gradients are added in the order of the paths. The reference adds in FP64 and rounds once. Compared with the sum of
 * single gradients, the reference omits the rounding of each single gradient (2^-24 of the gradient), and each of the 3
 * additions rounds by 2^-24 of the sum. The bound is therefore 4 x 2^-24 times the sum of the absolute values. The
 * classifier of the cpu backend adds image by image, with BATCH + PATHS roundings of 2^-24. Its bound has a factor 2,
 * because the terms cancel to half at most. */
typedef struct {
    int paths[PATHS][SQ_MAX_LAYERS];
    float *single[PATHS], *found; /* single: gradient of each path alone; found: accumulated gradient */
} gradient_set;

/* Returns by how much found[k] exceeds the allowed distance from the sum of the single gradients of the paths that use
 * the block. */
static double excess(const gradient_case *c, const gradient_set *g, const sq_block_id *block, size_t k)
{
    const bool is_classifier = block->layer == block->space->layer_count - 1;
    float sum = 0;
    double size = 0;
    for (int i = 0; i < PATHS; i++)
        if (g->paths[i][block->layer] == block->choice) {
            sum = size > 0 ? sum + g->single[i][k] : g->single[i][k];
            size += fabs((double)g->single[i][k]);
        }
    const double allowed = c->is_exact && !is_classifier ? 0 : is_classifier ? 2 * (BATCH + PATHS) : 4;
    return fabs((double)g->found[k] - sum) - allowed * 0x1p-24 * size;
}

static void expect_sums(const gradient_case *c)
{
    gradient_set g;
    subject s = open_subject(SOURCE("configs/spaces/tiny.yaml"), c->backend, c->threads, BATCH);
    make_paths(s.space, g.paths);
    load_drawn(s.model, 2);
    for (int i = 0; i < PATHS; i++) {
        const sq_step_paths alone = {.first = g.paths[i], .count = 1};
        walk(s.model, &alone, 0, 1);
        g.single[i] = read_role(s.model, SQ_ROLE_WEIGHT_GRAD);
    }
    g.found = accumulate(&s, g.paths, 1);
    for (int l = 0; l < s.space->layer_count; l++)
        for (int choice = 0; choice < s.space->layers[l].choice_count; choice++) {
            const sq_block_id block = {s.space, l, choice};
            const sq_region *r = &sq_model_plan(s.model)->regions[l][choice];
            const size_t first = r->at[SQ_ROLE_WEIGHT] / sizeof(float),
                         count = r->bytes[SQ_ROLE_WEIGHT] / sizeof(float);
            double worst = 0;
            for (size_t k = first; is_used(g.paths, PATHS, l, choice) && k < first + count; k++)
                worst = fmax(worst, excess(c, &g, &block, k));
            /* The classifier's terms are below 1, so a sum that cancels completely can have an error of 2^-24. */
            cr_expect(worst <= (l == s.space->layer_count - 1 ? 0x1p-24 : 0), "%s: layer %d, choice %d: %g too far",
                      c->backend, l, choice, worst);
        }
    for (int i = 0; i < PATHS; i++)
        free(g.single[i]);
    free(g.found);
    close_subject(&s);
}

Test(walk, gradients_are_the_sums_of_the_single_ones_on_the_reference)
{
    expect_sums(&(gradient_case){"reference", 1, false});
}

Test(walk, gradients_are_the_sums_of_the_single_ones_on_the_cpu)
{
    expect_sums(&(gradient_case){"cpu", 2, true});
}

/* A quarter is a power of two, so it scales every product and sum without rounding, except values that fall below the
 * normal range. */
Test(walk, mean_of_four_is_a_quarter_of_the_sum_to_the_bit)
{
    static const char *const backends[] = {"reference", "cpu"};
    for (int k = 0; k < 2; k++) {
        int paths[PATHS][SQ_MAX_LAYERS];
        subject s = open_subject(SOURCE("configs/spaces/tiny.yaml"), backends[k], 2, BATCH);
        make_paths(s.space, paths);
        load_drawn(s.model, 2);
        float *sum = accumulate(&s, paths, 1), *mean = accumulate(&s, paths, 0.25f);
        const size_t count = sq_model_plan(s.model)->role_bytes[SQ_ROLE_WEIGHT_GRAD] / sizeof(float);
        size_t different = 0;
        for (size_t i = 0; i < count; i++)
            different += mean[i] != 0.25f * sum[i] && fabsf(sum[i]) > 1e10f * FLT_MIN;
        cr_expect_eq(different, 0, "%s: %zu of %zu", backends[k], different, count);
        free(sum);
        free(mean);
        close_subject(&s);
    }
}

/* With momentum values of 0 and no weight decay, one update makes each momentum value equal to the gradient; a second
 * update would make it 1.9 times the gradient. Blocks that no path uses are unchanged. */
Test(walk, update_touches_the_union_and_each_block_once)
{
    static const sq_role roles[] = {SQ_ROLE_WEIGHT, SQ_ROLE_MOMENTUM, SQ_ROLE_AVERAGE};
    int paths[PATHS][SQ_MAX_LAYERS];
    float *before[3], *after[3];
    subject s = open_subject(SOURCE("configs/spaces/tiny.yaml"), "cpu", 2, BATCH);
    const sq_step_paths list = {.first = paths[0], .count = PATHS};
    make_paths(s.space, paths);
    load_drawn(s.model, 2);
    float *gradient = accumulate(&s, paths, 1);
    for (int k = 0; k < 3; k++)
        before[k] = read_role(s.model, roles[k]);
    MUST(sq_model_update_of(s.model, &list));
    for (int k = 0; k < 3; k++)
        after[k] = read_role(s.model, roles[k]);
    int unused = 0;
    for (int l = 0; l < s.space->layer_count; l++)
        for (int choice = 0; choice < s.space->layers[l].choice_count; choice++) {
            const sq_region *r = &sq_model_plan(s.model)->regions[l][choice];
            const size_t first = r->at[SQ_ROLE_WEIGHT] / sizeof(float), bytes = r->bytes[SQ_ROLE_WEIGHT];
            if (bytes == 0) /* a skip has no weights */
                continue;
            if (is_used(paths, PATHS, l, choice)) {
                cr_expect_eq(memcmp(after[1] + first, gradient + first, bytes), 0, "layer %d, choice %d", l, choice);
                cr_expect_neq(memcmp(after[0] + first, before[0] + first, bytes), 0, "layer %d, choice %d", l, choice);
                continue;
            }
            unused++;
            for (int k = 0; k < 3; k++)
                cr_expect_eq(memcmp(after[k] + first, before[k] + first, bytes), 0, "layer %d, choice %d", l, choice);
        }
    cr_expect_gt(unused, 2);
    for (int k = 0; k < 3; k++) {
        free(before[k]);
        free(after[k]);
    }
    free(gradient);
    close_subject(&s);
}

/* ---- Paths split across ranks ---- */

enum { MOST_PARTS = 64 };

/* Copies of the values that a rank reduces, in the order of the reductions. */
typedef struct {
    float *values[MOST_PARTS];
    const float *from[MOST_PARTS];
    size_t count[MOST_PARTS];
    int parts, finished;
} recorder;

static sq_status record(void *context, float *values, size_t count, sq_dtype reduce_dtype)
{
    recorder *r = context;
    cr_assert_lt(r->parts, MOST_PARTS);
    cr_expect_eq(reduce_dtype, SQ_F32);
    r->values[r->parts] = malloc(count * sizeof *values);
    memcpy(r->values[r->parts], values, count * sizeof *values);
    r->from[r->parts] = values;
    r->count[r->parts++] = count;
    return SQ_OK;
}

static sq_status finish(void *context)
{
    ((recorder *)context)->finished++;
    return SQ_OK;
}

/* Simulates one of two ranks: walks the path whose index is `rank`, and records the values that the rank reduces.
 * Converts r->from to byte offsets from the first gradient, so that offsets outside the gradients belong to
 * statistics. */
static void walk_as_rank(recorder *r, int rank, int paths[PATHS][SQ_MAX_LAYERS])
{
    subject s = open_subject(SOURCE("configs/spaces/tiny.yaml"), "cpu", 1, BATCH);
    const sq_reduction reduction = {record, finish, r};
    const sq_step_paths list = {.first = paths[0], .count = 2, .local_first = rank, .local_count = 1};
    const sq_model_options options = {
        .block = sq_model_plan(s.model)->options, .is_training = true, .has_remote_paths = true};
    sq_model_destroy(s.model);
    s.backend->reduction = &reduction;
    MUST(sq_model_create(&s.model, s.backend, s.space, &options));
    MUST(sq_model_initialize(s.model, 1));
    load_drawn(s.model, 2);
    walk(s.model, &list, rank, 1);
    const sq_device_ptr first = sq_model_address(s.model, SQ_ROLE_WEIGHT_GRAD, 0);
    for (int i = 0; i < r->parts; i++) /* offsets do not depend on the model's address */
        r->from[i] = (const float *)((const char *)r->from[i] - (const char *)first.address);
    s.backend->reduction = NULL;
    close_subject(&s);
}

/* Two simulated ranks walk one path each on the same batch. Both must reduce the same blocks in the same order. The
 * sums of their values must equal the gradients of one rank that walks both paths, within the classifier's roundings
 * (see gradient_set). */
Test(walk, two_ranks_with_a_path_each_give_the_gradients_of_both)
{
    int paths[PATHS][SQ_MAX_LAYERS];
    recorder ranks[2] = {{{NULL}, {NULL}, {0}, 0, 0}, {{NULL}, {NULL}, {0}, 0, 0}};
    subject s = open_subject(SOURCE("configs/spaces/tiny.yaml"), "cpu", 1, BATCH);
    const sq_step_paths both = {.first = paths[0], .count = 2};
    make_paths(s.space, paths);
    load_drawn(s.model, 2);
    for (int i = 0; i < 2; i++)
        walk(s.model, &both, i, 1);
    float *gradients = read_role(s.model, SQ_ROLE_WEIGHT_GRAD);
    const size_t bytes = sq_model_plan(s.model)->role_bytes[SQ_ROLE_WEIGHT_GRAD];
    for (int r = 0; r < 2; r++)
        walk_as_rank(&ranks[r], r, paths);
    cr_assert_eq(ranks[0].parts, ranks[1].parts);
    cr_expect_eq(ranks[0].finished, 1);
    size_t seen = 0, zeros = 0;
    for (int i = 0; i < ranks[0].parts; i++) {
        cr_assert_eq(ranks[0].count[i], ranks[1].count[i]);
        /* An offset outside the gradients belongs to statistics. */
        const size_t at = (size_t)(uintptr_t)ranks[0].from[i];
        if (at >= bytes)
            continue;
        cr_assert_eq(ranks[0].from[i], ranks[1].from[i], "part %d is another block on each rank", i);
        for (size_t k = 0; k < ranks[0].count[i]; k++, seen++) {
            const float a = ranks[0].values[i][k], b = ranks[1].values[i][k],
                        wanted = gradients[at / sizeof(float) + k];
            zeros += a == 0 || b == 0;
            cr_expect(fabsf(a + b - wanted) <= 2 * (BATCH + PATHS) * 0x1p-24f,
                      "part %d, value %zu: %g + %g, expected %g", i, k, (double)a, (double)b, (double)wanted);
        }
    }
    size_t used = 0;
    for (int l = 0; l < s.space->layer_count; l++)
        for (int c = 0; c < s.space->layers[l].choice_count; c++)
            used += is_used(paths, 2, l, c) ? sq_model_plan(s.model)->regions[l][c].bytes[SQ_ROLE_WEIGHT] : 0;
    cr_expect_eq(seen, used / sizeof(float), "every block of both paths, once");
    cr_expect_gt(zeros, seen / 4);
    for (int r = 0; r < 2; r++)
        for (int i = 0; i < ranks[r].parts; i++)
            free(ranks[r].values[i]);
    free(gradients);
    close_subject(&s);
}
