/* Compares resizing with Pillow's algorithm, and the random crops and colour changes with their published
 * distributions. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/decode/image.h"
#include "data/loader/transform.h"
#include "kernels/base/file.h"
#include "kernels/graph.h"
#include "kernels/image/resize.h"
#include "tests/data/pillow.h"
#include "tests/support/support.h"

/* ---- Squall's resizing and Pillow's ---- */

static uint8_t *draw_pixels(int h, int w, uint64_t number)
{
    uint8_t *pixels = malloc((size_t)h * (size_t)w * 3);
    sq_rng rng = sq_rng_open(1, SQ_RNG_TEST, number);
    for (size_t i = 0; i < (size_t)h * (size_t)w * 3; i++) /* noise, black, white and edges are the hardest to round */
        pixels[i] = number % 4 == 0   ? (uint8_t)(sq_rng_below(&rng, 2) * 255)
                    : number % 4 == 1 ? (uint8_t)(i / 3 % (size_t)w / 9 % 2 * 255)
                                      : (uint8_t)sq_rng_below(&rng, 256);
    return pixels;
}

static int worst_difference(const uint8_t *a, const uint8_t *b, size_t count)
{
    int worst = 0;
    for (size_t i = 0; i < count; i++)
        worst = abs(a[i] - b[i]) > worst ? abs(a[i] - b[i]) : worst;
    return worst;
}

/* Copies only the pixels that sq_resize_reach names, so that a sanitizer detects reads outside these pixels. */
static sq_pixels crop_reach(const uint8_t *pixels, int h, int w, sq_crop crop, int size)
{
    const sq_rectangle reach = sq_resize_reach(crop, h, w, size);
    sq_pixels out = {NULL, reach.y, reach.x, reach.h, reach.w, h, w};
    uint8_t *own = malloc((size_t)out.h * (size_t)out.w * 3);
    for (int y = 0; y < out.h; y++)
        memcpy(own + (size_t)y * (size_t)out.w * 3, pixels + ((size_t)(out.y + y) * (size_t)w + (size_t)out.x) * 3,
               (size_t)out.w * 3);
    out.pixels = own;
    return out;
}

Test(resize, a_thousand_random_crops_are_pillows_within_one_grey_level)
{
    static const int sides[] = {224, 64, 33, 7, 1};
    sq_transform t = {.is_augmented = true, .area_min = 0.02, .area_max = 1, .aspect_min = 0.5, .aspect_max = 2};
    sq_resizer resizer = {0};
    uint8_t ours[224 * 224 * 3], pillows[224 * 224 * 3];
    for (uint64_t i = 0; i < 1000; i++) {
        sq_rng rng = sq_rng_open(2, SQ_RNG_TEST, i);
        const int h = 1 + (int)sq_rng_below(&rng, 330), w = 1 + (int)sq_rng_below(&rng, 330);
        const int side = sides[i % 10 < 6 ? 0 : i % 10 - 5];
        uint8_t *pixels = draw_pixels(h, w, i);
        sq_crop crop = sq_transform_crop(&t, h, w, &rng);
        if (i % 5 == 4) { /* as in Image.resize with a box, whose filter also reads pixels outside the box */
            crop = (sq_crop){crop.x + 0.25, crop.y + 0.5, crop.w - 0.5, crop.h - 0.75, false};
            pillow_resize(&(sq_pixels){pixels, 0, 0, h, w, h, w}, crop, side, pillows);
        } else {
            pillow_crop_resize(pixels, w, crop, side, pillows);
        }
        const sq_pixels from = crop_reach(pixels, h, w, crop, side);
        MUST(sq_resize(&resizer, &from, crop, side, ours));
        const int worst = worst_difference(ours, pillows, (size_t)side * (size_t)side * 3);
        cr_expect_leq(worst, 1, "%llu: %d grey levels, %d x %d, crop %g x %g at %g, %g to %d", (unsigned long long)i,
                      worst, w, h, crop.w, crop.h, crop.x, crop.y, side);
        free((void *)from.pixels);
        free(pixels);
    }
    sq_resizer_clear(&resizer);
}

Test(resize, large_reductions_are_pillows_within_one_grey_level)
{
    enum { SIDE = 20, LARGE = 32 * SIDE };
    uint8_t ours[SIDE * SIDE * 3], pillows[SIDE * SIDE * 3];
    sq_resizer resizer = {0};
    const sq_crop all = {0, 0, LARGE, LARGE, false};
    for (uint64_t i = 0; i < 8; i++) {
        uint8_t *pixels = draw_pixels(LARGE, LARGE, i);
        const sq_pixels from = {pixels, 0, 0, LARGE, LARGE, LARGE, LARGE};
        pillow_resize(&(sq_pixels){pixels, 0, 0, LARGE, LARGE, LARGE, LARGE}, all, SIDE, pillows);
        MUST(sq_resize(&resizer, &from, all, SIDE, ours));
        cr_expect_leq(worst_difference(ours, pillows, sizeof ours), 1);
        free(pixels);
    }
    sq_resizer_clear(&resizer);
}

Test(resize, a_crop_of_the_outputs_size_is_copied)
{
    enum { SIDE = 50 };
    uint8_t out[SIDE * SIDE * 3];
    sq_resizer resizer = {0};
    uint8_t *pixels = draw_pixels(70, 90, 3);
    const sq_pixels from = {pixels, 0, 0, 70, 90, 70, 90};
    MUST(sq_resize(&resizer, &from, (sq_crop){11, 13, SIDE, SIDE, true}, SIDE, out));
    for (size_t y = 0; y < SIDE; y++)
        cr_expect_eq(memcmp(out + y * SIDE * 3, pixels + ((y + 13) * 90 + 11) * 3, (size_t)SIDE * 3), 0, "row %zu", y);
    free(pixels);
    sq_resizer_clear(&resizer);
}

/* ---- Distributions ---- */

enum { DRAWS = 20000, BINS = 20 };

/* Upper 0.1 % point of the chi-square distribution with BINS - 1 degrees of freedom. The draws depend only on fixed
 * seeds, so the test always gives the same result. */
static const double chi_square_limit = 43.82;

static double chi_square(const int *counts, int bins, int all)
{
    double sum = 0;
    const double expected = (double)all / bins;
    for (int i = 0; i < bins; i++)
        sum += (counts[i] - expected) * (counts[i] - expected) / expected;
    return sum;
}

static void count_share(int *counts, double share)
{
    const int bin = (int)floor(share * BINS);
    counts[bin < 0 ? 0 : bin >= BINS ? BINS - 1 : bin]++;
}

/* The image is square, and large enough that rounding to whole pixels has no effect. The areas always fit, so no
 * crop is redrawn. Therefore the area, the logarithm of the aspect ratio, and (for a given size) the position are
 * uniform. */
Test(resize, crops_follow_the_published_distribution)
{
    enum { SIDE = 1 << 20 };
    const sq_transform t = {
        .is_augmented = true, .area_min = 0.08, .area_max = 0.7, .aspect_min = 0.75, .aspect_max = 4.0 / 3};
    int area[BINS] = {0}, aspect[BINS] = {0}, x[BINS] = {0}, y[BINS] = {0};
    for (uint64_t i = 0; i < DRAWS; i++) {
        sq_rng rng = sq_rng_open(5, SQ_RNG_AUGMENT, i);
        const sq_crop c = sq_transform_crop(&t, SIDE, SIDE, &rng);
        count_share(area, (c.w * c.h / ((double)SIDE * SIDE) - t.area_min) / (t.area_max - t.area_min));
        count_share(aspect, (log(c.w / c.h) - log(t.aspect_min)) / (log(t.aspect_max) - log(t.aspect_min)));
        count_share(x, c.x / (SIDE - c.w + 1));
        count_share(y, c.y / (SIDE - c.h + 1));
    }
    cr_expect_lt(chi_square(area, BINS, DRAWS), chi_square_limit, "area");
    cr_expect_lt(chi_square(aspect, BINS, DRAWS), chi_square_limit, "aspect");
    cr_expect_lt(chi_square(x, BINS, DRAWS), chi_square_limit, "x");
    cr_expect_lt(chi_square(y, BINS, DRAWS), chi_square_limit, "y");
}

Test(resize, flips_and_jitter_follow_the_published_distribution)
{
    const sq_transform t = {.is_augmented = true, .flip = 0.3, .brightness = 0.4, .contrast = 0.2, .saturation = 1.5};
    int flips = 0, order[6] = {0}, brightness[BINS] = {0}, contrast[BINS] = {0}, saturation[BINS] = {0};
    for (uint64_t i = 0; i < DRAWS; i++) {
        float drawn[SQ_AUGMENT_COUNT];
        sq_rng rng = sq_rng_open(6, SQ_RNG_AUGMENT, i);
        sq_transform_draw(&t, &rng, drawn);
        flips += drawn[SQ_AUGMENT_FLIP] > 0;
        order[(int)drawn[SQ_AUGMENT_ORDER]]++;
        count_share(brightness, (drawn[SQ_AUGMENT_BRIGHTNESS] - 0.6) / 0.8);
        count_share(contrast, (drawn[SQ_AUGMENT_CONTRAST] - 0.8) / 0.4);
        /* The factor is drawn from max(0, 1 - 1.5) to 2.5. */
        count_share(saturation, drawn[SQ_AUGMENT_SATURATION] / 2.5);
    }
    const double expected = 0.3 * DRAWS, deviation = sqrt(DRAWS * 0.3 * 0.7);
    /* Two-sided 0.1 % point of a normal distribution. */
    cr_expect_lt(fabs(flips - expected), 3.3 * deviation, "%d flips", flips);
    cr_expect_lt(chi_square(order, 6, DRAWS), 20.52, "order"); /* 0.1 % point for 5 degrees of freedom */
    cr_expect_lt(chi_square(brightness, BINS, DRAWS), chi_square_limit, "brightness");
    cr_expect_lt(chi_square(contrast, BINS, DRAWS), chi_square_limit, "contrast");
    cr_expect_lt(chi_square(saturation, BINS, DRAWS), chi_square_limit, "saturation");
}
