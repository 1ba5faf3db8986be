/* Packed shards: what is packed reads back equal and in the same order; what is damaged is told. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/decode/stb.h"
#include "data/pack/pack.h"
#include "data/sources/shard.h"
#include "kernels/base/file.h"
#include "tests/data/pack_support.h"
#include "tests/data/seal.h"
#include "tests/support/support.h"

/* ---- Memory that ends: this program's malloc refuses large blocks while a test asks for it ---- */

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
#define REFUSES_MEMORY 1
extern void *__libc_malloc(size_t);
static size_t largest_block; /* 0: any */

void *malloc(size_t bytes)
{
    return largest_block && bytes > largest_block ? NULL : __libc_malloc(bytes);
}
#else
#define REFUSES_MEMORY 0
static size_t largest_block;
#endif

Test(pack, a_jpeg_that_finds_no_memory_is_told)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    sq_image image = {.pixels = malloc(96 * 96 * 3), .h = 96, .w = 96};
    if (!REFUSES_MEMORY)
        cr_skip_test("a sanitizer has malloc");
    for (int i = 0; i < 96 * 96 * 3; i++)
        image.pixels[i] = (uint8_t)(i * 7919 >> 3);
    largest_block = 10000;
    const sq_status status = sq_image_encode_jpeg(&image, 100, "noise", &bytes, &size);
    largest_block = 0;
    cr_expect_eq(status, SQ_NO_MEMORY);
    cr_expect_null(bytes);
    cr_expect_not_null(strstr(sq_error_text(), "noise: "), "%s", sq_error_text());
    free(image.pixels);
}

Test(pack, samples_read_back_equal_and_mapped)
{
    char *folder = make_folder();
    sq_dataset *a = NULL, *b = NULL;
    MUST(sq_dataset_open(&a, SOURCE("data/samples"), "train"));
    pack_small(a, folder, "train", (sq_pack_options){.threads = 3, .shard_bytes = 50000});
    MUST(sq_dataset_open(&b, folder, "train"));
    expect_same(a, b);
    for (size_t i = 0; i < sq_dataset_count(b); i++) {
        size_t size = 0, capacity = 0, read = 0;
        void *bytes = NULL;
        int h, w;
        const void *view = sq_dataset_view(b, i, &size);
        cr_assert_not_null(view, "%s", sq_error_text());
        cr_expect_null(sq_dataset_view(a, i, &size));
        cr_expect_not(sq_dataset_is_raw(b, i, &h, &w));
        MUST(sq_dataset_read(b, i, &bytes, &capacity, &read));
        cr_expect(read == size && memcmp(bytes, view, size) == 0);
        free(bytes);
    }
    cr_expect_eq(sq_dataset_open(&b, folder, "val"), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "no shards of val"), "%s", sq_error_text());
    sq_dataset_close(a);
    sq_dataset_close(b);
    drop_folder(folder);
}

Test(pack, hold_out_and_class_limit_are_those_of_the_source)
{
    char *folder = make_folder();
    sq_dataset *whole[2] = {NULL}, *few[2] = {NULL}, *rest[2] = {NULL};
    MUST(sq_dataset_open(&whole[0], SOURCE("data/samples"), "val"));
    pack_small(whole[0], folder, "val", (sq_pack_options){.threads = 1, .shard_bytes = 20000});
    MUST(sq_dataset_open(&whole[1], folder, "val"));
    for (int k = 0; k < 2; k++) {
        MUST(sq_dataset_limit_classes(&few[k], whole[k], 7));
        MUST(sq_dataset_hold_out(&rest[k], few[k], 0.2, 9, false));
    }
    cr_expect_eq(sq_dataset_count(rest[0]), 7 * 64);
    expect_same(rest[0], rest[1]);
    for (int k = 0; k < 2; k++) {
        sq_dataset_close(rest[k]);
        sq_dataset_close(few[k]);
        sq_dataset_close(whole[k]);
    }
    drop_folder(folder);
}

Test(pack, files_do_not_depend_on_threads_or_on_being_stopped)
{
    char *folders[2] = {make_folder(), make_folder()};
    sq_dataset *d = NULL;
    MUST(sq_dataset_open(&d, SOURCE("data/samples"), "val"));
    const sq_pack_options one = {.threads = 1, .shard_bytes = 30000}, many = {.threads = 4, .shard_bytes = 30000};
    pack_small(d, folders[0], "val", one);
    sq_pack_options stopped = many;
    stopped.is_stopped = stop_at_once;
    cr_expect_eq(sq_pack(d, folders[1], "val", &stopped), SQ_INTERRUPTED);
    cr_expect_not_null(strstr(sq_error_text(), "the same command goes on"), "%s", sq_error_text());
    pack_small(d, folders[1], "val", many);
    expect_same_files(folders[0], folders[1]);
    char path[700];
    struct stat before, after;
    MUST(sq_shard_make_path(path, sizeof path, folders[0], "val", 1));
    cr_assert_eq(stat(path, &before), 0);
    cr_assert_eq(unlink(shard_file(folders[0], "val", 0)), 0);
    pack_small(d, folders[0], "val", one);
    cr_assert_eq(stat(path, &after), 0);
    cr_expect_eq(before.st_ino, after.st_ino, "a finished shard was written again");
    expect_same_files(folders[0], folders[1]);
    sq_dataset_close(d);
    drop_folder(folders[0]);
    drop_folder(folders[1]);
}

static sq_pack_progress last_told;

static void tell(void *context, const sq_pack_progress *progress)
{
    (void)context;
    last_told = *progress;
}

/* A rate and the time that is left are of what this process packs. */
Test(pack, images_that_were_there_already_are_told_apart)
{
    char *folder = make_folder();
    sq_dataset *d = NULL;
    MUST(sq_dataset_open(&d, SOURCE("data/samples"), "val"));
    const sq_pack_options options = {.threads = 2, .shard_bytes = 30000, .tell = tell};
    pack_small(d, folder, "val", options);
    cr_expect(last_told.images == sq_dataset_count(d) && last_told.found_count == 0 && last_told.shards > 2);
    cr_assert_eq(unlink(shard_file(folder, "val", 0)), 0);
    pack_small(d, folder, "val", options);
    cr_expect(last_told.images == sq_dataset_count(d));
    cr_expect(last_told.found_count > 0 && last_told.found_count < sq_dataset_count(d));
    sq_dataset_close(d);
    drop_folder(folder);
}

Test(pack, raw_and_smaller_images_are_whole_or_cropped)
{
    static const struct {
        sq_pack_options options;
        int h, w; /* of pattern.png, 120 x 100 */
    } rows[] = {{{.side = 40, .quality = 95}, 40, 48},
                {{.side = 40, .is_raw = true}, 40, 48},
                {{.side = 40, .is_raw = true, .is_cropped = true}, 40, 40},
                {{.side = 40, .is_cropped = true, .quality = 95}, 40, 40},
                {{.side = 110, .is_raw = true, .is_cropped = true}, 100, 110},
                {{.side = 200, .is_raw = true}, 100, 120},
                {{.side = 200, .quality = 95}, 100, 120}};
    char *folder = make_folder();
    sq_image image = {0}, fitted = {0};
    copy_image(folder, "set/train/a/1.png", "pattern.png");
    sq_dataset *source = open_in(folder, "set", "train");
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        char name[32], path[700];
        int h = 0, w = 0;
        size_t size = 0;
        (void)snprintf(name, sizeof name, "packed-%zu", k);
        (void)snprintf(path, sizeof path, "%s/%s", folder, name);
        pack_small(source, path, "train", rows[k].options);
        sq_dataset *d = open_in(folder, name, "train");
        const uint8_t *bytes = sq_dataset_view(d, 0, &size);
        cr_expect_eq(sq_dataset_is_raw(d, 0, &h, &w), rows[k].options.is_raw);
        decode_fixture(&image, "pattern.png");
        MUST(sq_image_fit(&fitted, &image, rows[k].options.side, rows[k].options.is_cropped));
        const size_t wanted = (size_t)rows[k].h * (size_t)rows[k].w * 3;
        cr_expect(fitted.h == rows[k].h && fitted.w == rows[k].w, "%zu: %d x %d", k, fitted.w, fitted.h);
        if (rows[k].options.is_raw)
            cr_expect(h == rows[k].h && w == rows[k].w && size == wanted && memcmp(bytes, fitted.pixels, size) == 0);
        else { /* as it was where it is small enough; else JPEG */
            MUST(sq_image_decode(&image, bytes, size, "packed", 1 << 24));
            cr_expect(image.h == rows[k].h && image.w == rows[k].w, "%zu: %d x %d", k, image.w, image.h);
            /* Quality 95 has steps of at most 12 in luma (a tenth of 121, T.81 table K.1): an error of 12 / sqrt(12).
             */
            cr_expect_lt(brightness_difference(image.pixels, fitted.pixels, wanted),
                         rows[k].options.side == 200 ? 1e-9 : 4.0);
        }
        sq_dataset_close(d);
    }
    sq_dataset_close(source);
    sq_image_clear(&image);
    sq_image_clear(&fitted);
    drop_folder(folder);
}

/* A checkerboard of single pixels becomes its mean, a constant stays: the filter covers what it leaves out. */
Test(pack, shrinking_averages)
{
    sq_image image = {.pixels = malloc(64 * 96 * 3), .capacity = 64 * 96 * 3, .h = 64, .w = 96}, out = {0};
    for (int i = 0; i < 64 * 96; i++) {
        image.pixels[3 * i] = (i / 96 + i % 96) % 2 ? 200 : 100;
        image.pixels[3 * i + 1] = 77;
        image.pixels[3 * i + 2] = (uint8_t)(i % 96 * 2); /* a ramp keeps its slope */
    }
    MUST(sq_image_fit(&out, &image, 16, false));
    cr_assert(out.h == 16 && out.w == 24);
    for (int y = 0; y < 16; y++)
        for (int x = 0; x < 24; x++) {
            const uint8_t *p = out.pixels + 3 * (y * 24 + x);
            const bool is_corner = (x == 0 || x == 23) && (y == 0 || y == 15); /* repeated edges weigh more */
            cr_expect(abs(p[0] - 150) <= 1 + is_corner && p[1] == 77, "%d %d: %d %d", x, y, p[0], p[1]);
            if (x > 1 && x < 22) /* the middle of pixels 4x .. 4x+3 */
                cr_expect(abs(p[2] - (8 * x + 3)) <= 1, "%d: %d", x, p[2]);
        }
    sq_image_clear(&image);
    sq_image_clear(&out);
}

/* One dimension of it by its definition: weights 1 - |distance| / scale, that sum to 1. */
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

Test(pack, shrinking_by_odd_ratios_follows_the_definition)
{
    static const struct {
        int from, to;
    } rows[] = {{28, 20}, {29, 28}, {100, 99}, {375, 256}, {500, 341}, {97, 13}, {31, 2}};
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        const int from = rows[k].from, to = rows[k].to;
        uint8_t pixels[500 * 3], row[500], out[500 * 3];
        for (int i = 0; i < from; i++)
            pixels[3 * i] = pixels[3 * i + 1] = pixels[3 * i + 2] = row[i] = (uint8_t)(i * 89 % 256);
        cr_assert(sq_stb_resize(pixels, 1, from, out, 1, to));
        const int edge = 1 + (to > from / 2); /* a filter's reach in output pixels: edges are repeated beyond */
        for (int x = edge; x < to - edge; x++)
            cr_expect(fabs(out[3 * x] - triangle(row, from, to, x)) <= 1, "%d to %d at %d: %d, wanted %g", from, to, x,
                      out[3 * x], triangle(row, from, to, x));
    }
}

/* Pillow's BILINEAR of the whole pattern to 16 x 16; made by tests/oracle/make_images.py. */
Test(pack, shrinking_is_pillows_inside_within_one_grey_level)
{
    sq_image image = {0};
    uint8_t out[16 * 16 * 3];
    char *wanted = NULL;
    size_t size = 0;
    int worst = 0;
    decode_fixture(&image, "pattern.png");
    MUST(sq_file_read(SOURCE("tests/fixtures/images/resize_whole.raw"), 1 << 16, &wanted, &size));
    cr_assert_eq(size, sizeof out);
    cr_assert(sq_stb_resize(image.pixels, image.h, image.w, out, 16, 16));
    for (size_t i = 0; i < size; i++) {
        const size_t x = i / 3 % 16, y = i / 48;
        if (x > 0 && x < 15 && y > 0 && y < 15) /* Pillow leaves out what lies beyond an edge, stb repeats the edge */
            worst = abs(out[i] - (uint8_t)wanted[i]) > worst ? abs(out[i] - (uint8_t)wanted[i]) : worst;
    }
    cr_expect_leq(worst, 1, "%d grey levels", worst);
    free(wanted);
    sq_image_clear(&image);
}

Test(pack, odd_images_are_counted_and_listed)
{
    char *folder = make_folder(), path[700], list[700], *text = NULL;
    size_t bytes = 0;
    for (int i = 0; i < 5; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "set/train/a/plain-%d.jpg", i);
        copy_image(folder, name, "rgb.jpg");
    }
    copy_image(folder, "set/train/a/cmyk.jpg", "cmyk.jpg");
    copy_image(folder, "set/train/a/grey.jpg", "grey.jpg");
    copy_image(folder, "set/train/b/named.JPEG", "png_named.JPEG");
    copy_rotated(folder, "set/train/b/rotated.jpg", 6);
    copy_rotated(folder, "set/train/b/upright.jpg", 1);
    put_text(folder, "set/train/b/zero.jpg", "");
    copy_cut(folder, "set/train/b/cut.jpg", "rgb.jpg");
    copy_bomb(folder, "set/train/b/bomb.png");
    sq_dataset *d = open_in(folder, "set", "train");
    (void)snprintf(path, sizeof path, "%s/packed", folder);
    (void)snprintf(list, sizeof list, "%s/odd.txt", folder);
    pack_small(d, path, "train", (sq_pack_options){.max_bad = 3});
    sq_pack_summary s;
    MUST(sq_pack_summarise(&s, path, "train", list));
    cr_expect(s.images == 13 && s.classes == 2 && s.shards == 1);
    cr_expect(s.formats[SQ_FORMAT_JPEG] == 10 && s.formats[SQ_FORMAT_PNG] == 2 && s.formats[SQ_FORMAT_UNKNOWN] == 1);
    cr_expect(s.cmyk == 1 && s.grey == 1 && s.rotated == 1 && s.bad == 3 && s.recoded == 0, "bad %d", (int)s.bad);
    MUST(sq_file_read(list, 1 << 16, &text, &bytes));
    static const char *const lines[] = {"CMYK\ta/cmyk.jpg\n",        "grey\ta/grey.jpg\n",
                                        "PNG\tb/named.JPEG\n",       "EXIF-rotated\tb/rotated.jpg\n",
                                        "undecodable\tb/zero.jpg\n", "undecodable\tb/cut.jpg\n",
                                        "undecodable\tb/bomb.png\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        cr_expect_not_null(strstr(text, lines[i]), "no %s in\n%s", lines[i], text);
    cr_expect_null(strstr(text, "upright"));
    cr_expect_null(strstr(text, "plain"));
    free(text);
    sq_dataset *packed = open_in(folder, "packed", "train");
    expect_same(d, packed); /* the undecodable ones too, and where they are */
    sq_dataset_close(packed);
    for (int k = 0; k < 2; k++) { /* raw: what cannot be decoded is kept as it is */
        (void)snprintf(path, sizeof path, "%s/raw", folder);
        sq_pack_options options = {.side = 16, .is_raw = true, .max_bad = k == 0 ? 2 : 3};
        if (k == 0) {
            cr_expect_eq(sq_pack(d, path, "train", &options), SQ_DATA);
            cr_expect_not_null(strstr(sq_error_text(), "3 images cannot be decoded, at most 2"), "%s", sq_error_text());
        } else {
            MUST(sq_pack(d, path, "train", &options));
            MUST(sq_pack_summarise(&s, path, "train", NULL));
            cr_expect(s.images == 13 && s.raw == 10 && s.bad == 3);
        }
    }
    sq_dataset_close(d);
    drop_folder(folder);
}

Test(pack, hundred_megapixels_are_packed_and_larger_ones_are_bad)
{
    char *folder = make_folder(), path[700];
    unsigned char *jpeg = NULL;
    size_t size = 0;
    int h = 0, w = 0;
    sq_image image = {.pixels = calloc(10000u * 10000u, 3), .h = 10000, .w = 10000};
    cr_assert_not_null(image.pixels);
    MUST(sq_image_encode_jpeg(&image, 30, "large", &jpeg, &size));
    sq_image_clear(&image);
    put_bytes(folder, "set/train/a/large.jpg", jpeg, size);
    free(jpeg);
    sq_dataset *d = open_in(folder, "set", "train");
    (void)snprintf(path, sizeof path, "%s/packed", folder);
    pack_small(d, path, "train", (sq_pack_options){.side = 32, .is_raw = true});
    sq_dataset *packed = open_in(folder, "packed", "train");
    cr_expect(sq_dataset_is_raw(packed, 0, &h, &w) && h == 32 && w == 32);
    sq_dataset_close(packed);
    (void)snprintf(path, sizeof path, "%s/refused", folder);
    cr_expect_eq(sq_pack(d, path, "train", &(sq_pack_options){.side = 32, .is_raw = true, .max_pixels = 99999999}),
                 SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "10000 x 10000 pixels, wanted 1..99999999"), "%s", sq_error_text());
    sq_dataset_close(d);
    drop_folder(folder);
}

Test(pack, names_of_any_bytes_stay)
{
    char *folder = make_folder(), path[700];
    copy_image(folder, "set/train/caf\xe9/\xff\xfe 1.png", "rgb.png");
    copy_image(folder, "set/train/caf\xe9/b\n.png", "rgb.png");
    copy_image(folder, "set/train/\xe7\x8c\xab/1.png", "rgb.png");
    sq_dataset *d = open_in(folder, "set", "train");
    (void)snprintf(path, sizeof path, "%s/packed", folder);
    pack_small(d, path, "train", (sq_pack_options){0});
    sq_dataset *packed = open_in(folder, "packed", "train");
    expect_same(d, packed);
    cr_expect_str_eq(sq_dataset_class(packed, 0), "caf\xe9");
    cr_expect_str_eq(sq_dataset_inner_name(packed, 1), "\xff\xfe 1.png");
    sq_dataset_close(d);
    sq_dataset_close(packed);
    drop_folder(folder);
}

/* ---- What stops a pack ---- */

Test(pack, a_full_disk_leaves_no_shard)
{
    char *folder = make_folder();
    sq_dataset *d = NULL;
    MUST(sq_dataset_open(&d, SOURCE("data/samples"), "val"));
    limit_file_size(20000);
    cr_expect_eq(sq_pack(d, folder, "val", &(sq_pack_options){.threads = 1, .shard_bytes = 100000}), SQ_IO);
    cr_expect_not_null(strstr(sq_error_text(), "val-00000.shard: File too large"), "%s", sq_error_text());
    cr_expect_eq(count_files(folder), 0);
    sq_dataset_close(d);
    drop_folder(folder);
}

Test(pack, what_changes_while_it_is_read_is_named)
{
    static const char *const texts[] = {"", "longer than it was when it was listed"};
    char *folder = make_folder(), path[700], image[700];
    (void)snprintf(path, sizeof path, "%s/packed", folder);
    (void)snprintf(image, sizeof image, "%s/set/train/a/1.png", folder);
    for (int k = 0; k < 3; k++) {
        put_text(folder, "set/train/a/1.png", "as it is listed");
        sq_dataset *d = open_in(folder, "set", "train");
        if (k == 2)
            cr_assert_eq(unlink(image), 0);
        else
            put_text(folder, "set/train/a/1.png", texts[k]);
        cr_expect_eq(sq_pack(d, path, "train", &(sq_pack_options){.max_bad = 9}), SQ_DATA);
        cr_expect_not_null(strstr(sq_error_text(), k == 2   ? "1.png: No such file"
                                                   : k == 1 ? "1.png: has 37 bytes, had 15 when it was listed"
                                                            : "1.png: has 0 bytes, had 15"),
                           "%s", sq_error_text());
        cr_expect_eq(count_files(path), 0);
        sq_dataset_close(d);
    }
    drop_folder(folder);
}

Test(pack, a_name_twice_in_a_class_is_refused)
{
    char *folder = make_folder(), command[2048];
    sq_dataset *d = NULL;
    put_text(folder, "set/train/a/1.png", "one");
    (void)snprintf(command, sizeof command,
                   "cd %s && tar -cf x.tar -C set train && tar -cf y.tar -C set ./train && rm -r set", folder);
    cr_assert_eq(system(command), 0);
    MUST(sq_dataset_open(&d, folder, "train"));
    cr_expect_eq(sq_pack(d, folder, "train", &(sq_pack_options){.max_bad = 9}), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "class a has the name 1.png twice: "), "%s", sq_error_text());
    cr_expect_not_null(strstr(sq_error_text(), "y.tar:./train/a/1.png"), "%s", sq_error_text());
    sq_dataset_close(d);
    drop_folder(folder);
}

Test(pack, another_packs_place_is_refused)
{
    char *folder = make_folder();
    sq_dataset *d = NULL;
    MUST(sq_dataset_open(&d, SOURCE("data/samples"), "val"));
    pack_small(d, folder, "val", (sq_pack_options){.threads = 1});
    const sq_pack_options others[] = {{.side = 20, .quality = 90}, {.shard_bytes = 1 << 16}, {.is_unchecked = true}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        cr_expect_eq(sq_pack(d, folder, "val", &others[i]), SQ_INVALID, "%zu", i);
        cr_expect_not_null(strstr(sq_error_text(), "val-00000.shard: a shard of other images or options"), "%s",
                           sq_error_text());
    }
    const int file = open_folder(folder);
    cr_assert_eq(flock(file, LOCK_EX), 0);
    cr_expect_eq(sq_pack(d, folder, "val", &(sq_pack_options){.threads = 1}), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "another process packs there"), "%s", sq_error_text());
    cr_assert_eq(close(file), 0);
    cr_expect_eq(sq_pack(d, folder, "val", &(sq_pack_options){.is_raw = true}), SQ_INVALID);
    cr_expect_eq(sq_pack(d, folder, "val", &(sq_pack_options){.side = 9, .quality = 101}), SQ_INVALID);
    sq_dataset_close(d);
    drop_folder(folder);
}
