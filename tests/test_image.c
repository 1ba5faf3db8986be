/* Parts of images: to the bit what the whole decodes to; damage; the fuzzer's corpus. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jpeglib.h>

#include "data/sample.h"
#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "tests/fuzz_image.h"
#include "tests/support.h"

static const size_t limit = 1 << 26;

/* ---- JPEGs of every kind ---- */

typedef struct {
    const char *name;
    int components, h_factor, v_factor; /* of luma against chroma */
    bool is_progressive;
    int restart_rows;
} jpeg_kind;

static const jpeg_kind kinds[] = {
    {"4:4:4", 3, 1, 1, false, 0},
    {"4:2:2", 3, 2, 1, false, 0},
    {"4:2:0", 3, 2, 2, false, 0},
    {"4:4:0", 3, 1, 2, false, 0},
    {"4:1:1", 3, 4, 1, false, 0},
    {"4:1:0", 3, 4, 2, false, 0},
    {"grey", 1, 1, 1, false, 0},
    {"grey 2x2", 1, 2, 2, false, 0},
    {"progressive 4:2:0", 3, 2, 2, true, 0},
    {"progressive 4:4:4", 3, 1, 1, true, 0},
    {"4:2:0 restarts", 3, 2, 2, false, 1},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* A pattern with edges and noise, so that a wrong neighbour shows. */
static uint8_t *draw_pattern(int h, int w, int components, uint64_t number)
{
    uint8_t *pixels = malloc((size_t)h * (size_t)w * (size_t)components), *p = pixels;
    sq_rng rng = sq_rng_open(1, SQ_RNG_TEST, number);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int c = 0; c < components; c++)
                *p++ = (uint8_t)((x * (3 + c) + y * (5 - c) + (x / 13 + y / 7) % 2 * 90 + (int)sq_rng_below(&rng, 40)) &
                                 255);
    return pixels;
}

/* Freed with free. */
static unsigned char *make_jpeg(const jpeg_kind *kind, int h, int w, unsigned long *size)
{
    struct jpeg_compress_struct info;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    uint8_t *pixels = draw_pattern(h, w, kind->components, (uint64_t)(h * 1000 + w));
    info.err = jpeg_std_error(&errors);
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &bytes, size);
    info.image_height = (JDIMENSION)h;
    info.image_width = (JDIMENSION)w;
    info.input_components = kind->components;
    info.in_color_space = kind->components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, 92, TRUE);
    info.comp_info[0].h_samp_factor = kind->h_factor;
    info.comp_info[0].v_samp_factor = kind->v_factor;
    info.restart_in_rows = kind->restart_rows;
    if (kind->is_progressive)
        jpeg_simple_progression(&info);
    jpeg_start_compress(&info, TRUE);
    while (info.next_scanline < info.image_height) {
        JSAMPROW row = pixels + (size_t)info.next_scanline * (size_t)w * (size_t)kind->components;
        (void)jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    free(pixels);
    return bytes;
}

/* The whole image at a reduction, by libjpeg-turbo alone: what Pillow's Image.draft gives. */
static uint8_t *decode_reduced(const unsigned char *bytes, unsigned long size, int reduction, int *h, int *w)
{
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr errors;
    info.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&info);
    jpeg_mem_src(&info, bytes, size);
    (void)jpeg_read_header(&info, TRUE);
    info.out_color_space = JCS_RGB;
    info.scale_num = 1;
    info.scale_denom = (unsigned)reduction;
    (void)jpeg_start_decompress(&info);
    *h = (int)info.output_height;
    *w = (int)info.output_width;
    uint8_t *pixels = malloc((size_t)*h * (size_t)*w * 3);
    while (info.output_scanline < info.output_height) {
        JSAMPROW row = pixels + (size_t)info.output_scanline * (size_t)*w * 3;
        (void)jpeg_read_scanlines(&info, &row, 1);
    }
    (void)jpeg_finish_decompress(&info);
    jpeg_destroy_decompress(&info);
    return pixels;
}

static sq_image_part draw_part(int h, int w, int reduction, sq_rng *rng)
{
    sq_image_part part = {.h = 1 + (int)sq_rng_below(rng, (uint32_t)h), .w = 1 + (int)sq_rng_below(rng, (uint32_t)w)};
    part.y = (int)sq_rng_below(rng, (uint32_t)(h - part.h + 1));
    part.x = (int)sq_rng_below(rng, (uint32_t)(w - part.w + 1));
    part.reduction = reduction;
    return part;
}

/* Pixels of the part in `image` that differ from the whole's. */
static int count_differences(const sq_image *image, const sq_image_part *part, const uint8_t *whole, int whole_w)
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
        const sq_image_part part = draw_part(h, w, reduction, rng);
        MUST(sq_image_decode_part(&image, bytes, size, name, limit, &part));
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
    for (int k = 0; k < KINDS; k++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            unsigned long size = 0;
            unsigned char *bytes = make_jpeg(&kinds[k], sizes[s][0], sizes[s][1], &size);
            for (int reduction = 1; reduction <= 8; reduction *= 2)
                check_parts(kinds[k].name, bytes, size, reduction, 12, &rng);
            free(bytes);
        }
}

Test(image, a_cut_jpeg_is_refused_wherever_the_part_lies)
{
    sq_image image = {0};
    const sq_image_part top = {0, 0, 4, 4, 1};
    unsigned long size = 0;
    for (int k = 0; k < KINDS; k++) {
        unsigned char *bytes = make_jpeg(&kinds[k], 64, 64, &size);
        MUST(sq_image_decode_part(&image, bytes, size, "whole.jpg", limit, &top));
        for (unsigned long cut = size - 1; cut > size / 2; cut -= 7)
            cr_expect_eq(sq_image_decode_part(&image, bytes, cut, "cut.jpg", limit, &top), SQ_DATA, "%s cut to %lu",
                         kinds[k].name, cut);
        cr_expect_not_null(strstr(sq_error_text(), "cut.jpg"));
        free(bytes);
    }
    sq_image_clear(&image);
}

Test(image, other_formats_come_whole)
{
    static const char *const names[] = {"rgb.png", "palette.gif", "rgb.bmp", "cmyk.jpg"};
    const sq_image_part part = {3, 5, 10, 9, 2};
    sq_image image = {0}, whole = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[512], *bytes = NULL;
        size_t size = 0;
        int h = 0, w = 0;
        (void)snprintf(path, sizeof path, "%s/%s", SOURCE("tests/fixtures/images"), names[i]);
        MUST(sq_file_read(path, 1 << 20, &bytes, &size));
        MUST(sq_image_size(bytes, size, names[i], limit, &h, &w));
        MUST(sq_image_decode_part(&image, bytes, size, names[i], limit, &part));
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
    unsigned char *bytes = make_jpeg(&kinds[2], 40, 30, &size);
    const sq_image_part below = {30, 0, 11, 4, 1}, right = {0, 15, 4, 16, 1}, reduced = {0, 0, 21, 15, 2};
    sq_image image = {0};
    cr_expect_eq(sq_image_decode_part(&image, bytes, size, "a.jpg", limit, &below), SQ_DATA);
    cr_expect_eq(sq_image_decode_part(&image, bytes, size, "a.jpg", limit, &right), SQ_DATA);
    cr_expect_eq(sq_image_decode_part(&image, bytes, size, "a.jpg", limit, &reduced), SQ_DATA);
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

/* ---- The fuzzer's corpus ---- */

Test(image, the_fuzzers_corpus_is_read_or_refused)
{
    const char *const folder = SOURCE("tests/fixtures/fuzz_image");
    DIR *list = opendir(folder);
    int count = 0;
    cr_assert_not_null(list, "%s", folder);
    for (struct dirent *e = readdir(list); e; e = readdir(list)) {
        char path[1024], *text = NULL;
        size_t size = 0;
        if (e->d_name[0] == '.')
            continue;
        cr_assert(sq_text_path(path, sizeof path, folder, e->d_name));
        MUST(sq_file_read(path, 1 << 20, &text, &size));
        uint8_t *own = malloc(size + !size); /* its own block, so that a read past its end is seen */
        memcpy(own, text, size);
        fuzz_image(own, size);
        free(own);
        free(text);
        count++;
    }
    (void)closedir(list);
    cr_expect_geq(count, 20);
}
