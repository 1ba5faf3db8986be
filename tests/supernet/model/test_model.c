#include "supernet/model/model.h"

#include <string.h>

#include "tests/support/support.h"

Test(model, rejects_ranges_outside_of_a_role)
{
    subject s = open_subject(SOURCE("configs/spaces/tiny.yaml"), "cpu", 1, 2);
    const size_t bytes = sq_model_plan(s.model)->role_bytes[SQ_ROLE_WEIGHT];
    float value = 0;
    MUST(sq_model_read(s.model, SQ_ROLE_WEIGHT, bytes - sizeof value, &value, sizeof value));
    cr_expect_eq(sq_model_read(s.model, SQ_ROLE_WEIGHT, bytes, &value, sizeof value), SQ_INVALID);
    cr_expect_eq(sq_model_write(s.model, SQ_ROLE_WEIGHT, SIZE_MAX, &value, sizeof value), SQ_INVALID);
    close_subject(&s);
}

Test(model, rejects_batches_of_the_wrong_size)
{
    subject s = open_subject(SOURCE("configs/spaces/tiny.yaml"), "cpu", 1, 2);
    static const uint8_t images[3 * 16 * 16 * 3];
    static const int32_t labels[3];
    cr_expect_eq(sq_model_load(s.model, &(sq_model_batch){images, labels, NULL, 3}), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "batch of 3 images, expected 1..2"), "%s", sq_error_text());
    cr_expect_eq(sq_model_load(s.model, &(sq_model_batch){images, labels, NULL, 0}), SQ_INVALID);
    close_subject(&s);
}

Test(model, shared_weights_must_match)
{
    subject s = open_subject(SOURCE("configs/spaces/tiny.yaml"), "cpu", 1, 2);
    sq_space *other = open_space(SOURCE("tests/fixtures/odd_widths_pad.yaml"));
    sq_model *model = NULL;
    const sq_model_options options = {.block = {.batch = 2}, .weights_of = s.model};
    cr_expect_eq(sq_model_create(&model, s.backend, other, &options), SQ_INVALID);
    cr_expect_null(model);
    sq_space_free(other);
    close_subject(&s);
}
