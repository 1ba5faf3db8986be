/* Tests shrinking and encoding images. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/pack/encode.h"
#include "tests/data/data_support.h"
#include "tests/support/support.h"

/* If max_block is not 0, this replacement of malloc fails for blocks of more than max_block bytes. */

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
#define REFUSES_MEMORY 1
extern void *__libc_malloc(size_t);
static size_t max_block; /* bytes; 0: no limit */

void *malloc(size_t bytes)
{
    return max_block && bytes > max_block ? NULL : __libc_malloc(bytes);
}
#else
#define REFUSES_MEMORY 0
static size_t max_block;
#endif

Test(encode, reports_a_jpeg_without_memory)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    sq_image image = {.pixels = malloc(96 * 96 * 3), .h = 96, .w = 96};
    if (!REFUSES_MEMORY)
        cr_skip_test("a sanitizer replaces malloc");
    for (int i = 0; i < 96 * 96 * 3; i++)
        image.pixels[i] = (uint8_t)(i * 7919 >> 3);
    max_block = 10000;
    const sq_status status = sq_image_encode_jpeg(&image, 100, "noise", &bytes, &size);
    max_block = 0;
    cr_expect_eq(status, SQ_NO_MEMORY);
    cr_expect_null(bytes);
    cr_expect_not_null(strstr(sq_error_text(), "noise: "), "%s", sq_error_text());
    free(image.pixels);
}

/* The filter covers all source pixels. Therefore a checkerboard of single pixels becomes its mean, and a constant image
 * does not change. */
Test(encode, shrinking_averages_pixels)
{
    sq_image image = {.pixels = malloc(64 * 96 * 3), .capacity = 64 * 96 * 3, .h = 64, .w = 96}, out = {0};
    for (int i = 0; i < 64 * 96; i++) {
        image.pixels[3 * i] = (i / 96 + i % 96) % 2 ? 200 : 100;
        image.pixels[3 * i + 1] = 77;
        image.pixels[3 * i + 2] = (uint8_t)(i % 96 * 2); /* a horizontal ramp, whose slope resizing must keep */
    }
    MUST(sq_image_fit(&out, &image, 16, false));
    cr_assert(out.h == 16 && out.w == 24);
    for (int y = 0; y < 16; y++)
        for (int x = 0; x < 24; x++) {
            const uint8_t *p = out.pixels + 3 * (y * 24 + x);
            /* Corners differ more because repeated edge pixels have more weight. */
            const bool is_corner = (x == 0 || x == 23) && (y == 0 || y == 15);
            cr_expect(abs(p[0] - 150) <= 1 + is_corner && p[1] == 77, "%d %d: %d %d", x, y, p[0], p[1]);
            if (x > 1 && x < 22) /* expected: the value at the centre of pixels 4x .. 4x+3 */
                cr_expect(abs(p[2] - (8 * x + 3)) <= 1, "%d: %d", x, p[2]);
        }
    sq_image_clear(&image);
    sq_image_clear(&out);
}

Test(encode, only_larger_images_do_not_fit)
{
    cr_expect(sq_image_fits(20, 30, 20, false) && !sq_image_fits(21, 30, 20, false));
    cr_expect(!sq_image_fits(20, 30, 20, true) && sq_image_fits(20, 20, 20, true));
}
