/* Tests calibration and scoring of one path. */
#include <stdlib.h>
#include <string.h>

#include "search/evaluate/evaluator.h"
#include "tests/support/support.h"

enum { IMAGES = 12, PIXELS = 16 * 16 * 3 };

static sq_image_set made_up_images(void)
{
    sq_image_set set = {.images = malloc(IMAGES * PIXELS),
                        .labels = calloc(IMAGES, sizeof(int32_t)),
                        .count = IMAGES,
                        .resolution = 16};
    for (size_t i = 0; i < IMAGES * PIXELS; i++)
        set.images[i] = (uint8_t)(i * i / 7);
    return set;
}

/* Calibration gives the plain mean over the batches of each batch's mean and unbiased variance, as momentum=None in
 * PyTorch. */
Test(evaluator, calibrates_to_the_plain_mean_of_the_batches)
{
    subject s = open_subject(SOURCE("configs/spaces/tiny.yaml"), "cpu", 2, 4);
    sq_image_set set = made_up_images();
    int path[SQ_MAX_LAYERS];
    draw_path(s.space, 3, path);
    sq_evaluator *e = NULL;
    sq_result a, b;
    MUST(sq_evaluator_create(&e, s.backend, s.space, s.model, &(sq_evaluation_data){&set, &set, 4, 5, false}));
    MUST(sq_evaluator_calibrate(e, path));
    MUST(sq_evaluator_score(e, path, 0, &a));
    /* The stem's running mean must be the mean over the three batches, regardless of earlier statistics. */
    const sq_parameter *p = sq_memory_plan_find(sq_model_plan(sq_evaluator_model(e)), "first_conv.1.running_mean");
    float mean[8], expected[8] = {0}, one[8];
    MUST(sq_model_read(sq_evaluator_model(e), SQ_ROLE_STATISTICS, p->offset, mean, sizeof mean));
    for (int i = 0; i < 3; i++) {
        const sq_image_set part = {
            .images = set.images + (size_t)i * 4 * PIXELS, .labels = set.labels, .count = 4, .resolution = 16};
        sq_evaluator *single = NULL;
        MUST(sq_evaluator_create(&single, s.backend, s.space, s.model,
                                 &(sq_evaluation_data){&part, &part, 4, 4, false}));
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
    sq_evaluator_destroy(e);
    sq_image_set_clear(&set);
    close_subject(&s);
}

Test(evaluator, scores_the_first_images_like_a_smaller_set)
{
    subject s = open_subject(SOURCE("configs/spaces/tiny.yaml"), "cpu", 2, 4);
    sq_image_set set = made_up_images();
    int path[SQ_MAX_LAYERS];
    draw_path(s.space, 3, path);
    sq_evaluator *e = NULL;
    sq_result a, b;
    MUST(sq_evaluator_create(&e, s.backend, s.space, s.model, &(sq_evaluation_data){&set, &set, 4, 5, false}));
    MUST(sq_evaluator_calibrate(e, path));
    const sq_image_set seven = {.images = set.images, .labels = set.labels, .count = 7, .resolution = 16};
    sq_evaluator *few = NULL;
    MUST(sq_evaluator_create(&few, s.backend, s.space, s.model, &(sq_evaluation_data){&set, &seven, 4, 5, false}));
    MUST(sq_evaluator_calibrate(few, path));
    MUST(sq_evaluator_score(few, path, 0, &a));
    MUST(sq_evaluator_score(e, path, 7, &b));
    cr_expect(a.loss == b.loss && a.top1 == b.top1 && a.top5 == b.top5 && a.images == 7 && b.images == 7);
    MUST(sq_evaluator_score(e, path, 100, &b)); /* more images than the set has */
    cr_expect_eq(b.images, 12);
    sq_evaluator_destroy(few);
    sq_evaluator_destroy(e);
    sq_image_set_clear(&set);
    close_subject(&s);
}
