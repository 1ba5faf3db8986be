/* Tests that evaluating a group of candidates gives the results of evaluating each candidate alone, bit for bit. */
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/rng.h"
#include "search/evaluate/candidate_group.h"
#include "tests/support/support.h"

enum { CANDIDATES = 17, CALIBRATION = 13, VALIDATION = 11, BATCH = 4, SCORE_BATCH = 3 };

typedef struct {
    subject s;
    sq_image_set calibration, validation;
    int paths[CANDIDATES][SQ_MAX_LAYERS];
    const int *list[CANDIDATES];
    sq_result alone[CANDIDATES];
} scene;

/* Draws paths for all candidates. The first `fixed` layers are the same in all paths. Some paths share more layers, and
 * one path occurs twice. */
static void draw_paths(scene *a, int fixed)
{
    for (int i = 0; i < CANDIDATES; i++) {
        draw_path(a->s.space, (uint64_t)(100 + i), a->paths[i]);
        if (i % 3)
            memcpy(a->paths[i], a->paths[i - 1], (size_t)(a->s.space->layer_count - i % 4 - 1) * sizeof(int));
        memcpy(a->paths[i], a->paths[0], (size_t)fixed * sizeof(int));
        a->list[i] = a->paths[i];
    }
    memcpy(a->paths[CANDIDATES - 1], a->paths[2], sizeof *a->paths);
}

static scene *open_scene(const char *backend, int fixed, size_t images)
{
    scene *at = calloc(1, sizeof *at); /* allocated because its list points into it */
    sq_evaluator *e = NULL;
    at->s = open_subject(SOURCE("configs/spaces/tiny.yaml"), backend, 1, BATCH);
    at->calibration = random_images(at->s.space, CALIBRATION, 1);
    at->validation = random_images(at->s.space, VALIDATION, 2);
    draw_paths(at, fixed);
    sq_image_set part = at->validation;
    part.count = images ? images : part.count;
    const sq_evaluation_data data = {&at->calibration, &part, BATCH, SCORE_BATCH, false};
    MUST(sq_evaluator_create(&e, at->s.backend, at->s.space, at->s.model, &data));
    for (int i = 0; i < CANDIDATES; i++) {
        MUST(sq_evaluator_calibrate(e, at->paths[i]));
        MUST(sq_evaluator_score(e, at->paths[i], 0, &at->alone[i]));
    }
    sq_evaluator_destroy(e);
    return at;
}

static void close_scene(scene *a)
{
    sq_image_set_clear(&a->calibration);
    sq_image_set_clear(&a->validation);
    close_subject(&a->s);
    free(a);
}

static sq_candidate_group *open_group(const scene *a, size_t budget)
{
    const sq_candidate_group_options options = {{&a->calibration, &a->validation, BATCH, SCORE_BATCH, false}, budget};
    sq_candidate_group *g = NULL;
    MUST(sq_candidate_group_create(&g, a->s.backend, a->s.space, a->s.model, &options));
    return g;
}

static void expect_alone(const scene *a, const sq_result *found, int first, int count, const char *what)
{
    for (int i = 0; i < count; i++)
        cr_expect_eq(memcmp(&found[i], &a->alone[first + i], sizeof *found), 0,
                     "%s: candidate %d: loss %.17g, alone %.17g", what, first + i, found[i].loss,
                     a->alone[first + i].loss);
}

static void check(const char *backend, int fixed, size_t budget, size_t images, bool is_shared)
{
    scene *a = open_scene(backend, fixed, images);
    sq_candidate_group *g = open_group(a, budget);
    sq_result found[CANDIDATES];
    sq_candidate_group_fix(g, a->paths[0], fixed);
    MUST(sq_candidate_group_evaluate(g, a->list, CANDIDATES, images, found));
    expect_alone(a, found, 0, CANDIDATES, "together");
    /* A second evaluation with fewer candidates must not use state of the first. */
    MUST(sq_candidate_group_evaluate(g, a->list + 4, 3, images, found));
    expect_alone(a, found, 4, 3, "three of them");
    MUST(sq_candidate_group_evaluate(g, a->list + 9, 1, images, found));
    expect_alone(a, found, 9, 1, "one");
    const sq_evaluation_counters count = sq_candidate_group_counters(g);
    cr_expect_eq(count.is_shared, is_shared);
    if (is_shared)
        cr_expect_lt(count.runs, count.alone * 3 / 4, "%lld of %lld", (long long)count.runs, (long long)count.alone);
    cr_expect_leq(count.kept_bytes, budget);
    sq_candidate_group_destroy(g);
    close_scene(a);
}

Test(candidate_group, shared_work_gives_the_same_bits_on_cpu)
{
    check("cpu", 0, (size_t)1 << 30, 0, true);
    check("cpu", 0, (size_t)1 << 30, 7, true);
}

Test(candidate_group, shared_work_gives_the_same_bits_on_reference)
{
    check("reference", 0, (size_t)1 << 30, 0, true);
}

Test(candidate_group, fixed_layers_are_computed_once_and_kept)
{
    check("cpu", 3, (size_t)1 << 30, 0, true);
    check("cpu", 5, (size_t)1 << 30, 5, true);
}

Test(candidate_group, without_room_nothing_is_shared_and_nothing_differs)
{
    check("cpu", 0, 0, 0, false);
    check("cpu", 3, 0, 0, false);
}

Test(candidate_group, room_for_boundaries_but_not_for_the_fixed_layers)
{
    scene *a = open_scene("cpu", 3, 0);
    sq_candidate_group *g = open_group(a, (size_t)1 << 30);
    const size_t boundaries = sq_candidate_group_counters(g).kept_bytes;
    sq_candidate_group_destroy(g);
    close_scene(a);
    check("cpu", 3, boundaries, 0, true);
    check("cpu", 3, boundaries + 64, 0, true);
    check("cpu", 3, boundaries - 1, 0, false);
}

Test(candidate_group, a_prefix_that_is_kept_saves_its_runs)
{
    scene *a = open_scene("cpu", 4, 0);
    sq_candidate_group *g = open_group(a, (size_t)1 << 30);
    sq_result found[CANDIDATES];
    const int batches = CALIBRATION / BATCH + (VALIDATION + SCORE_BATCH - 1) / SCORE_BATCH,
              layers = a->s.space->layer_count;
    sq_candidate_group_fix(g, a->paths[0], 4);
    MUST(sq_candidate_group_evaluate(g, a->list, 1, 0, found));
    const sq_evaluation_counters first = sq_candidate_group_counters(g);
    cr_expect_gt(first.prefix_bytes, 0);
    MUST(sq_candidate_group_evaluate(g, a->list, 1, 0, found));
    const sq_evaluation_counters second = sq_candidate_group_counters(g);
    /* Calibration does not run the classifier. */
    const int own = batches * (layers - 4) - CALIBRATION / BATCH;
    cr_expect_eq(first.runs, batches * 4 + own);
    cr_expect_eq(second.runs - first.runs, own);
    cr_expect_eq(second.alone, 2 * batches * layers);
    /* Fixes a shorter prefix, then no prefix. */
    sq_candidate_group_fix(g, a->paths[0], 2);
    MUST(sq_candidate_group_evaluate(g, a->list, CANDIDATES, 0, found));
    expect_alone(a, found, 0, CANDIDATES, "a shorter prefix");
    sq_candidate_group_fix(g, a->paths[0], 0);
    MUST(sq_candidate_group_evaluate(g, a->list, CANDIDATES, 0, found));
    expect_alone(a, found, 0, CANDIDATES, "no prefix");
    cr_expect_eq(sq_candidate_group_counters(g).prefix_bytes, 0);
    sq_candidate_group_destroy(g);
    close_scene(a);
}

Test(candidate_group, refuses_a_path_without_the_fixed_layers)
{
    scene *a = open_scene("cpu", 3, 0);
    sq_candidate_group *g = open_group(a, (size_t)1 << 30);
    sq_result found;
    a->paths[1][1] = (a->paths[1][1] + 1) % a->s.space->layers[1].choice_count;
    sq_candidate_group_fix(g, a->paths[0], 3);
    cr_expect_eq(sq_candidate_group_evaluate(g, a->list + 1, 1, 0, &found), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "does not begin with the 3 fixed layers"), "%s", sq_error_text());
    sq_candidate_group_destroy(g);
    close_scene(a);
}
