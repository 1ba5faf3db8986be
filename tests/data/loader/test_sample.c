/* Tests that samples equal Pillow's within one grey level. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/decode/decode.h"
#include "data/loader/sample.h"
#include "kernels/base/file.h"
#include "kernels/graph.h"
#include "tests/data/jpegs.h"
#include "tests/data/pillow.h"
#include "tests/support/support.h"

enum { SIDE = 20, PIXELS = SIDE * SIDE * 3 };

/* Makes a sample of image 0 and returns its crop. */
static sq_crop make_sample(const sq_dataset *d, const sq_transform *t, sq_decode_mode decode, uint64_t epoch,
                           uint8_t *pixels)
{
    sq_sample_workspace workspace = {0};
    float augment[SQ_AUGMENT_COUNT];
    int h = 0, w = 0;
    void *bytes = NULL;
    size_t capacity = 0, size = 0;
    const sq_sample_source source = {.dataset = d, .transform = t, .decode = decode, .seed = 3, .max_pixels = 1 << 24};
    MUST(sq_sample_make(&source, &workspace, (sq_sample_id){0, epoch}, pixels, augment));
    MUST(sq_dataset_read(d, 0, &bytes, &capacity, &size));
    MUST(sq_image_read_size(&(sq_encoded_image){bytes, size, "a.jpg", 1 << 24}, &h, &w));
    sq_rng rng = sq_rng_open(3, SQ_RNG_AUGMENT, epoch << 40);
    sq_sample_clear(&workspace);
    free(bytes);
    return t->is_augmented ? sq_transform_crop(t, h, w, &rng) : sq_transform_centre(t, h, w);
}

static int worst_of(const uint8_t *a, const uint8_t *b)
{
    int worst = 0;
    for (int i = 0; i < PIXELS; i++)
        worst = abs(a[i] - b[i]) > worst ? abs(a[i] - b[i]) : worst;
    return worst;
}

/* Expects a sample of the data set's only image to equal Pillow's, and returns the reduction. In mode exact, Pillow's
 * sample is Image.crop, then Image.resize. In mode draft, it is Image.draft, then Image.resize; the box of this resize
 * is the crop divided by the reduction. */
static int compare_with_pillow(const sq_dataset *d, const sq_encoded_image *jpeg, sq_decode_mode mode, uint64_t epoch)
{
    uint8_t ours[PIXELS], pillows[PIXELS];
    int h, w;
    sq_transform t = augmenting_transform(SIDE);
    t.area_min = 0.003;
    const sq_crop crop = make_sample(d, &t, mode, epoch, ours);
    const int by = sq_sample_reduction(&t, mode, crop);
    uint8_t *whole = decode_reduced(jpeg->bytes, jpeg->size, by, &h, &w);
    if (by == 1)
        pillow_crop_resize(whole, w, crop, SIDE, pillows);
    else
        pillow_resize(&(sq_pixels){whole, 0, 0, h, w, h, w},
                      (sq_crop){crop.x / by, crop.y / by, crop.w / by, crop.h / by, false}, SIDE, pillows);
    cr_expect_leq(worst_of(ours, pillows), 1, "%s, %s, 1/%d", jpeg->name, sq_decode_mode_name(mode), by);
    free(whole);
    return by;
}

Test(sample, equals_pillow_within_one_grey_level)
{
    int reductions[9] = {0};
    for (int k = 0; k < JPEG_KINDS; k++) {
        char *folder = make_folder();
        unsigned long size = 0;
        sq_dataset *d = NULL;
        unsigned char *bytes = make_jpeg(&jpeg_kinds[k], 190 + k, 237 - k, &size);
        const sq_encoded_image jpeg = {bytes, size, jpeg_kinds[k].name, 0};
        put_bytes(folder, "train/c/a.jpg", bytes, size);
        MUST(sq_dataset_open(&d, folder, "train"));
        for (uint64_t epoch = 0; epoch < 32; epoch++) {
            cr_expect_eq(compare_with_pillow(d, &jpeg, SQ_DECODE_EXACT, epoch), 1);
            reductions[compare_with_pillow(d, &jpeg, SQ_DECODE_DRAFT, epoch)]++;
        }
        free(bytes);
        sq_dataset_close(d);
        drop_folder(folder);
    }
    cr_expect(reductions[1] > 0 && reductions[2] > 0 && reductions[4] > 0 && reductions[8] > 0);
}

Test(sample, evaluation_is_exact_for_every_decode_mode)
{
    char *folder = make_folder();
    unsigned long size = 0;
    int h, w;
    sq_dataset *d = NULL;
    uint8_t exact[PIXELS], draft[PIXELS], pillows[PIXELS];
    const sq_transform t = {.resolution = SIDE, .crop_fraction = 0.875};
    unsigned char *jpeg = make_jpeg(&jpeg_kinds[2], 300, 220, &size);
    put_bytes(folder, "train/c/a.jpg", jpeg, size);
    MUST(sq_dataset_open(&d, folder, "train"));
    const sq_crop crop = make_sample(d, &t, SQ_DECODE_EXACT, 0, exact);
    (void)make_sample(d, &t, SQ_DECODE_DRAFT, 0, draft);
    cr_expect_eq(memcmp(exact, draft, sizeof exact), 0);
    uint8_t *whole = decode_reduced(jpeg, size, 1, &h, &w);
    pillow_resize(&(sq_pixels){whole, 0, 0, h, w, h, w}, crop, SIDE, pillows);
    cr_expect_leq(worst_of(exact, pillows), 1);
    free(whole);
    free(jpeg);
    sq_dataset_close(d);
    drop_folder(folder);
}

/* The expected values are Pillow's results for a gradient image, from tests/oracle/make_images.py. */
Test(sample, resizing_equals_pillow_within_one_grey_level)
{
    static const struct {
        const char *name;
        sq_crop crop;
        int side;
    } rows[] = {
        {"resize_down.raw", {5, 3, 90, 70, true}, 24},
        {"resize_up.raw", {10, 10, 9, 11, true}, 24},
        {"resize_whole.raw", {0, 0, 120, 100, true}, 16},
    };
    sq_image image = {0};
    char *bytes = NULL;
    size_t size = 0;
    sq_resizer resizer = {0};
    MUST(sq_file_read(SOURCE("tests/fixtures/images/pattern.png"), 1 << 22, &bytes, &size));
    MUST(sq_image_decode(&image, &(sq_encoded_image){bytes, size, "pattern.png", 1 << 24}));
    free(bytes);
    for (int i = 0; i < 3; i++) {
        char path[512], *expected = NULL;
        uint8_t out[24 * 24 * 3];
        int worst = 0;
        (void)snprintf(path, sizeof path, "%s/%s", SOURCE("tests/fixtures/images"), rows[i].name);
        MUST(sq_file_read(path, 1 << 20, &expected, &size));
        cr_assert_eq(size, (size_t)rows[i].side * (size_t)rows[i].side * 3);
        const sq_pixels from = {image.pixels, 0, 0, image.h, image.w, image.h, image.w};
        MUST(sq_resize(&resizer, &from, rows[i].crop, rows[i].side, out));
        for (size_t j = 0; j < size; j++)
            worst = abs(out[j] - (uint8_t)expected[j]) > worst ? abs(out[j] - (uint8_t)expected[j]) : worst;
        cr_expect_leq(worst, 1, "%s: %d grey levels", rows[i].name, worst);
        free(expected);
    }
    sq_resizer_clear(&resizer);
    sq_image_clear(&image);
}

Test(sample, modes_and_stages_have_names)
{
    for (int mode = 0; mode < SQ_DECODE_MODES; mode++)
        cr_expect_not_null(sq_decode_mode_name((sq_decode_mode)mode));
    cr_expect_str_eq(sq_sample_stage_name(SQ_STAGE_RESIZE), "resize");
}
