/* Tests decoding whole images and regions of images. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/decode/decode.h"
#include "data/sources/dataset.h"
#include "kernels/base/file.h"
#include "kernels/base/rng.h"
#include "tests/data/jpegs.h"
#include "tests/support/support.h"

static const size_t limit = 1 << 26;

/* Compares the centre pixel of each fixture with the value from tests/oracle/make_images.py. JPEG compression changes
 * pixels, so a tolerance applies. */
Test(decode, decodes_every_format_to_rgb)
{
    static const struct {
        const char *name;
        int h, w, r, g, b, tolerance;
    } rows[] = {
        {"rgb.jpg", 24, 32, 200, 60, 30, 8},         {"grey.jpg", 24, 32, 120, 120, 120, 4},
        {"progressive.jpg", 24, 32, 200, 60, 30, 8}, {"cmyk.jpg", 24, 32, 200, 60, 30, 12},
        {"rgb.png", 24, 32, 200, 60, 30, 0},         {"grey16.png", 24, 32, 128, 128, 128, 1},
        {"alpha.png", 24, 32, 200, 60, 30, 0},       {"palette.gif", 24, 32, 200, 60, 30, 0},
        {"png_named.JPEG", 24, 32, 200, 60, 30, 0},  {"rgb.bmp", 24, 32, 200, 60, 30, 0},
    };
    sq_image image = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[512], *bytes = NULL;
        size_t size = 0;
        (void)snprintf(path, sizeof path, "%s/%s", SOURCE("tests/fixtures/images"), rows[i].name);
        MUST(sq_file_read(path, 1 << 20, &bytes, &size));
        MUST(sq_image_decode(&image, &(sq_encoded_image){bytes, size, rows[i].name, limit}));
        cr_expect(image.h == rows[i].h && image.w == rows[i].w, "%s: %d x %d", rows[i].name, image.w, image.h);
        const uint8_t *p = image.pixels + ((size_t)(image.h / 2) * (size_t)image.w + (size_t)(image.w / 2)) * 3;
        cr_expect(abs(p[0] - rows[i].r) <= rows[i].tolerance && abs(p[1] - rows[i].g) <= rows[i].tolerance &&
                      abs(p[2] - rows[i].b) <= rows[i].tolerance,
                  "%s: %d %d %d", rows[i].name, p[0], p[1], p[2]);
        free(bytes);
    }
    sq_image_clear(&image);
}

Test(decode, reports_truncated_files_and_never_crashes)
{
    static const char *const names[] = {"rgb.jpg", "progressive.jpg", "cmyk.jpg", "rgb.png", "palette.gif", "rgb.bmp"};
    sq_image image = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[512], *bytes = NULL;
        size_t size = 0;
        int bad = 0;
        (void)snprintf(path, sizeof path, "%s/%s", SOURCE("tests/fixtures/images"), names[i]);
        MUST(sq_file_read(path, 1 << 20, &bytes, &size));
        for (size_t length = 0; length < size; length++) {
            char *copy = malloc(length + 1); /* exactly `length` bytes, so that sanitizers detect reads past the end */
            memcpy(copy, bytes, length);
            const sq_status status = sq_image_decode(&image, &(sq_encoded_image){copy, length, names[i], limit});
            cr_expect(status == SQ_OK || status == SQ_DATA, "%s truncated to %zu: %d", names[i], length, (int)status);
            bad += status == SQ_DATA;
            free(copy);
        }
        if (i < 4) /* stb_image accepts truncated GIFs and BMPs */
            cr_expect_gt(bad, (int)size / 2, "%s: only %d of %zu truncations are detected", names[i], bad, size);
        free(bytes);
    }
    cr_expect_eq(sq_image_decode(&image, &(sq_encoded_image){"hello", 5, "text.jpg", limit}), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "text.jpg"));
    sq_image_clear(&image);
}

Test(decode, rejects_decompression_bombs_before_allocating)
{
    sq_image image = {0};
    char *bytes = NULL;
    size_t size = 0;
    MUST(sq_file_read(SOURCE("tests/fixtures/images/rgb.png"), 1 << 20, &bytes, &size));
    bytes[16] = 0x7f; /* the declared width becomes about two billion */
    cr_expect_eq(sq_image_decode(&image, &(sq_encoded_image){bytes, size, "bomb.png", limit}), SQ_DATA);
    bytes[16] = 0;
    cr_expect_eq(sq_image_decode(&image, &(sq_encoded_image){bytes, size, "large.png", 24 * 31}), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "32 x 24 pixels"));
    free(bytes);
    sq_image_clear(&image);
}

/* ---- Regions ---- */

static sq_image_region draw_region(int h, int w, int reduction, sq_rng *rng)
{
    sq_image_region region = {.h = 1 + (int)sq_rng_below(rng, (uint32_t)h),
                              .w = 1 + (int)sq_rng_below(rng, (uint32_t)w)};
    region.y = (int)sq_rng_below(rng, (uint32_t)(h - region.h + 1));
    region.x = (int)sq_rng_below(rng, (uint32_t)(w - region.w + 1));
    region.reduction = reduction;
    return region;
}

/* Returns the number of values in `image`, a decoded region, that differ from the same region of the whole image. */
static int count_differences(const sq_image *image, const sq_image_region *region, const uint8_t *whole, int whole_w)
{
    int count = 0;
    for (int y = region->y; y < region->y + region->h; y++)
        for (int i = 0; i < region->w * 3; i++)
            count +=
                image->pixels[((size_t)(y - image->y) * (size_t)image->w + (size_t)(region->x - image->x)) * 3 +
                              (size_t)i] != whole[((size_t)y * (size_t)whole_w + (size_t)region->x) * 3 + (size_t)i];
    return count;
}

/* Decodes random regions and compares them with the whole image. */
static void check_regions(const sq_encoded_image *encoded, int reduction, int draws, sq_rng *rng)
{
    sq_image image = {0};
    int h, w, header_h = 0, header_w = 0;
    uint8_t *whole = decode_reduced(encoded->bytes, encoded->size, reduction, &h, &w);
    MUST(sq_image_read_size(encoded, &header_h, &header_w));
    cr_expect(h == (header_h + reduction - 1) / reduction && w == (header_w + reduction - 1) / reduction);
    for (int i = 0; i < draws; i++) {
        const sq_image_region region = draw_region(h, w, reduction, rng);
        MUST(sq_image_decode_region(&image, encoded, &region));
        cr_assert(image.y <= region.y && image.x <= region.x && image.y + image.h >= region.y + region.h &&
                  image.x + image.w >= region.x + region.w && image.whole_h == h && image.whole_w == w);
        const int wrong = count_differences(&image, &region, whole, w);
        cr_expect_eq(wrong, 0, "%s at 1/%d: %d values of %d x %d at %d, %d", encoded->name, reduction, wrong, region.w,
                     region.h, region.x, region.y);
    }
    free(whole);
    sq_image_clear(&image);
}

Test(decode, regions_of_a_jpeg_equal_the_whole_image)
{
    static const int sizes[][2] = {{97, 131}, {64, 64}, {33, 17}, {8, 200}, {201, 9}, {1, 1}};
    sq_rng rng = sq_rng_open(2, SQ_RNG_TEST, 0);
    for (int k = 0; k < JPEG_KINDS; k++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            unsigned long size = 0;
            unsigned char *bytes = make_jpeg(&jpeg_kinds[k], sizes[s][0], sizes[s][1], &size);
            for (int reduction = 1; reduction <= 8; reduction *= 2)
                check_regions(&(sq_encoded_image){bytes, size, jpeg_kinds[k].name, limit}, reduction, 12, &rng);
            free(bytes);
        }
}

Test(decode, rejects_a_truncated_jpeg_for_every_region)
{
    sq_image image = {0};
    const sq_image_region top = {0, 0, 4, 4, 1};
    unsigned long size = 0;
    for (int k = 0; k < JPEG_KINDS; k++) {
        unsigned char *bytes = make_jpeg(&jpeg_kinds[k], 64, 64, &size);
        MUST(sq_image_decode_region(&image, &(sq_encoded_image){bytes, size, "whole.jpg", limit}, &top));
        for (unsigned long length = size - 1; length > size / 2; length -= 7)
            cr_expect_eq(sq_image_decode_region(&image, &(sq_encoded_image){bytes, length, "short.jpg", limit}, &top),
                         SQ_DATA, "%s truncated to %lu", jpeg_kinds[k].name, length);
        cr_expect_not_null(strstr(sq_error_text(), "short.jpg"));
        free(bytes);
    }
    sq_image_clear(&image);
}

Test(decode, rejects_regions_outside_the_image)
{
    unsigned long size = 0;
    unsigned char *bytes = make_jpeg(&jpeg_kinds[2], 40, 30, &size);
    const sq_image_region below = {30, 0, 11, 4, 1}, right = {0, 15, 4, 16, 1}, reduced = {0, 0, 21, 15, 2};
    sq_image image = {0};
    cr_expect_eq(sq_image_decode_region(&image, &(sq_encoded_image){bytes, size, "a.jpg", limit}, &below), SQ_DATA);
    cr_expect_eq(sq_image_decode_region(&image, &(sq_encoded_image){bytes, size, "a.jpg", limit}, &right), SQ_DATA);
    cr_expect_eq(sq_image_decode_region(&image, &(sq_encoded_image){bytes, size, "a.jpg", limit}, &reduced), SQ_DATA);
    cr_expect_not_null(
        strstr(sq_error_text(), "a.jpg: the region ends outside the image: found 15, 21, expected at most 15, 20"),
        "%s", sq_error_text());
    free(bytes);
    sq_image_clear(&image);
}

Test(decode, regions_of_imagenet_originals_equal_the_whole_image)
{
    const char *const folder = SOURCE("../shared/datasets/imagenet-sample");
    sq_dataset *d = NULL;
    void *bytes = NULL;
    size_t capacity = 0, size = 0;
    sq_rng rng = sq_rng_open(3, SQ_RNG_TEST, 0);
    if (access(folder, R_OK) != 0)
        cr_skip_test("no ../shared/datasets/imagenet-sample");
    MUST(sq_dataset_open(&d, folder, "val"));
    for (size_t i = 0; i < sq_dataset_count(d); i += 3) {
        MUST(sq_dataset_read(d, i, &bytes, &capacity, &size));
        const sq_encoded_image encoded = {bytes, size, sq_dataset_name(d, i), limit};
        check_regions(&encoded, 1, 2, &rng);
        check_regions(&encoded, 2, 1, &rng);
    }
    free(bytes);
    sq_dataset_close(d);
}
