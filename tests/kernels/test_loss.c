/* Tests the softmax cross-entropy of one image. */
#include <math.h>

#include "kernels/loss.h"
#include "tests/support/support.h"

enum { CLASSES = 7 };

static const float logits[CLASSES] = {0.5f, -1, 2, 2, 0, -3, 1.25f};

static double loss_of(const float *x, int label, float smoothing, float *gradient, sq_result *result)
{
    *result = (sq_result){0};
    sq_loss_of_row(&(sq_loss_row){x, gradient, CLASSES, label, smoothing, 1}, result);
    return result->loss;
}

Test(loss, the_loss_is_the_cross_entropy)
{
    sq_result result;
    double sum = 0;
    for (int i = 0; i < CLASSES; i++)
        sum += exp(logits[i]);
    cr_expect_float_eq(loss_of(logits, 4, 0, NULL, &result), log(sum), 1e-12);
    cr_expect_eq(result.images, 1);
}

/* The gradient sums to 0 and agrees with central differences. */
Test(loss, the_gradient_is_the_derivative)
{
    float gradient[CLASSES], x[CLASSES];
    sq_result result;
    double sum = 0;
    (void)loss_of(logits, 1, 0.1f, gradient, &result);
    for (int i = 0; i < CLASSES; i++) {
        const float step = 1.0f / 64;
        double up, down;
        sum += gradient[i];
        for (int k = 0; k < CLASSES; k++)
            x[k] = logits[k];
        x[i] = logits[i] + step;
        up = loss_of(x, 1, 0.1f, NULL, &result);
        x[i] = logits[i] - step;
        down = loss_of(x, 1, 0.1f, NULL, &result);
        cr_expect_float_eq(gradient[i], (up - down) / (2 * step), 1e-4, "class %d", i);
    }
    cr_expect_float_eq(sum, 0, 1e-6);
}

Test(loss, ties_rank_the_lower_class_first)
{
    sq_result result;
    (void)loss_of(logits, 2, 0, NULL, &result);
    cr_expect(result.top1 == 1 && result.top5 == 1);
    (void)loss_of(logits, 3, 0, NULL, &result);
    cr_expect(result.top1 == 0 && result.top5 == 1);
    (void)loss_of(logits, 5, 0, NULL, &result);
    cr_expect(result.top1 == 0 && result.top5 == 0);
}

Test(loss, a_nonfinite_loss_is_counted)
{
    const float bad[CLASSES] = {0, NAN};
    sq_result result;
    (void)loss_of(bad, 0, 0, NULL, &result);
    cr_expect(result.nonfinite == 1 && result.images == 1 && result.top1 == 0);
}
