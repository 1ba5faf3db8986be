#include "supernet/train/nonfinite_check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/support.h"

static const float nan_value = NAN;

Test(nonfinite_check, names_the_block_with_nonfinite_gradients)
{
    expect_bad_layer_named("cpu");
}

Test(nonfinite_check, names_the_tensor_that_is_nonfinite)
{
    static const struct {
        sq_role role;
        const char *suffix;
    } rows[] = {{SQ_ROLE_WEIGHT, " is not finite"}, {SQ_ROLE_MOMENTUM, ".momentum is not finite"}};
    subject s = open_subject(SOURCE("configs/spaces/tiny.yaml"), "cpu", 1, 2);
    sq_nonfinite_check *check = NULL;
    const sq_parameter *p = sq_model_plan(s.model)->parameters; /* the stem's convolution */
    MUST(sq_nonfinite_check_open(&check, s.model, NULL, false));
    MUST(sq_nonfinite_check_weights(check, 1, true));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char expected[256];
        float value;
        cr_assert_eq(p->role, SQ_ROLE_WEIGHT);
        MUST(sq_model_read(s.model, rows[i].role, p->offset, &value, sizeof value));
        MUST(sq_model_write(s.model, rows[i].role, p->offset, &nan_value, sizeof nan_value));
        cr_expect_eq(sq_nonfinite_check_weights(check, 5, false), SQ_NONFINITE);
        (void)snprintf(expected, sizeof expected, "step 5: %s%s", p->name, rows[i].suffix);
        cr_expect_str_eq(sq_error_text(), expected);
        MUST(sq_model_write(s.model, rows[i].role, p->offset, &value, sizeof value));
    }
    sq_nonfinite_check_close(check);
    close_subject(&s);
}

Test(nonfinite_check, restores_the_running_statistics)
{
    subject s = open_subject(SOURCE("configs/spaces/tiny.yaml"), "cpu", 1, 2);
    sq_nonfinite_check *check = NULL;
    float before, after;
    MUST(sq_nonfinite_check_open(&check, s.model, NULL, true));
    MUST(sq_model_read(s.model, SQ_ROLE_STATISTICS, 0, &before, sizeof before));
    MUST(sq_nonfinite_check_save(check));
    MUST(sq_model_write(s.model, SQ_ROLE_STATISTICS, 0, &nan_value, sizeof nan_value));
    MUST(sq_nonfinite_check_restore(check));
    MUST(sq_model_read(s.model, SQ_ROLE_STATISTICS, 0, &after, sizeof after));
    cr_expect_eq(memcmp(&before, &after, sizeof before), 0);
    sq_nonfinite_check_close(check);
    close_subject(&s);
}
