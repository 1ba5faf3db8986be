#include "supernet/model/initialize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/support.h"

static float *weights_of(sq_model *model)
{
    const size_t bytes = sq_model_plan(model)->role_bytes[SQ_ROLE_WEIGHT];
    float *values = malloc(bytes);
    MUST(sq_model_read(model, SQ_ROLE_WEIGHT, 0, values, bytes));
    return values;
}

Test(initialize, weights_depend_only_on_the_seed)
{
    subject s = open_subject(SOURCE("configs/spaces/tiny.yaml"), "cpu", 1, 2);
    const size_t bytes = sq_model_plan(s.model)->role_bytes[SQ_ROLE_WEIGHT];
    float *one = weights_of(s.model);
    MUST(sq_model_initialize(s.model, 2));
    float *two = weights_of(s.model);
    MUST(sq_model_initialize(s.model, 1));
    float *again = weights_of(s.model);
    cr_expect_eq(memcmp(one, again, bytes), 0);
    cr_expect_neq(memcmp(one, two, bytes), 0);
    free(one);
    free(two);
    free(again);
    close_subject(&s);
}

/* The expected variance is He et al. 2015, eq. 10, with fan-out. The bound is five standard deviations of the
 * estimate. */
Test(initialize, he_weights_have_the_documented_variance)
{
    subject s = open_subject(SOURCE("configs/spaces/tiny.yaml"), "cpu", 1, 2);
    const sq_memory_plan *plan = sq_model_plan(s.model);
    float *values = weights_of(s.model);
    for (int i = 0; i < plan->parameter_count; i++) {
        const sq_parameter *p = &plan->parameters[i];
        double squares = 0;
        if (p->kind != SQ_PARAMETER_CONV || p->count < 256)
            continue;
        for (size_t k = 0; k < p->count; k++)
            squares += pow(values[p->offset / sizeof(float) + k], 2);
        const double expected = 2.0 / ((double)p->dims[0] * p->dims[2] * p->dims[3]);
        cr_expect_lt(fabs(squares / (double)p->count / expected - 1), 5 * sqrt(2.0 / (double)p->count), "%s", p->name);
    }
    free(values);
    close_subject(&s);
}
