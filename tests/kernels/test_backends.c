/* Compares every backend with the reference, and the reference with central differences, on whole networks of every
 * block kind. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/rng.h"
#include "supernet/model/walk.h"
#include "tests/support/support.h"

enum { BATCH = 5 };

static float *read_parameter(sq_model *model, const sq_parameter *p, sq_role role)
{
    float *values = malloc(p->count * sizeof *values);
    MUST(sq_model_read(model, role, p->offset, values, p->count * sizeof *values));
    return values;
}

/* Backends add FP32 values in different orders. With 2^12 terms the error is sqrt(2^12) * 2^-24, through about 12
 * layers 5e-5. Sums that cancel (the gradient of a gamma) keep the rounding errors of their terms. compare_path
 * estimates these errors as a twentieth of the largest gradient's. */
static const double tolerance = 5e-5;

static void compare_path(sq_model *a, sq_model *b, const int *path, sq_role role)
{
    const sq_memory_plan *plan = sq_model_plan(a);
    double largest = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < plan->parameter_count; i++) {
            const sq_parameter *p = &plan->parameters[i];
            if (path[p->layer] != p->choice || p->role != (role == SQ_ROLE_STATISTICS ? role : SQ_ROLE_WEIGHT))
                continue;
            float *x = read_parameter(a, p, role), *y = read_parameter(b, p, role);
            double size = 0;
            for (size_t j = 0; j < p->count; j++)
                size += (double)x[j] * x[j];
            largest = pass == 0 && sqrt(size) > largest ? sqrt(size) : largest;
            const double error = relative_error(x, y, p->count) * (size > 0 ? sqrt(size) : 1);
            if (pass == 1)
                cr_expect_leq(error, tolerance * (sqrt(size) + 0.05 * largest), "%s: differs by %g of %g", p->name,
                              error, sqrt(size));
            free(x);
            free(y);
        }
}

/* Copies the values of a role from model a to model b, so that an error of one step is not carried into the next. */
static void copy_role(sq_model *a, sq_model *b, sq_role role)
{
    const size_t bytes = sq_model_plan(a)->role_bytes[role];
    void *values = malloc(bytes);
    MUST(sq_model_read(a, role, 0, values, bytes));
    MUST(sq_model_write(b, role, 0, values, bytes));
    free(values);
}

static void compare_backends(const char *space, int threads, int steps)
{
    subject a = open_subject(space, "reference", 0, BATCH), b = open_subject(space, "cpu", threads, BATCH);
    for (uint64_t number = 0; number < (uint64_t)steps; number++) {
        int path[SQ_MAX_LAYERS];
        sq_result x, y;
        draw_path(a.space, number, path);
        copy_role(a.model, b.model, SQ_ROLE_WEIGHT);
        copy_role(a.model, b.model, SQ_ROLE_STATISTICS);
        run_drawn_step(a.model, number, path);
        run_drawn_step(b.model, number, path);
        MUST(sq_model_result(a.model, &x));
        MUST(sq_model_result(b.model, &y));
        cr_expect_float_eq(x.loss, y.loss, 1e-4 * x.loss, "step %d: loss %.9g and %.9g", (int)number, x.loss, y.loss);
        compare_path(a.model, b.model, path, SQ_ROLE_WEIGHT_GRAD);
        compare_path(a.model, b.model, path, SQ_ROLE_STATISTICS);
        MUST(sq_model_update(a.model, path));
    }
    close_subject(&a);
    close_subject(&b);
}

Test(backends, cpu_agrees_with_reference_on_every_block_kind)
{
    compare_backends(SOURCE("configs/spaces/tiny.yaml"), 2, 12);
}

Test(backends, cpu_agrees_with_reference_on_padded_widths)
{
    compare_backends(SOURCE("tests/fixtures/odd_widths_pad.yaml"), 1, 4);
}

Test(backends, cpu_agrees_with_reference_on_kept_widths)
{
    compare_backends(SOURCE("tests/fixtures/odd_widths_keep.yaml"), 2, 4);
}

Test(backends, cpu_agrees_with_reference_on_fused_mb)
{
    compare_backends(SOURCE("tests/fixtures/oracle_fused_mb.yaml"), 2, 6);
}

Test(backends, cpu_agrees_with_reference_on_uib)
{
    compare_backends(SOURCE("tests/fixtures/oracle_uib.yaml"), 2, 8);
}

/* Padding affects storage only, so all results are identical. */
Test(backends, padding_changes_nothing)
{
    subject a = open_subject(SOURCE("tests/fixtures/odd_widths_pad.yaml"), "reference", 0, BATCH);
    subject b = open_subject(SOURCE("tests/fixtures/odd_widths_keep.yaml"), "reference", 0, BATCH);
    const sq_memory_plan *p = sq_model_plan(a.model), *q = sq_model_plan(b.model);
    int path[SQ_MAX_LAYERS];
    for (uint64_t number = 0; number < 3; number++) {
        draw_path(a.space, number, path);
        run_drawn_step(a.model, number, path);
        run_drawn_step(b.model, number, path);
        MUST(sq_model_update(a.model, path));
        MUST(sq_model_update(b.model, path));
    }
    cr_assert_eq(p->parameter_count, q->parameter_count);
    for (int i = 0; i < p->parameter_count; i++) {
        float *x = read_parameter(a.model, &p->parameters[i], p->parameters[i].role);
        float *y = read_parameter(b.model, &q->parameters[i], q->parameters[i].role);
        cr_expect_eq(memcmp(x, y, p->parameters[i].count * sizeof *x), 0, "%s", p->parameters[i].name);
        free(x);
        free(y);
    }
    close_subject(&a);
    close_subject(&b);
}

static void *read_role(sq_model *model, sq_role role)
{
    const size_t bytes = sq_model_plan(model)->role_bytes[role];
    void *copy = malloc(bytes);
    MUST(sq_model_read(model, role, 0, copy, bytes));
    return copy;
}

Test(backends, bits_do_not_depend_on_threads_or_repetition)
{
    static const sq_role roles[] = {SQ_ROLE_WEIGHT, SQ_ROLE_MOMENTUM, SQ_ROLE_AVERAGE, SQ_ROLE_STATISTICS};
    static const int threads[] = {1, 2, 3, 2};
    void *first[4] = {0};
    for (int k = 0; k < 4; k++) {
        subject s = open_subject(SOURCE("configs/spaces/tiny.yaml"), "cpu", threads[k], 16);
        for (uint64_t number = 0; number < 8; number++) {
            int path[SQ_MAX_LAYERS];
            draw_path(s.space, number, path);
            run_drawn_step(s.model, number, path);
            MUST(sq_model_update(s.model, path));
        }
        for (int r = 0; r < 4; r++) {
            void *now = read_role(s.model, roles[r]);
            if (k == 0)
                first[r] = now;
            else {
                cr_expect_eq(memcmp(first[r], now, sq_model_plan(s.model)->role_bytes[roles[r]]), 0,
                             "role %d, %d threads", (int)roles[r], threads[k]);
                free(now);
            }
        }
        close_subject(&s);
    }
    for (int r = 0; r < 4; r++)
        free(first[r]);
}

/* ---- The reference against central differences ---- */

static double loss_of(sq_model *model, uint64_t number, const int *path)
{
    const sq_step step = drawn_step(number);
    sq_result result;
    MUST(sq_model_set_step(model, &step));
    MUST(sq_model_forward(model, path));
    MUST(sq_model_result(model, &result));
    return result.loss / (double)result.images;
}

/* Compares the directional derivative along a random direction d of one tensor, (L(w + h d) - L(w - h d)) / 2h, with
 * the dot product of g and d. One direction over all values keeps the rounding small: the FP32 rounding of the loss is
 * about 1e-7, and h |d| is about 1e-2. An absolute error of 2e-5 and the error from the third derivative remain. */
static void check_tensor(sq_model *model, const sq_parameter *p, uint64_t number, const int *path)
{
    const double h = 4e-3;
    float *w = read_parameter(model, p, SQ_ROLE_WEIGHT), *g = read_parameter(model, p, SQ_ROLE_WEIGHT_GRAD);
    float *moved = malloc(p->count * sizeof *moved);
    double analytic = 0, loss[2], norm = 0;
    float *direction = malloc(p->count * sizeof *direction);
    sq_rng rng = sq_rng_open(9, SQ_RNG_TEST, p->offset);
    for (size_t i = 0; i < p->count; i++) {
        direction[i] = (float)sq_rng_normal(&rng);
        norm += (double)direction[i] * direction[i];
    }
    for (size_t i = 0; i < p->count; i++) {
        direction[i] = (float)(direction[i] / sqrt(norm));
        analytic += (double)direction[i] * g[i];
    }
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < p->count; i++)
            moved[i] = (float)(w[i] + (side ? -h : h) * direction[i]);
        MUST(sq_model_write(model, SQ_ROLE_WEIGHT, p->offset, moved, p->count * sizeof *moved));
        loss[side] = loss_of(model, number, path);
    }
    MUST(sq_model_write(model, SQ_ROLE_WEIGHT, p->offset, w, p->count * sizeof *w));
    const double numeric = (loss[0] - loss[1]) / (2 * h);
    cr_expect_lt(fabs(numeric - analytic), 3e-4 + 0.02 * fabs(analytic), "%s: %.6g by differences, %.6g analytic",
                 p->name, numeric, analytic);
    free(w);
    free(g);
    free(moved);
    free(direction);
}

Test(backends, reference_gradients_are_the_slopes_of_the_loss)
{
    subject s = open_subject(SOURCE("tests/fixtures/smooth.yaml"), "reference", 0, BATCH);
    const sq_memory_plan *plan = sq_model_plan(s.model);
    for (uint64_t number = 0; number < 6; number++) {
        int path[SQ_MAX_LAYERS];
        draw_path(s.space, number, path);
        run_drawn_step(s.model, number, path);
        sq_result ignored;
        MUST(sq_model_result(s.model, &ignored));
        for (int i = 0; i < plan->parameter_count; i++)
            if (plan->parameters[i].role == SQ_ROLE_WEIGHT &&
                plan->parameters[i].choice == path[plan->parameters[i].layer])
                check_tensor(s.model, &plan->parameters[i], number, path);
    }
    close_subject(&s);
}

/* The gradient of the softmax cross-entropy sums to 0 over the classes, for every label smoothing. */
Test(backends, loss_gradient_sums_to_zero)
{
    subject s = open_subject(SOURCE("configs/spaces/tiny.yaml"), "cpu", 0, BATCH);
    int path[SQ_MAX_LAYERS];
    float gradient[BATCH * 4];
    const sq_step step = drawn_step(1);
    draw_path(s.space, 1, path);
    load_drawn(s.model, 1);
    MUST(sq_model_set_step(s.model, &step));
    MUST(sq_model_forward(s.model, path));
    const sq_region *r = &sq_model_plan(s.model)->regions[s.space->layer_count - 1][0];
    MUST(sq_model_read(s.model, SQ_ROLE_BOUNDARY_GRAD, r->boundary_grad_out, gradient, sizeof gradient));
    for (int n = 0; n < BATCH; n++)
        cr_expect_float_eq(gradient[4 * n] + gradient[4 * n + 1] + gradient[4 * n + 2] + gradient[4 * n + 3], 0, 1e-7);
    close_subject(&s);
}

Test(backends, images_beyond_the_count_do_not_matter)
{
    subject s = open_subject(SOURCE("configs/spaces/tiny.yaml"), "cpu", 0, BATCH);
    int path[SQ_MAX_LAYERS];
    const size_t pixels = 16 * 16 * 3;
    uint8_t *images = calloc(BATCH, pixels);
    const int32_t labels[BATCH] = {0, 1, 2, 3, 0};
    sq_result whole, part;
    draw_path(s.space, 2, path);
    for (size_t i = 0; i < BATCH * pixels; i++)
        images[i] = (uint8_t)(i * 37);
    for (int count = 2; count <= BATCH; count += BATCH - 2) {
        const sq_model_batch batch = {images, labels, NULL, count};
        const sq_step step = {0};
        MUST(sq_model_load(s.model, &batch));
        MUST(sq_model_set_step(s.model, &step));
        MUST(sq_model_walk(s.model, path, SQ_EVALUATE));
        MUST(sq_model_result(s.model, count == 2 ? &part : &whole));
    }
    cr_expect_eq(part.images, 2);
    cr_expect_eq(whole.images, BATCH);
    cr_expect_lt(part.loss, whole.loss);
    free(images);
    close_subject(&s);
}

Test(backends, unknown_device_is_refused_with_the_known_ones)
{
    sq_backend *b = NULL;
    cr_expect_eq(sq_backend_open("gpu", 0, &b), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "auto, cuda, cpu or reference"));
    cr_expect_null(b);
}

Test(backends, what_is_not_finite_is_found)
{
    expect_nonfinite_found("reference", NULL);
    expect_nonfinite_found("cpu", NULL);
    expect_bad_layer_named("cpu");
}

Test(backends, crops_are_the_loaders_to_the_bit)
{
    expect_crops("reference", NULL);
    expect_crops("cpu", &(sq_backend_options){.threads = 1});
    expect_crops("cpu", &(sq_backend_options){.threads = 3});
}
