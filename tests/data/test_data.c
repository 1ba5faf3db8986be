/* Images in: formats, damage, folders, tars, crops, the loader's order. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/loader/loader.h"
#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "tests/support/support.h"

static const size_t limit = 1 << 24;

/* The fixtures' formats and what their pixel in the middle must be, within JPEG's tolerance
 * (tests/oracle/make_images.py). */
Test(data, every_format_decodes_to_rgb)
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
        MUST(sq_image_decode(&image, bytes, size, rows[i].name, limit));
        cr_expect(image.h == rows[i].h && image.w == rows[i].w, "%s: %d x %d", rows[i].name, image.w, image.h);
        const uint8_t *p = image.pixels + ((size_t)(image.h / 2) * (size_t)image.w + (size_t)(image.w / 2)) * 3;
        cr_expect(abs(p[0] - rows[i].r) <= rows[i].tolerance && abs(p[1] - rows[i].g) <= rows[i].tolerance &&
                      abs(p[2] - rows[i].b) <= rows[i].tolerance,
                  "%s: %d %d %d", rows[i].name, p[0], p[1], p[2]);
        free(bytes);
    }
    sq_image_clear(&image);
}

Test(data, damage_is_told_and_never_crashes)
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
            char *cut = malloc(length + 1); /* its own block, so that a read past its end is seen */
            memcpy(cut, bytes, length);
            const sq_status status = sq_image_decode(&image, cut, length, names[i], limit);
            cr_expect(status == SQ_OK || status == SQ_DATA, "%s cut to %zu: %d", names[i], length, (int)status);
            bad += status == SQ_DATA;
            free(cut);
        }
        if (i < 4) /* stb_image takes what there is of a GIF or BMP */
            cr_expect_gt(bad, (int)size / 2, "%s: only %d of %zu cuts are seen", names[i], bad, size);
        free(bytes);
    }
    cr_expect_eq(sq_image_decode(&image, "hello", 5, "text.jpg", limit), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "text.jpg"));
    sq_image_clear(&image);
}

Test(data, image_bombs_are_refused_before_memory_is_taken)
{
    sq_image image = {0};
    char *bytes = NULL;
    size_t size = 0;
    MUST(sq_file_read(SOURCE("tests/fixtures/images/rgb.png"), 1 << 20, &bytes, &size));
    bytes[16] = 0x7f; /* width: two thousand million */
    cr_expect_eq(sq_image_decode(&image, bytes, size, "bomb.png", limit), SQ_DATA);
    bytes[16] = 0;
    cr_expect_eq(sq_image_decode(&image, bytes, size, "large.png", 24 * 31), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "32 x 24 pixels"));
    free(bytes);
    sq_image_clear(&image);
}

/* ---- Data sets ---- */

Test(data, folders_and_tars_of_the_same_are_the_same)
{
    char *folder = make_folder(), command[1024], tar[600];
    sq_dataset *a = NULL, *b = NULL;
    put_text(folder, "set/train/cat/1.png", "one");
    put_text(folder, "set/train/cat/2.png", "two");
    put_text(folder,
             "set/train/ant/"
             "a-name-that-is-much-longer-than-the-one-hundred-bytes-that-a-plain-tar-header-has-room-for-so-that-an-"
             "extension-is-needed.png",
             "three");
    put_text(folder, "set/train/LICENSE.txt", "not a class");
    put_text(folder, "set/val/cat/3.png", "four");
    (void)snprintf(tar, sizeof tar, "%s/set.tar", folder);
    for (int format = 0; format < 2; format++) {
        (void)snprintf(command, sizeof command, "tar -C %s/set --format=%s -cf %s ./train ./val", folder,
                       format ? "pax" : "gnu", tar);
        cr_assert_eq(system(command), 0);
        (void)snprintf(command, sizeof command, "%s/set", folder);
        MUST(sq_dataset_open(&a, command, "train"));
        MUST(sq_dataset_open(&b, tar, "train"));
        cr_assert_eq(sq_dataset_count(a), 3);
        cr_assert_eq(sq_dataset_count(b), 3);
        cr_expect_str_eq(sq_dataset_class(a, 0), "ant");
        for (size_t i = 0; i < 3; i++) {
            void *x = NULL, *y = NULL;
            size_t cx = 0, cy = 0, sx = 0, sy = 0;
            MUST(sq_dataset_read(a, i, &x, &cx, &sx));
            MUST(sq_dataset_read(b, i, &y, &cy, &sy));
            cr_expect(sx == sy && memcmp(x, y, sx) == 0 && sq_dataset_label(a, i) == sq_dataset_label(b, i));
            free(x);
            free(y);
        }
        MUST(sq_dataset_same_classes(a, b));
        sq_dataset_close(a);
        sq_dataset_close(b);
    }
    drop_folder(folder);
}

Test(data, unusable_sources_are_named)
{
    char *folder = make_folder(), path[600];
    sq_dataset *d = NULL;
    (void)snprintf(path, sizeof path, "%s/none", folder);
    cr_expect_eq(sq_dataset_open(&d, path, "train"), SQ_DATA);
    put_text(folder, "set/train/cat/1.png", "one");
    (void)snprintf(path, sizeof path, "%s/set/train/empty", folder);
    MUST(sq_folder_make(path));
    (void)snprintf(path, sizeof path, "%s/set", folder);
    cr_expect_eq(sq_dataset_open(&d, path, "train"), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "empty: an empty class folder"), "%s", sq_error_text());
    cr_expect_eq(sq_dataset_open(&d, path, "val"), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "no folder val"), "%s", sq_error_text());
    put_text(folder, "not-a-tar.tar",
             "this is no tar, but it is longer than one block of 512 bytes would be if it were repeated often enough");
    (void)snprintf(path, sizeof path, "%s/not-a-tar.tar", folder);
    cr_expect_eq(sq_dataset_open(&d, path, "train"), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "byte 0"), "%s", sq_error_text());
    drop_folder(folder);
}

Test(data, classes_that_differ_are_named)
{
    char *folder = make_folder(), a[600], b[600];
    sq_dataset *x = NULL, *y = NULL;
    put_text(folder, "a/train/cat/1.png", "1");
    put_text(folder, "a/train/dog/1.png", "1");
    put_text(folder, "b/val/cat/1.png", "1");
    put_text(folder, "b/val/cow/1.png", "1");
    (void)snprintf(a, sizeof a, "%s/a", folder);
    (void)snprintf(b, sizeof b, "%s/b", folder);
    MUST(sq_dataset_open(&x, a, "train"));
    MUST(sq_dataset_open(&y, b, "val"));
    cr_expect_eq(sq_dataset_same_classes(x, y), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "'cow' is only in val"), "%s", sq_error_text());
    sq_dataset_close(x);
    sq_dataset_close(y);
    drop_folder(folder);
}

Test(data, damaged_tar_is_refused_at_its_offset)
{
    char *folder = make_folder(), path[600], *text = NULL;
    size_t bytes = 0;
    MUST(sq_file_read(SOURCE("data/samples/val.tar"), 1 << 22, &text, &bytes));
    (void)snprintf(path, sizeof path, "%s/val.tar", folder);
    for (int k = 0; k < 40; k++) {
        const size_t header = 1024 * (size_t)(k * 19);
        sq_dataset *d = NULL;
        text[header + 20] ^= 4;
        const sq_piece piece = {text, bytes};
        MUST(sq_file_replace(path, &piece, 1));
        text[header + 20] ^= 4;
        cr_expect_eq(sq_dataset_open(&d, path, "val"), SQ_DATA);
        char wanted[64];
        (void)snprintf(wanted, sizeof wanted, "at byte %zu", header);
        cr_expect_not_null(strstr(sq_error_text(), wanted), "%s", sq_error_text());
    }
    free(text);
    drop_folder(folder);
}

Test(data, held_out_part_and_rest_are_the_whole)
{
    sq_dataset *whole = NULL, *rest = NULL, *part = NULL;
    int counts[10] = {0};
    MUST(sq_dataset_open(&whole, SOURCE("data/samples"), "train"));
    MUST(sq_dataset_hold_out(&part, whole, 0.1, 5, true));
    MUST(sq_dataset_hold_out(&rest, whole, 0.1, 5, false));
    cr_expect_eq(sq_dataset_count(whole), 3000);
    cr_expect_eq(sq_dataset_count(part), 300);
    cr_expect_eq(sq_dataset_count(rest), 2700);
    for (size_t i = 0; i < 300; i++)
        counts[sq_dataset_label(part, i)]++;
    for (int c = 0; c < 10; c++)
        cr_expect_eq(counts[c], 30);
    for (size_t i = 0, j = 0; i < 300; i++) { /* both are sorted: no name in both */
        while (j < 2700 && strcmp(sq_dataset_name(rest, j), sq_dataset_name(part, i)) < 0)
            j++;
        cr_expect(j == 2700 || strcmp(sq_dataset_name(rest, j), sq_dataset_name(part, i)) != 0);
    }
    sq_dataset_close(part);
    sq_dataset_close(rest);
    sq_dataset_close(whole);
}

/* ---- Transforms ---- */

Test(data, crops_stay_inside_and_follow_the_published_distribution)
{
    const sq_transform t = {.is_augmented = true,
                            .resolution = 224,
                            .area_min = 0.08,
                            .area_max = 1,
                            .aspect_min = 0.75,
                            .aspect_max = 4.0 / 3};
    double area = 0;
    for (uint64_t i = 0; i < 4000; i++) {
        sq_rng rng = sq_rng_open(1, SQ_RNG_AUGMENT, i);
        const sq_crop c = sq_transform_crop(&t, 375, 500, &rng);
        cr_expect(c.x >= 0 && c.y >= 0 && c.w >= 1 && c.h >= 1 && c.x + c.w <= 500 && c.y + c.h <= 375);
        cr_expect(c.w / c.h > 0.74 && c.w / c.h < 1.35);
        area += c.w * c.h / (375.0 * 500.0);
    }
    /* Uniform in 0.08..1 has the mean 0.54; wide and tall crops of large area do not fit and are drawn again. */
    cr_expect(area / 4000 > 0.40 && area / 4000 < 0.54, "%g", area / 4000);
}

/* Pillow's numbers for a gradient image; made by tests/oracle/make_images.py. */
Test(data, resizing_is_pillows_within_one_grey_level)
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
    MUST(sq_image_decode(&image, bytes, size, "pattern.png", limit));
    free(bytes);
    for (int i = 0; i < 3; i++) {
        char path[512], *wanted = NULL;
        uint8_t out[24 * 24 * 3];
        int worst = 0;
        (void)snprintf(path, sizeof path, "%s/%s", SOURCE("tests/fixtures/images"), rows[i].name);
        MUST(sq_file_read(path, 1 << 20, &wanted, &size));
        cr_assert_eq(size, (size_t)rows[i].side * (size_t)rows[i].side * 3);
        const sq_pixels from = {image.pixels, 0, 0, image.h, image.w, image.h, image.w};
        MUST(sq_resize(&resizer, &from, rows[i].crop, rows[i].side, out));
        for (size_t j = 0; j < size; j++)
            worst = abs(out[j] - (uint8_t)wanted[j]) > worst ? abs(out[j] - (uint8_t)wanted[j]) : worst;
        cr_expect_leq(worst, 1, "%s: %d grey levels", rows[i].name, worst);
        free(wanted);
    }
    sq_resizer_clear(&resizer);
    sq_image_clear(&image);
}

/* ---- Loader ---- */

static sq_loader_options loader_options(int threads)
{
    return (sq_loader_options){.transform = augmenting_transform(20),
                               .batch = 7,
                               .is_shuffled = true,
                               .seed = 2,
                               .threads = threads,
                               .ring = 3,
                               .max_bad = 5};
}

static uint64_t hash_of(uint64_t hash, const sq_batch *b)
{
    hash = sq_hash(hash, b->images, (size_t)b->count * 20 * 20 * 3);
    hash = sq_hash(hash, b->labels, (size_t)b->count * sizeof *b->labels);
    return sq_hash(hash, b->augment, (size_t)b->count * SQ_AUGMENT_COUNT * sizeof *b->augment);
}

Test(data, batches_do_not_depend_on_threads_or_where_one_begins)
{
    sq_dataset *d = NULL;
    uint64_t hashes[3][30];
    MUST(sq_dataset_open(&d, SOURCE("data/samples"), "val"));
    for (int k = 0; k < 3; k++) {
        sq_loader *loader = NULL;
        sq_loader_options options = loader_options(k == 0 ? 1 : 4);
        options.first_batch = k == 2 ? 105 : 100; /* an epoch is 114.3 batches: the end of one is crossed */
        MUST(sq_loader_open(&loader, d, &options));
        for (uint64_t i = options.first_batch - 100; i < 30; i++) {
            sq_batch b;
            MUST(sq_loader_next(loader, &b));
            cr_expect_eq(b.index, 100 + i);
            hashes[k][i] = hash_of(1, &b);
        }
        sq_loader_close(loader);
    }
    for (int i = 0; i < 30; i++) {
        cr_expect_eq(hashes[0][i], hashes[1][i], "batch %d, threads", i);
        cr_expect(i < 5 || hashes[0][i] == hashes[2][i], "batch %d, begun later", i);
    }
    sq_dataset_close(d);
}

Test(data, an_epoch_shows_every_image_once)
{
    uint32_t order[997];
    bool seen[997] = {false};
    sq_loader_permutation(order, 997, 1, 3);
    for (int i = 0; i < 997; i++) {
        cr_expect(order[i] < 997 && !seen[order[i]]);
        seen[order[i]] = true;
    }
}

Test(data, bad_images_are_logged_once_replaced_and_limited)
{
    char *folder = make_folder(), log[600], *text = NULL, *png = NULL;
    size_t bytes = 0;
    sq_dataset *d = NULL;
    sq_loader *loader = NULL;
    MUST(sq_file_read(SOURCE("tests/fixtures/images/grey16.png"), 1 << 20, &png, &bytes));
    for (int i = 0; i < 12; i++) {
        char name[64], path[700];
        (void)snprintf(name, sizeof name, "train/c/%02d.png", i);
        put_text(folder, name, i == 3 ? "" : "not an image");
        (void)snprintf(path, sizeof path, "%s/%s", folder, name);
        const sq_piece piece = {png, bytes};
        if (i != 3 && i != 4)
            MUST(sq_file_replace(path, &piece, 1));
    }
    (void)snprintf(log, sizeof log, "%s/bad.txt", folder);
    MUST(sq_dataset_open(&d, folder, "train"));
    for (int round = 0; round < 2; round++) {
        sq_loader_options options = loader_options(2);
        options.bad_log = log;
        MUST(sq_loader_open(&loader, d, &options));
        for (int i = 0; i < 12; i++) {
            sq_batch b;
            MUST(sq_loader_next(loader, &b));
            cr_expect_eq(b.count, 7);
        }
        cr_expect_eq(sq_loader_get_counters(loader).bad, 2);
        sq_loader_close(loader);
    }
    MUST(sq_file_read(log, 1 << 20, &text, &bytes));
    int lines = 0;
    for (const char *p = text; *p; p++)
        lines += *p == '\n';
    cr_expect_eq(lines, 2, "%s", text);
    cr_expect_not_null(strstr(text, "03.png: empty file"));
    free(text);
    sq_loader_options strict = loader_options(2);
    strict.max_bad = 1;
    sq_status status = sq_loader_open(&loader, d, &strict);
    for (int i = 0; status == SQ_OK && i < 12; i++) {
        sq_batch b;
        status = sq_loader_next(loader, &b);
    }
    cr_expect_eq(status, SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "data.max_bad is 1"), "%s", sq_error_text());
    sq_loader_close(loader);
    sq_dataset_close(d);
    free(png);
    drop_folder(folder);
}

/* A name may be how another one begins: images need no ending. */
Test(data, a_bad_image_is_logged_beside_one_whose_name_goes_on)
{
    char *folder = make_folder(), log[600], line[700];
    sq_dataset *d = NULL;
    sq_loader *loader = NULL;
    sq_batch b;
    put_text(folder, "train/c/1", "");
    put_text(folder, "train/c/10", "");
    (void)snprintf(line, sizeof line, "%s/train/c/10: empty file\n", folder);
    put_text(folder, "bad.txt", line); /* found by an earlier run */
    (void)snprintf(log, sizeof log, "%s/bad.txt", folder);
    MUST(sq_dataset_open(&d, folder, "train"));
    sq_loader_options options = loader_options(1);
    options.bad_log = log;
    MUST(sq_loader_open(&loader, d, &options));
    cr_expect_eq(sq_loader_next(loader, &b), SQ_DATA);
    sq_loader_close(loader);
    char *text = read_text(folder, "bad.txt");
    const char *first = strstr(text, "/train/c/10: empty file\n"), *second = strstr(text, "/train/c/1: empty file\n");
    cr_expect(first && second && !strstr(first + 1, "/train/c/10:"), "%s", text);
    free(text);
    sq_dataset_close(d);
    drop_folder(folder);
}

Test(data, imagenet_originals_decode)
{
    const char *const folder = SOURCE("../shared/datasets/imagenet-sample");
    sq_dataset *d = NULL;
    if (access(folder, R_OK) != 0)
        cr_skip_test("no ../shared/datasets/imagenet-sample");
    MUST(sq_dataset_open(&d, folder, "val"));
    const sq_loader_options options = {
        .transform = {.resolution = 224, .crop_fraction = 0.875}, .batch = 16, .threads = 2};
    sq_image_set set;
    MUST(sq_image_set_load(&set, d, &options, NULL, 0));
    cr_expect_eq(set.count, 173);
    cr_expect_eq(set.bad, 0);
    sq_image_set_clear(&set);
    sq_dataset_close(d);
}
