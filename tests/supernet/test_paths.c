/* Several paths a step: what the samplers deal out, what the accumulated gradients are, what one update touches; and
 * which paths a ranking takes, and how far two orders agree. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "supernet/model/initialize.h"
#include "supernet/model/walk.h"
#include "supernet/space/cost.h"
#include "supernet/train/sampler.h"
#include "tests/support/support.h"

/* ---- Samplers ---- */

typedef struct {
    sq_space *space;
    sq_search_mask search_mask;
    sq_sampler *sampler;
} dealer;

/* fixed_layer: the scope holds one choice of it; SQ_NONE: everything. */
static void open_dealer(dealer *d, const char *space, sq_sampling sampling, int paths, int fixed_layer)
{
    *d = (dealer){0};
    MUST(sq_space_read(&d->space, space, 0, 0));
    sq_search_mask_all(&d->search_mask, d->space);
    if (fixed_layer != SQ_NONE)
        sq_search_mask_fix(&d->search_mask, fixed_layer, 1);
    const sq_sampler_options options = {.sampling = sampling,
                                        .paths = paths,
                                        .bin_low = 290,
                                        .bin_high = 360,
                                        .bin_width = 10,
                                        .search_mask = &d->search_mask};
    MUST(sq_sampler_open(&d->sampler, d->space, &options));
}

static void close_dealer(dealer *d)
{
    sq_sampler_close(d->sampler);
    sq_space_free(d->space);
}

/* Every choice of every layer: floor or ceil(paths / choices) times in each super-step, and over all of them alike. */
static void expect_fair(const dealer *d, int steps)
{
    static int total[SQ_MAX_LAYERS][SQ_MAX_CHOICES];
    const int paths = sq_sampler_paths(d->sampler);
    memset(total, 0, sizeof total);
    for (int step = 0; step < steps; step++) {
        int count[SQ_MAX_LAYERS][SQ_MAX_CHOICES] = {{0}}, path[SQ_MAX_LAYERS];
        for (int i = 0; i < paths; i++) {
            sq_sampler_draw(d->sampler, 7, (uint64_t)step, i, path);
            cr_assert(sq_search_mask_allows(&d->search_mask, d->space, path));
            for (int l = 0; l < d->space->layer_count; l++)
                count[l][path[l]]++;
        }
        for (int l = 0; l < d->space->layer_count; l++)
            for (int c = 0; c < d->search_mask.count[l]; c++) {
                const int choice = d->search_mask.choices[l][c], least = paths / d->search_mask.count[l];
                const int most = least + (paths % d->search_mask.count[l] > 0);
                cr_assert(count[l][choice] >= least && count[l][choice] <= most, "step %d, layer %d, choice %d: %d",
                          step, l, choice, count[l][choice]);
                total[l][choice] += count[l][choice];
            }
    }
    for (int l = 0; l < d->space->layer_count; l++)
        for (int c = 0; c < d->search_mask.count[l]; c++) {
            const double share = (double)(paths % d->search_mask.count[l]) / d->search_mask.count[l];
            const double mean = (double)steps * paths / d->search_mask.count[l];
            cr_expect_leq(fabs(total[l][d->search_mask.choices[l][c]] - mean),
                          5 * sqrt(steps * share * (1 - share)) + 1e-6, "layer %d, choice %d: %d of %g", l, c,
                          total[l][d->search_mask.choices[l][c]], mean);
        }
}

Test(paths, fair_trains_every_choice_once_a_super_step)
{
    dealer d;
    open_dealer(&d, SOURCE("configs/spaces/spos.yaml"), SQ_SAMPLE_FAIR, 1, SQ_NONE);
    cr_assert_eq(sq_sampler_paths(d.sampler), 4);
    expect_fair(&d, 1000); /* four choices in every searched layer: exactly once each */
    close_dealer(&d);
}

Test(paths, fair_deals_unequal_layers_out_as_evenly_as_possible)
{
    dealer d;
    open_dealer(&d, SOURCE("configs/spaces/tiny.yaml"), SQ_SAMPLE_FAIR, 1, SQ_NONE);
    cr_assert_eq(sq_sampler_paths(d.sampler), 5); /* layers of 5, 5, 3, 3 and 3 choices */
    expect_fair(&d, 3000);
    close_dealer(&d);
}

Test(paths, fair_stays_within_the_scope)
{
    dealer d;
    open_dealer(&d, SOURCE("configs/spaces/tiny.yaml"), SQ_SAMPLE_FAIR, 1, 2);
    cr_assert_eq(sq_sampler_paths(d.sampler), 5);
    expect_fair(&d, 300);
    sq_sampler_close(d.sampler);
    sq_search_mask_fix(&d.search_mask, 1, 4); /* what is left has 3 choices at most */
    const sq_sampler_options options = {.sampling = SQ_SAMPLE_FAIR, .search_mask = &d.search_mask};
    MUST(sq_sampler_open(&d.sampler, d.space, &options));
    cr_assert_eq(sq_sampler_paths(d.sampler), 3);
    expect_fair(&d, 300);
    close_dealer(&d);
}

/* 24 orders of a layer's four choices, 4,800 super-steps: 200 each, deviation 13.8; and what two layers give to one
 * path are independent: 16 pairs, 300 each, deviation 16.8. Five deviations. */
Test(paths, fair_permutations_are_uniform_and_independent)
{
    dealer d;
    int orders[256] = {0}, pairs[16] = {0}, path[4][SQ_MAX_LAYERS];
    open_dealer(&d, SOURCE("configs/spaces/spos.yaml"), SQ_SAMPLE_FAIR, 1, SQ_NONE);
    for (uint64_t step = 0; step < 4800; step++) {
        for (int i = 0; i < 4; i++)
            sq_sampler_draw(d.sampler, 1, step, i, path[i]);
        orders[path[0][3] << 6 | path[1][3] << 4 | path[2][3] << 2 | path[3][3]]++;
        pairs[path[0][3] << 2 | path[0][9]]++;
    }
    int seen = 0;
    for (int i = 0; i < 256; i++) {
        seen += orders[i] > 0;
        cr_expect(orders[i] == 0 || abs(orders[i] - 200) < 69, "order %d: %d of 200", i, orders[i]);
    }
    cr_expect_eq(seen, 24);
    for (int i = 0; i < 16; i++)
        cr_expect_lt(abs(pairs[i] - 300), 84, "pair %d: %d of 300", i, pairs[i]);
    close_dealer(&d);
}

Test(paths, what_is_drawn_does_not_depend_on_the_order_asked)
{
    static const sq_sampling samplings[] = {SQ_SAMPLE_UNIFORM, SQ_SAMPLE_FAIR};
    for (int k = 0; k < 2; k++) {
        dealer d;
        static int paths[20][5][SQ_MAX_LAYERS];
        int again[SQ_MAX_LAYERS];
        open_dealer(&d, SOURCE("configs/spaces/tiny.yaml"), samplings[k], 5, 2);
        const size_t bytes = (size_t)d.space->layer_count * sizeof(int);
        for (int step = 0; step < 20; step++)
            for (int i = 0; i < 5; i++)
                sq_sampler_draw(d.sampler, 3, (uint64_t)step, i, paths[step][i]);
        for (int step = 20; step-- > 0;)
            for (int i = 5; i-- > 0;) {
                sq_sampler_draw(d.sampler, 3, (uint64_t)step, i, again);
                cr_expect_eq(memcmp(again, paths[step][i], bytes), 0, "step %d, path %d", step, i);
            }
        close_dealer(&d);
    }
}

Test(paths, several_paths_a_step_are_the_paths_of_as_many_steps)
{
    static const sq_sampling samplings[] = {SQ_SAMPLE_UNIFORM, SQ_SAMPLE_COST_BINS};
    for (int k = 0; k < 2; k++) {
        dealer one, three;
        int a[SQ_MAX_LAYERS], b[SQ_MAX_LAYERS];
        open_dealer(&one, SOURCE("configs/spaces/spos.yaml"), samplings[k], 0, 4);
        open_dealer(&three, SOURCE("configs/spaces/spos.yaml"), samplings[k], 3, 4);
        cr_assert_eq(sq_sampler_paths(one.sampler), 1);
        cr_assert_eq(sq_sampler_paths(three.sampler), 3);
        for (int i = 0; i < 60; i++) {
            sq_sampler_draw(one.sampler, 1, (uint64_t)i, 0, a);
            sq_sampler_draw(three.sampler, 1, (uint64_t)(i / 3), i % 3, b);
            cr_expect(sq_search_mask_allows(&one.search_mask, one.space, a));
            cr_expect_eq(memcmp(a, b, (size_t)one.space->layer_count * sizeof *a), 0, "path %d", i);
        }
        close_dealer(&one);
        close_dealer(&three);
    }
}

Test(paths, numbers_of_paths_that_make_no_sense_are_refused)
{
    sq_space *space = NULL, *single = NULL;
    sq_sampler *sampler = NULL;
    const int path[SQ_MAX_LAYERS] = {0};
    MUST(sq_space_read(&space, SOURCE("configs/spaces/tiny.yaml"), 0, 0));
    const sq_sampler_options three = {.sampling = SQ_SAMPLE_FAIR, .paths = 3},
                             many = {.sampling = SQ_SAMPLE_UNIFORM, .paths = SQ_MAX_PATHS + 1};
    cr_expect_eq(sq_sampler_open(&sampler, space, &three), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "train.paths: 3, but the sampler fair takes 5"), "%s", sq_error_text());
    cr_expect_eq(sq_sampler_open(&sampler, space, &many), SQ_INVALID);
    cr_expect_null(sampler);
    MUST(sq_space_single(&single, space, path)); /* one path: nothing to deal out, whatever was asked */
    const sq_sampler_options four = {.sampling = SQ_SAMPLE_UNIFORM, .paths = 4};
    MUST(sq_sampler_open(&sampler, single, &four));
    cr_expect_eq(sq_sampler_paths(sampler), 1);
    sq_sampler_close(sampler);
    sq_space_free(single);
    sq_space_free(space);
}

/* ---- Gradients ---- */

enum { PATHS = 4, BATCH = 6 };

/* Stem, head and classifier are in all paths; layer 1 in two pairs, layer 2 in four, layer 3 once and thrice. */
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

/* Weight gradients after the walks of all paths. */
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
    bool is_exact; /* a path's gradient is rounded to FP32 before it is added, but for the classifier's */
} gradient_case;

/* Sums are made in the order of the paths. The reference adds in FP64 and rounds once: a rounding of the single
 * gradient less, 2^-24 of it, and each of the 3 sums rounds by 2^-24 of what is in it: 4 x 2^-24 of the sum of the
 * moduli. The cpu's classifier adds image by image: BATCH + PATHS roundings of 2^-24, of terms that cancel to half at
 * most. */
static void expect_sums(const gradient_case *c)
{
    int paths[PATHS][SQ_MAX_LAYERS];
    float *single[PATHS];
    subject s = open_subject(SOURCE("configs/spaces/tiny.yaml"), c->backend, c->threads, BATCH);
    make_paths(s.space, paths);
    load_drawn(s.model, 2);
    for (int i = 0; i < PATHS; i++) {
        const sq_step_paths alone = {.first = paths[i], .count = 1};
        walk(s.model, &alone, 0, 1);
        single[i] = read_role(s.model, SQ_ROLE_WEIGHT_GRAD);
    }
    float *found = accumulate(&s, paths, 1);
    for (int l = 0; l < s.space->layer_count; l++)
        for (int choice = 0; choice < s.space->layers[l].choice_count; choice++) {
            const sq_region *r = &sq_model_plan(s.model)->regions[l][choice];
            const size_t first = r->at[SQ_ROLE_WEIGHT] / sizeof(float),
                         count = r->bytes[SQ_ROLE_WEIGHT] / sizeof(float);
            const bool is_classifier = l == s.space->layer_count - 1;
            double worst = 0;
            if (!is_used(paths, PATHS, l, choice))
                continue;
            for (size_t k = first; k < first + count; k++) {
                float sum = 0;
                double size = 0;
                for (int i = 0; i < PATHS; i++)
                    if (paths[i][l] == choice) {
                        sum = size > 0 ? sum + single[i][k] : single[i][k];
                        size += fabs((double)single[i][k]);
                    }
                const double allowed = c->is_exact && !is_classifier ? 0 : is_classifier ? 2 * (BATCH + PATHS) : 4;
                const double error = fabs((double)found[k] - sum) - allowed * 0x1p-24 * size;
                worst = error > worst ? error : worst;
            }
            cr_expect(worst <= (is_classifier ? 0x1p-24 : 0), "%s: layer %d, choice %d: %g too far", c->backend, l,
                      choice, worst); /* classifier: terms are below 1, so one that cancels wholly leaves 2^-24 */
        }
    for (int i = 0; i < PATHS; i++)
        free(single[i]);
    free(found);
    close_subject(&s);
}

Test(paths, gradients_are_the_sums_of_the_single_ones_on_the_reference)
{
    expect_sums(&(gradient_case){"reference", 1, false});
}

Test(paths, gradients_are_the_sums_of_the_single_ones_on_the_cpu)
{
    expect_sums(&(gradient_case){"cpu", 2, true});
}

/* A quarter is a power of two: every product and sum on the way is scaled without rounding, as long as nothing falls
 * below the normal numbers. */
Test(paths, mean_of_four_is_a_quarter_of_the_sum_to_the_bit)
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

/* From momentum 0 and without decay, one update leaves the gradient itself as momentum; a second would leave 1.9 times
 * that. What no path used keeps its bytes. */
Test(paths, update_touches_the_union_and_each_block_once)
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
            if (bytes == 0) /* skip */
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

/* ---- Paths that ranks share out ---- */

enum { MOST_PARTS = 64 };

/* What a rank gives to be reduced, in order: copies of the values. */
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

/* One of two ranks: of the two paths it walks the one of its number. Gradients lie as they did in `like` (NULL: are
 * taken as they are), so that what is given can be told apart from statistics. */
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
    for (int i = 0; i < r->parts; i++) /* as distances, which do not depend on where a model lies */
        r->from[i] = (const float *)((const char *)r->from[i] - (const char *)first.address);
    s.backend->reduction = NULL;
    close_subject(&s);
}

/* Two ranks walk a path each on the same batch: they give the same blocks in the same order, and what they give adds up
 * to the gradients that one rank has of both paths (the classifier's within the roundings of its order, as above). */
Test(paths, two_ranks_with_a_path_each_give_the_gradients_of_both)
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
        const size_t at = (size_t)(uintptr_t)ranks[0].from[i]; /* statistics lie elsewhere */
        if (at >= bytes)
            continue;
        cr_assert_eq(ranks[0].from[i], ranks[1].from[i], "part %d is another block on each rank", i);
        for (size_t k = 0; k < ranks[0].count[i]; k++, seen++) {
            const float a = ranks[0].values[i][k], b = ranks[1].values[i][k],
                        wanted = gradients[at / sizeof(float) + k];
            zeros += a == 0 || b == 0;
            cr_expect(fabsf(a + b - wanted) <= 2 * (BATCH + PATHS) * 0x1p-24f, "part %d, value %zu: %g + %g, wanted %g",
                      i, k, (double)a, (double)b, (double)wanted);
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
