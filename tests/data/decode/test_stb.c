/* Tests resizing by stb_image_resize. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/decode/stb.h"
#include "kernels/base/file.h"
#include "tests/data/data_support.h"
#include "tests/support/support.h"

/* Resizes a row of `count` values to `out_count` values with the triangle filter, and returns value `x`. The filter's
 * weights are 1 - |distance| / scale, normalised to sum 1. */
static double triangle(const uint8_t *row, int count, int out_count, int x)
{
    const double scale = (double)count / out_count, centre = (x + 0.5) * scale;
    double sum = 0, weights = 0;
    for (int i = 0; i < count; i++) {
        const double weight = 1 - fabs(i + 0.5 - centre) / scale;
        sum += weight > 0 ? weight * row[i] : 0;
        weights += weight > 0 ? weight : 0;
    }
    return sum / weights;
}

Test(stb, resizes_by_odd_ratios_as_defined)
{
    static const struct {
        int from, to;
    } rows[] = {{28, 20}, {29, 28}, {100, 99}, {375, 256}, {500, 341}, {97, 13}, {31, 2}};
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        const int from = rows[k].from, to = rows[k].to;
        uint8_t pixels[500 * 3], row[500], out[500 * 3];
        for (int i = 0; i < from; i++)
            pixels[3 * i] = pixels[3 * i + 1] = pixels[3 * i + 2] = row[i] = (uint8_t)(i * 89 % 256);
        cr_assert(sq_stb_resize(&(sq_stb_pixels){pixels, 1, from}, &(sq_stb_pixels){out, 1, to}));
        /* The filter radius in output pixels. Nearer to the edge, stb also counts repeated edge pixels. */
        const int edge = 1 + (to > from / 2);
        for (int x = edge; x < to - edge; x++)
            cr_expect(fabs(out[3 * x] - triangle(row, from, to, x)) <= 1, "%d to %d at %d: %d, expected %g", from, to,
                      x, out[3 * x], triangle(row, from, to, x));
    }
}

/* The expected values are Pillow's BILINEAR resize of the whole pattern to 16 x 16, from
 * tests/oracle/make_images.py. */
Test(stb, resizes_like_pillow_within_one_grey_level)
{
    sq_image image = {0};
    uint8_t out[16 * 16 * 3];
    char *wanted = NULL;
    size_t size = 0;
    int worst = 0;
    decode_fixture(&image, "pattern.png");
    MUST(sq_file_read(SOURCE("tests/fixtures/images/resize_whole.raw"), 1 << 16, &wanted, &size));
    cr_assert_eq(size, sizeof out);
    cr_assert(sq_stb_resize(&(sq_stb_pixels){image.pixels, image.h, image.w}, &(sq_stb_pixels){out, 16, 16}));
    for (size_t i = 0; i < size; i++) {
        const size_t x = i / 3 % 16, y = i / 48;
        /* Inner pixels only, because stb repeats edge pixels and Pillow does not. */
        if (x > 0 && x < 15 && y > 0 && y < 15)
            worst = abs(out[i] - (uint8_t)wanted[i]) > worst ? abs(out[i] - (uint8_t)wanted[i]) : worst;
    }
    cr_expect_leq(worst, 1, "%d grey levels", worst);
    free(wanted);
    sq_image_clear(&image);
}
