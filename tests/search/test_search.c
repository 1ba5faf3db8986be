/* Searchers, limits, calibration. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "search/searchers/searcher.h"
#include "search/state.h"
#include "supernet/space/cost.h"
#include "tests/support/support.h"

/* ---- Evolution on a made-up accuracy: each layer has one right choice ---- */

static double score(const sq_space *space, const int *path)
{
    int right = 0;
    for (int l = 0; l < space->layer_count; l++)
        right += space->layers[l].choice_count > 1 && path[l] == (l * 7 + 3) % space->layers[l].choice_count;
    return (double)right / space->searched_count;
}

typedef struct {
    sq_space *space;
    sq_search_options options;
    sq_searcher *searcher;
    sq_candidate *observed;
} game;

static game open_game(uint64_t seed)
{
    game g = {.options = {.seed = seed,
                          .population = 50,
                          .generations = 20,
                          .parents = 10,
                          .crossover = 25,
                          .mutation = 25,
                          .mutation_probability = 0.1,
                          .tries = 10}};
    MUST(sq_space_read(&g.space, SOURCE("configs/spaces/spos.yaml"), 0, 0));
    g.searcher = calloc(1, sizeof *g.searcher);
    g.searcher->space = g.space;
    for (int l = 0; l < g.space->layer_count; l++)
        for (int c = 0; c < g.space->layers[l].choice_count; c++)
            g.searcher->macs[l][c] = 1e-6 * (double)sq_cost_block(g.space, l, c).macs;
    g.observed = calloc(2000, sizeof *g.observed);
    g.searcher->observed = g.observed;
    return g;
}

static void close_game(game *g)
{
    for (int i = 0; i < g->searcher->observed_count; i++)
        free(g->observed[i].path);
    free(g->observed);
    free(g->searcher);
    sq_space_free(g->space);
}

/* Plays to the end; returns the best score. */
static double play(game *g, sq_status (*ask)(const sq_searcher *, sq_candidate *, int *))
{
    sq_candidate proposed[50];
    int paths[50][SQ_MAX_LAYERS];
    double best = 0;
    g->searcher->options = &g->options;
    for (int i = 0; i < 50; i++)
        proposed[i] = (sq_candidate){.path = paths[i]};
    for (;;) {
        int count = 0;
        MUST(ask(g->searcher, proposed, &count));
        if (count == 0)
            return best;
        for (int i = 0; i < count; i++) {
            sq_candidate *c = &g->observed[g->searcher->observed_count];
            *c = proposed[i];
            c->path = malloc(sizeof paths[i]);
            memcpy(c->path, paths[i], sizeof paths[i]);
            c->top1 = c->top5 = score(g->space, c->path);
            best = c->top1 > best ? c->top1 : best;
            cr_expect(g->options.limits.macs == 0 || c->macs <= g->options.limits.macs, "%g M", c->macs);
            g->searcher->observed_count++;
        }
    }
}

Test(search, evolution_finds_what_random_search_does_not)
{
    double evolution = 0, random = 0;
    for (uint64_t seed = 0; seed < 3; seed++) {
        game a = open_game(seed), b = open_game(seed);
        evolution += play(&a, sq_evolution_ask);
        random += play(&b, sq_random_ask);
        cr_expect_eq(a.searcher->observed_count, 1050); /* SPOS's budget, the last generation ranked */
        cr_expect_eq(b.searcher->observed_count, 1050);
        close_game(&a);
        close_game(&b);
    }
    cr_expect_geq(evolution, 3 * 0.95, "%g", evolution / 3);
    cr_expect_gt(evolution, random + 0.3, "%g against %g", evolution / 3, random / 3);
}

/* All paths that a game has told, as one number. */
static uint64_t fingerprint(const game *g)
{
    uint64_t hash = SQ_HASH_START;
    for (int i = 0; i < g->searcher->observed_count; i++)
        hash = sq_hash(hash, g->observed[i].path, (size_t)g->space->layer_count * sizeof(int));
    return hash;
}

/* A state of an earlier release goes on in this one. */
Test(search, draws_are_those_of_the_first_release)
{
    game a = open_game(0), b = open_game(0);
    a.options.limits.macs = 320;
    (void)play(&a, sq_evolution_ask);
    (void)play(&b, sq_random_ask);
    cr_expect_eq(fingerprint(&a), UINT64_C(0x0ecf1c16181e9064), "%016" PRIx64, fingerprint(&a));
    cr_expect_eq(fingerprint(&b), UINT64_C(0x6e81158679b83695), "%016" PRIx64, fingerprint(&b));
    close_game(&a);
    close_game(&b);
}

Test(search, no_path_is_asked_twice_and_limits_hold)
{
    game g = open_game(1);
    g.options.limits.macs = 320;
    (void)play(&g, sq_evolution_ask);
    for (int i = 0; i < g.searcher->observed_count; i++)
        for (int j = 0; j < i; j++)
            cr_expect_neq(memcmp(g.observed[i].path, g.observed[j].path, (size_t)g.space->layer_count * sizeof(int)), 0,
                          "%d and %d", i, j);
    close_game(&g);
}

Test(search, told_prefix_decides_what_comes_next)
{
    game a = open_game(4), b = open_game(4);
    (void)play(&a, sq_evolution_ask);
    sq_candidate proposed[50];
    int paths[50][SQ_MAX_LAYERS], count = 0;
    for (int i = 0; i < 50; i++)
        proposed[i] = (sq_candidate){.path = paths[i]};
    b.searcher->options = &b.options;
    b.searcher->observed = a.observed; /* as restored after generation 6 */
    b.searcher->observed_count = 350;
    MUST(sq_evolution_ask(b.searcher, proposed, &count));
    cr_assert_eq(count, 50);
    for (int i = 0; i < count; i++)
        cr_expect_eq(memcmp(paths[i], a.observed[350 + i].path, (size_t)a.space->layer_count * sizeof(int)), 0,
                     "candidate %d", i);
    b.searcher->observed = b.observed;
    b.searcher->observed_count = 0;
    close_game(&a);
    close_game(&b);
}

Test(search, impossible_limits_are_refused_with_the_smallest_cost)
{
    game g = open_game(1);
    g.options.limits.macs = 270;
    g.searcher->options = &g.options;
    cr_expect_eq(sq_searcher_check_limits(g.searcher), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "270.359"), "%s", sq_error_text());
    g.options.limits.macs = 271;
    MUST(sq_searcher_check_limits(g.searcher));
    close_game(&g);
}

Test(search, a_scope_keeps_fixed_layers_fixed_in_every_candidate)
{
    game g = open_game(1);
    sq_search_mask search_mask;
    sq_search_mask_all(&search_mask, g.space);
    sq_search_mask_fix(&search_mask, 2, 1);
    sq_search_mask_fix(&search_mask, 5, 3);
    g.options.search_mask = &search_mask;
    (void)play(&g, sq_evolution_ask);
    cr_assert_gt(g.searcher->observed_count, 100);
    for (int i = 0; i < g.searcher->observed_count; i++) {
        cr_expect(g.observed[i].path[2] == 1 && g.observed[i].path[5] == 3);
        cr_expect(sq_search_mask_allows(&search_mask, g.space, g.observed[i].path));
    }
    /* The smallest cost within the scope is what limits are held against. */
    double least = INFINITY;
    for (int i = 0; i < g.searcher->observed_count; i++)
        least = fmin(least, g.observed[i].macs);
    g.options.limits.macs = least;
    MUST(sq_searcher_check_limits(g.searcher));
    g.options.limits.macs = 270.36; /* what the whole space's smallest path has */
    cr_expect_eq(sq_searcher_check_limits(g.searcher), SQ_INVALID);
    close_game(&g);
}

/* ---- Calibration ---- */

/* The plain mean over batches of each batch's mean and unbiased variance, as PyTorch's momentum=None. */
Test(search, calibration_is_the_plain_mean_and_forgets_what_was_before)
{
    subject s = open_subject(SOURCE("configs/spaces/tiny.yaml"), "cpu", 2, 4);
    const size_t pixels = 16 * 16 * 3;
    sq_image_set set = {
        .images = malloc(12 * pixels), .labels = calloc(12, sizeof(int32_t)), .count = 12, .resolution = 16};
    for (size_t i = 0; i < 12 * pixels; i++)
        set.images[i] = (uint8_t)(i * i / 7);
    int path[SQ_MAX_LAYERS];
    draw_path(s.space, 3, path);
    sq_evaluator *e = NULL;
    sq_result a, b;
    MUST(sq_evaluator_create(&e, s.backend, s.space, s.model, false, &set, 4, &set, 5));
    MUST(sq_evaluator_calibrate(e, path));
    MUST(sq_evaluator_score(e, path, 0, &a));
    /* The stem's mean must be the mean of the three batches', whatever the statistics were. */
    const sq_parameter *p = sq_memory_plan_find(sq_model_plan(sq_evaluator_model(e)), "first_conv.1.running_mean");
    float mean[8], expected[8] = {0}, one[8];
    MUST(sq_model_read(sq_evaluator_model(e), SQ_ROLE_STATISTICS, p->offset, mean, sizeof mean));
    for (int i = 0; i < 3; i++) {
        const sq_image_set part = {
            .images = set.images + (size_t)i * 4 * pixels, .labels = set.labels, .count = 4, .resolution = 16};
        sq_evaluator *single = NULL;
        MUST(sq_evaluator_create(&single, s.backend, s.space, s.model, false, &part, 4, &part, 4));
        MUST(sq_evaluator_calibrate(single, path));
        MUST(sq_model_read(sq_evaluator_model(single), SQ_ROLE_STATISTICS, p->offset, one, sizeof one));
        for (int c = 0; c < 8; c++)
            expected[c] += one[c] / 3;
        sq_evaluator_destroy(single);
    }
    cr_expect_lt(relative_error(expected, mean, 8), 1e-6);
    MUST(sq_evaluator_calibrate(e, path));
    MUST(sq_evaluator_score(e, path, 0, &b));
    cr_expect(a.loss == b.loss && a.top1 == b.top1 && a.images == 12 && b.images == 12);
    /* The first seven alone: what a set of seven gives. */
    const sq_image_set seven = {.images = set.images, .labels = set.labels, .count = 7, .resolution = 16};
    sq_evaluator *few = NULL;
    MUST(sq_evaluator_create(&few, s.backend, s.space, s.model, false, &set, 4, &seven, 5));
    MUST(sq_evaluator_calibrate(few, path));
    MUST(sq_evaluator_score(few, path, 0, &a));
    MUST(sq_evaluator_score(e, path, 7, &b));
    cr_expect(a.loss == b.loss && a.top1 == b.top1 && a.top5 == b.top5 && a.images == 7 && b.images == 7);
    MUST(sq_evaluator_score(e, path, 100, &b)); /* more than there are */
    cr_expect_eq(b.images, 12);
    sq_evaluator_destroy(few);
    sq_evaluator_destroy(e);
    sq_image_set_clear(&set);
    close_subject(&s);
}
