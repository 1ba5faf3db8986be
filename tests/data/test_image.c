/* Parts of images: to the bit what the whole decodes to; damage. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/loader/sample.h"
#include "kernels/base/file.h"
#include "tests/data/jpegs.h"
#include "tests/support/support.h"

static const size_t limit = 1 << 26;

static sq_image_region draw_part(int h, int w, int reduction, sq_rng *rng)
{
    sq_image_region part = {.h = 1 + (int)sq_rng_below(rng, (uint32_t)h), .w = 1 + (int)sq_rng_below(rng, (uint32_t)w)};
    part.y = (int)sq_rng_below(rng, (uint32_t)(h - part.h + 1));
    part.x = (int)sq_rng_below(rng, (uint32_t)(w - part.w + 1));
    part.reduction = reduction;
    return part;
}

/* Pixels of the part in `image` that differ from the whole's. */
static int count_differences(const sq_image *image, const sq_image_region *part, const uint8_t *whole, int whole_w)
{
    int count = 0;
    for (int y = part->y; y < part->y + part->h; y++)
        for (int i = 0; i < part->w * 3; i++)
            count += image->pixels[((size_t)(y - image->y) * (size_t)image->w + (size_t)(part->x - image->x)) * 3 +
                                   (size_t)i] != whole[((size_t)y * (size_t)whole_w + (size_t)part->x) * 3 + (size_t)i];
    return count;
}

static void check_parts(const char *name, const unsigned char *bytes, unsigned long size, int reduction, int draws,
                        sq_rng *rng)
{
    sq_image image = {0};
    int h, w, header_h = 0, header_w = 0;
    uint8_t *whole = decode_reduced(bytes, size, reduction, &h, &w);
    MUST(sq_image_size(bytes, size, name, limit, &header_h, &header_w));
    cr_expect(h == (header_h + reduction - 1) / reduction && w == (header_w + reduction - 1) / reduction);
    for (int i = 0; i < draws; i++) {
        const sq_image_region part = draw_part(h, w, reduction, rng);
        MUST(sq_image_decode_region(&image, bytes, size, name, limit, &part));
        cr_assert(image.y <= part.y && image.x <= part.x && image.y + image.h >= part.y + part.h &&
                  image.x + image.w >= part.x + part.w && image.whole_h == h && image.whole_w == w);
        const int wrong = count_differences(&image, &part, whole, w);
        cr_expect_eq(wrong, 0, "%s at 1/%d: %d values of %d x %d at %d, %d", name, reduction, wrong, part.w, part.h,
                     part.x, part.y);
    }
    free(whole);
    sq_image_clear(&image);
}

Test(image, parts_of_a_jpeg_are_those_of_the_whole_to_the_bit)
{
    static const int sizes[][2] = {{97, 131}, {64, 64}, {33, 17}, {8, 200}, {201, 9}, {1, 1}};
    sq_rng rng = sq_rng_open(2, SQ_RNG_TEST, 0);
    for (int k = 0; k < JPEG_KINDS; k++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            unsigned long size = 0;
            unsigned char *bytes = make_jpeg(&jpeg_kinds[k], sizes[s][0], sizes[s][1], &size);
            for (int reduction = 1; reduction <= 8; reduction *= 2)
                check_parts(jpeg_kinds[k].name, bytes, size, reduction, 12, &rng);
            free(bytes);
        }
}

Test(image, a_cut_jpeg_is_refused_wherever_the_part_lies)
{
    sq_image image = {0};
    const sq_image_region top = {0, 0, 4, 4, 1};
    unsigned long size = 0;
    for (int k = 0; k < JPEG_KINDS; k++) {
        unsigned char *bytes = make_jpeg(&jpeg_kinds[k], 64, 64, &size);
        MUST(sq_image_decode_region(&image, bytes, size, "whole.jpg", limit, &top));
        for (unsigned long cut = size - 1; cut > size / 2; cut -= 7)
            cr_expect_eq(sq_image_decode_region(&image, bytes, cut, "cut.jpg", limit, &top), SQ_DATA, "%s cut to %lu",
                         jpeg_kinds[k].name, cut);
        cr_expect_not_null(strstr(sq_error_text(), "cut.jpg"));
        free(bytes);
    }
    sq_image_clear(&image);
}

Test(image, other_formats_come_whole)
{
    static const char *const names[] = {"rgb.png", "palette.gif", "rgb.bmp", "cmyk.jpg"};
    const sq_image_region part = {3, 5, 10, 9, 2};
    sq_image image = {0}, whole = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[512], *bytes = NULL;
        size_t size = 0;
        int h = 0, w = 0;
        (void)snprintf(path, sizeof path, "%s/%s", SOURCE("tests/fixtures/images"), names[i]);
        MUST(sq_file_read(path, 1 << 20, &bytes, &size));
        MUST(sq_image_size(bytes, size, names[i], limit, &h, &w));
        MUST(sq_image_decode_region(&image, bytes, size, names[i], limit, &part));
        MUST(sq_image_decode(&whole, bytes, size, names[i], limit));
        cr_expect(h == 24 && w == 32 && image.h == 24 && image.w == 32 && image.reduction == 1 && image.whole_w == 32);
        cr_expect_eq(memcmp(image.pixels, whole.pixels, (size_t)24 * 32 * 3), 0, "%s", names[i]);
        free(bytes);
    }
    sq_image_clear(&image);
    sq_image_clear(&whole);
}

Test(image, parts_outside_are_refused)
{
    unsigned long size = 0;
    unsigned char *bytes = make_jpeg(&jpeg_kinds[2], 40, 30, &size);
    const sq_image_region below = {30, 0, 11, 4, 1}, right = {0, 15, 4, 16, 1}, reduced = {0, 0, 21, 15, 2};
    sq_image image = {0};
    cr_expect_eq(sq_image_decode_region(&image, bytes, size, "a.jpg", limit, &below), SQ_DATA);
    cr_expect_eq(sq_image_decode_region(&image, bytes, size, "a.jpg", limit, &right), SQ_DATA);
    cr_expect_eq(sq_image_decode_region(&image, bytes, size, "a.jpg", limit, &reduced), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "a.jpg: 15 x 20 pixels"), "%s", sq_error_text());
    free(bytes);
    sq_image_clear(&image);
}

Test(image, parts_of_imagenet_originals_are_those_of_the_whole)
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
        check_parts(sq_dataset_name(d, i), bytes, size, 1, 2, &rng);
        check_parts(sq_dataset_name(d, i), bytes, size, 2, 1, &rng);
    }
    free(bytes);
    sq_dataset_close(d);
}
