/* Tests the memory and size limits of images. */
#include <string.h>

#include "data/decode/image.h"
#include "tests/support/support.h"

Test(image, reserve_reuses_memory_that_is_large_enough)
{
    sq_image image = {0};
    MUST(sq_image_reserve(&image, 10, 20, "a.png"));
    const uint8_t *pixels = image.pixels;
    cr_expect(image.capacity == 600 && image.whole_h == 10 && image.w == 20 && image.reduction == 1);
    image.y = 3;
    MUST(sq_image_reserve(&image, 20, 5, "a.png"));
    cr_expect(image.pixels == pixels && image.capacity == 600 && image.h == 20 && image.whole_w == 5 && image.y == 0);
    sq_image_clear(&image);
    cr_expect(image.pixels == NULL && image.capacity == 0);
}

Test(image, check_size_rejects_empty_and_large_images)
{
    const sq_encoded_image encoded = {.name = "a.png", .max_pixels = 100};
    MUST(sq_image_check_size(&encoded, 10, 10));
    cr_expect_eq(sq_image_check_size(&encoded, 0, 10), SQ_DATA);
    cr_expect_eq(sq_image_check_size(&encoded, 10, 0), SQ_DATA);
    cr_expect_eq(sq_image_check_size(&encoded, SIZE_MAX, SIZE_MAX), SQ_DATA);
    cr_expect_eq(sq_image_check_size(&encoded, 11, 10), SQ_DATA);
    cr_expect_str_eq(sq_error_text(), "a.png: image size out of range: found 10 x 11 pixels, expected 1..100 in total");
}
