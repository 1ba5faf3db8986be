/* Compares the cuda backend with the reference backend on whole networks of every block kind. The file is built twice:
 * for the emulator (backend "emulated") and for a GPU. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/evaluate/candidate_group.h"
#include "supernet/model/walk.h"
#include "tests/kernels/op_table.h"
#include "tests/support/support.h"

enum { BATCH = 5 };

/* Trains `steps` steps along drawn paths. Stores the losses and, if `weights` is not NULL, the final weights. */
static void train(subject *s, int steps, double *losses, void **weights)
{
    train_drawn(s, steps, losses);
    if (!weights)
        return;
    const size_t bytes = sq_model_plan(s->model)->role_bytes[SQ_ROLE_WEIGHT];
    *weights = malloc(bytes);
    MUST(sq_model_read(s->model, SQ_ROLE_WEIGHT, 0, *weights, bytes));
}

/* A path rounds about 40 times before the logits (operands and results of 20 convolutions). Each rounding has a root
 * mean square of 2^-8 / sqrt(3), which adds up to 2^-8 sqrt(40 / 3) = 1.4 % of the logits, whose size is about 1.
 * The loss is a mean over the batch of differences of logits. The test allows twice 1.4 %, because the weights
 * diverge too. */
Test(cuda, twenty_steps_follow_the_reference)
{
    enum { STEPS = 20 };
    double wanted[STEPS], found[STEPS];
    subject a = open_subject(SOURCE("configs/spaces/tiny.yaml"), "reference", 0, 12);
    subject b = open_subject(SOURCE("configs/spaces/tiny.yaml"), "cuda", 0, 12);
    train(&a, STEPS, wanted, NULL);
    train(&b, STEPS, found, NULL);
    for (int i = 0; i < STEPS; i++)
        cr_expect_float_eq(wanted[i], found[i], 0.028, "step %d: loss %.5f, reference %.5f", i, found[i], wanted[i]);
    close_subject(&a);
    close_subject(&b);
}

Test(cuda, graphs_on_and_off_and_repetition_give_equal_bits)
{
    enum { STEPS = 4 };
    double losses[3][STEPS];
    void *weights[3];
    size_t bytes = 0;
    for (int k = 0; k < 3; k++) {
        subject s = open_subject_with(SOURCE("configs/spaces/tiny.yaml"), "cuda",
                                      &(sq_backend_options){.no_graphs = k == 1}, 6);
        bytes = sq_model_plan(s.model)->role_bytes[SQ_ROLE_WEIGHT];
        train(&s, STEPS, losses[k], &weights[k]);
        close_subject(&s);
    }
    for (int k = 1; k < 3; k++) {
        cr_expect_eq(memcmp(weights[0], weights[k], bytes), 0, "%s", k == 1 ? "graphs off" : "second run");
        cr_expect_eq(memcmp(losses[0], losses[k], sizeof losses[0]), 0);
        free(weights[k]);
    }
    free(weights[0]);
}

/* Compares the gradients of two paths, computed separately and accumulated. If only one path uses a block, the block's
 * accumulated gradient has that path's bits. If both paths use a block, its gradient is the sum, rounded once in FP32
 * as in the kernels. */
Test(cuda, two_paths_give_the_sum_of_both_gradients)
{
    int paths[2][SQ_MAX_LAYERS];
    float *gradients[3];
    subject s = open_subject_with(SOURCE("configs/spaces/tiny.yaml"), "cuda", NULL, 6);
    const sq_memory_plan *plan = sq_model_plan(s.model);
    const sq_step step = drawn_step(1);
    draw_path(s.space, 1, paths[0]);
    draw_path(s.space, 2, paths[1]);
    /* Both paths use the same choice of this searched layer. */
    paths[1][1] = paths[0][1];
    paths[1][2] = (paths[0][2] + 1) % s.space->layers[2].choice_count; /* only path 1 uses this choice */
    const sq_step_paths all = {.first = paths[0], .count = 2},
                        alone[] = {{.first = paths[0], .count = 1}, {.first = paths[1], .count = 1}};
    load_drawn(s.model, 1);
    for (int k = 0; k < 3; k++) {
        gradients[k] = malloc(plan->role_bytes[SQ_ROLE_WEIGHT_GRAD]);
        for (int i = k < 2 ? k : 0; i < (k < 2 ? k + 1 : 2); i++) {
            MUST(sq_model_set_step(s.model, &step));
            MUST(sq_model_forward(s.model, paths[i]));
            MUST(sq_model_backward_of(s.model, k < 2 ? &alone[k] : &all, k < 2 ? 0 : i));
        }
        MUST(sq_model_read(s.model, SQ_ROLE_WEIGHT_GRAD, 0, gradients[k], plan->role_bytes[SQ_ROLE_WEIGHT_GRAD]));
    }
    for (int l = 0; l < s.space->layer_count; l++)
        for (int i = 0; i < 2; i++) {
            const sq_region *r = &plan->regions[l][paths[i][l]];
            const size_t first = r->at[SQ_ROLE_WEIGHT] / sizeof(float),
                         end = first + r->bytes[SQ_ROLE_WEIGHT] / sizeof(float);
            const bool is_shared = paths[0][l] == paths[1][l];
            size_t different = 0;
            for (size_t j = first; j < end; j++)
                different += gradients[2][j] != (is_shared ? gradients[0][j] + gradients[1][j] : gradients[i][j]);
            cr_expect_eq(different, 0, "layer %d, path %d: %zu of %zu", l, i, different, end - first);
        }
    for (int k = 0; k < 3; k++)
        free(gradients[k]);
    close_subject(&s);
}

/* The candidates' statistics and results are copied to separate places in device memory. Therefore each candidate must
 * get the same bits as in a separate evaluation. */
Test(cuda, candidates_evaluated_together_are_those_evaluated_alone)
{
    enum { IMAGES = 7, TOGETHER = 3, CANDIDATES = 4 };
    subject s = open_subject_with(SOURCE("configs/spaces/tiny.yaml"), "cuda", NULL, 3);
    sq_evaluator *alone = NULL;
    sq_candidate_group *group = NULL;
    sq_image_set set = random_images(s.space, IMAGES, 9);
    int paths[CANDIDATES][SQ_MAX_LAYERS];
    const int *list[CANDIDATES];
    sq_result one, found[CANDIDATES];
    for (int i = 0; i < CANDIDATES; i++) {
        draw_path(s.space, (uint64_t)i, paths[i]);
        memcpy(paths[i], paths[0], (size_t)(i % 2 ? 4 : 2) * sizeof(int));
        list[i] = paths[i];
    }
    const sq_evaluation_data data = {&set, &set, TOGETHER, TOGETHER, false};
    const sq_candidate_group_options options = {.data = data, .budget_bytes = (size_t)1 << 30};
    MUST(sq_evaluator_create(&alone, s.backend, s.space, s.model, &data));
    MUST(sq_candidate_group_create(&group, s.backend, s.space, s.model, &options));
    sq_candidate_group_fix(group, paths[0], 2);
    MUST(sq_candidate_group_evaluate(group, list, CANDIDATES, 0, found));
    for (int i = 0; i < CANDIDATES; i++) {
        MUST(sq_evaluator_calibrate(alone, paths[i]));
        MUST(sq_evaluator_score(alone, paths[i], 0, &one));
        cr_expect_eq(memcmp(&one, &found[i], sizeof one), 0, "candidate %d: loss %.17g, alone %.17g", i, found[i].loss,
                     one.loss);
    }
    sq_candidate_group_destroy(group);
    sq_evaluator_destroy(alone);
    sq_image_set_clear(&set);
    close_subject(&s);
}

Test(cuda, operations_agree_with_reference)
{
    const op_table table = {SOURCE("configs/spaces/tiny.yaml"), "cuda", BATCH, SQ_ENGINE_SQUALL};
    cr_expect_gt(run_op_table(&table), 100);
}

Test(cuda, operations_agree_on_every_path_of_the_kernels)
{
    const op_table table = {SOURCE("tests/fixtures/cuda_wide.yaml"), "cuda", 3, SQ_ENGINE_SQUALL};
    cr_expect_gt(run_op_table(&table), 100);
}

Test(cuda, operations_agree_on_the_widest_fused_backward)
{
    const op_table table = {SOURCE("tests/fixtures/cuda_fused_backward.yaml"), "cuda", 3, SQ_ENGINE_SQUALL};
    cr_expect_gt(run_op_table(&table), 60);
}

Test(cuda, operations_agree_on_fused_mb)
{
    const op_table table = {SOURCE("tests/fixtures/oracle_fused_mb.yaml"), "cuda", 2, SQ_ENGINE_SQUALL};
    cr_expect_gt(run_op_table(&table), 30);
}

Test(cuda, operations_agree_on_uib)
{
    const op_table table = {SOURCE("tests/fixtures/oracle_uib.yaml"), "cuda", 2, SQ_ENGINE_SQUALL};
    cr_expect_gt(run_op_table(&table), 30);
}

Test(cuda, operations_agree_on_padded_widths)
{
    const op_table pad = {SOURCE("tests/fixtures/odd_widths_pad.yaml"), "cuda", BATCH, SQ_ENGINE_SQUALL};
    const op_table keep = {SOURCE("tests/fixtures/odd_widths_keep.yaml"), "cuda", 1, SQ_ENGINE_SQUALL};
    cr_expect_gt(run_op_table(&pad), 30);
    cr_expect_gt(run_op_table(&keep), 30);
}

Test(cuda, large_operations_agree_at_the_widths_of_224_pixel_images)
{
    const op_table table = {SOURCE("tests/fixtures/cuda_strips.yaml"), "cuda", 1, SQ_ENGINE_SQUALL};
    cr_expect_gt(run_op_table(&table), 60);
}

Test(cuda, large_operations_agree_on_dense_convolutions)
{
    const op_table table = {SOURCE("tests/fixtures/cuda_dense.yaml"), "cuda", 2, SQ_ENGINE_SQUALL};
    cr_expect_gt(run_op_table(&table), 40);
}

Test(cuda, operations_crop_and_resize_with_the_bits_of_the_loader)
{
    expect_crops("cuda", NULL);
}

/* Writes different data to the same address again and again. After each write the device copies the data to a separate
 * place. A write that overtakes the previous copy would change that copy's data. */
static void check_large_writes(sq_backend *b)
{
    static const size_t sizes[] = {(1 << 20) - 1, 1 << 20, (5 << 20) + 3, 2 << 20, (9 << 20) + 1};
    enum { SIZES = sizeof sizes / sizeof *sizes, MOST = (9 << 20) + 1, ROUNDS = 3 };
    unsigned char *sent = malloc(MOST), *got = malloc(MOST);
    sq_device_ptr at, kept[SIZES * ROUNDS];
    MUST(b->ops->allocate(b, MOST, &at));
    for (int i = 0; i < SIZES * ROUNDS; i++) {
        const size_t bytes = sizes[i % SIZES];
        MUST(b->ops->allocate(b, bytes, &kept[i]));
        for (size_t k = 0; k < bytes; k++)
            sent[k] = (unsigned char)(k * 31 + k / 251 + (size_t)i * 7);
        MUST(b->ops->write(b, at, sent, bytes));
        memset(sent, 0, bytes); /* write() must have copied the bytes already */
        MUST(b->ops->copy(b, kept[i], at, bytes));
    }
    for (int i = 0; i < SIZES * ROUNDS; i++) {
        size_t wrong = 0;
        MUST(b->ops->read(b, got, kept[i], sizes[i % SIZES]));
        for (size_t k = 0; k < sizes[i % SIZES]; k++)
            wrong += got[k] != (unsigned char)(k * 31 + k / 251 + (size_t)i * 7);
        cr_expect_eq(wrong, 0, "write %d: %zu of %zu bytes", i, wrong, sizes[i % SIZES]);
        b->ops->release(b, kept[i]);
    }
    b->ops->release(b, at);
    free(sent);
    free(got);
}

Test(cuda, large_writes_keep_their_order)
{
    sq_backend *b = NULL;
    MUST(sq_backend_open("cuda", 1, &b));
    check_large_writes(b);
    sq_backend_close(b);
}

Test(cuda, operations_find_nonfinite_values)
{
    expect_nonfinite_found("cuda", NULL);
    expect_bad_layer_named("cuda");
}

/* The filter weights of a crop's columns must fit into shared memory. */
Test(cuda, crops_that_are_too_large_are_refused)
{
    sq_backend *b = NULL;
    sq_device_ptr images, out;
    const sq_stored_crop crop = {.width = 12000, .h = 1, .w = 12000};
    MUST(sq_backend_open("cuda", 0, &b));
    MUST(b->ops->allocate(b, 36000, &images));
    MUST(b->ops->allocate(b, 224 * 224 * 3, &out));
    cr_expect_eq(b->ops->crop(b, &(sq_crop_batch){images, &crop, 1, 224, out}), SQ_UNSUPPORTED);
    cr_expect_not_null(strstr(sq_error_text(), "a crop is too large to be resized to 224 pixels"), "%s",
                       sq_error_text());
    MUST(b->ops->wait(b));
    b->ops->release(b, images);
    b->ops->release(b, out);
    sq_backend_close(b);
}
