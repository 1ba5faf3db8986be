/* Tests that packed shards read back equal and in the same order, for any number of threads and after interruptions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/decode/decode.h"
#include "data/pack/summary.h"
#include "data/sources/shard_set.h"
#include "kernels/base/file.h"
#include "tests/data/data_support.h"
#include "tests/support/support.h"

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
    cr_expect_not_null(strstr(sq_error_text(), "no shards of split val"), "%s", sq_error_text());
    sq_dataset_close(a);
    sq_dataset_close(b);
    drop_folder(folder);
}

Test(pack, subsets_equal_those_of_the_source)
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

Test(pack, files_do_not_depend_on_threads_or_interruptions)
{
    char *folders[2] = {make_folder(), make_folder()};
    sq_dataset *d = NULL;
    MUST(sq_dataset_open(&d, SOURCE("data/samples"), "val"));
    const sq_pack_options one = {.threads = 1, .shard_bytes = 30000}, many = {.threads = 4, .shard_bytes = 30000};
    pack_small(d, folders[0], "val", one);
    sq_pack_options stopped = many;
    stopped.is_stopped = stop_at_once;
    cr_expect_eq(sq_pack(d, folders[1], "val", &stopped), SQ_INTERRUPTED);
    cr_expect_not_null(strstr(sq_error_text(), "repeat the command to resume"), "%s", sq_error_text());
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

static sq_pack_progress last_progress;

static void report(void *context, const sq_pack_progress *progress)
{
    (void)context;
    last_progress = *progress;
}

/* The rate and the remaining time include only images that this run packs, not images in reused shards. */
Test(pack, counts_reused_images_separately)
{
    char *folder = make_folder();
    sq_dataset *d = NULL;
    MUST(sq_dataset_open(&d, SOURCE("data/samples"), "val"));
    const sq_pack_options options = {.threads = 2, .shard_bytes = 30000, .report = report};
    pack_small(d, folder, "val", options);
    cr_expect(last_progress.images == sq_dataset_count(d) && last_progress.reused_count == 0 &&
              last_progress.shards > 2);
    cr_assert_eq(unlink(shard_file(folder, "val", 0)), 0);
    pack_small(d, folder, "val", options);
    cr_expect(last_progress.images == sq_dataset_count(d));
    cr_expect(last_progress.reused_count > 0 && last_progress.reused_count < sq_dataset_count(d));
    sq_dataset_close(d);
    drop_folder(folder);
}

/* Expects the only image of a pack of pattern.png to have the size and the pixels of sq_image_fit. */
static void expect_fitted(const sq_dataset *packed, const sq_pack_options *options, int expected_h, int expected_w)
{
    sq_image image = {0}, fitted = {0};
    int h = 0, w = 0;
    size_t size = 0;
    const uint8_t *bytes = sq_dataset_view(packed, 0, &size);
    const size_t expected_size = (size_t)expected_h * (size_t)expected_w * 3;
    cr_expect_eq(sq_dataset_is_raw(packed, 0, &h, &w), options->is_raw);
    decode_fixture(&image, "pattern.png");
    MUST(sq_image_fit(&fitted, &image, options->side, options->is_cropped));
    cr_expect(fitted.h == expected_h && fitted.w == expected_w, "%d x %d", fitted.w, fitted.h);
    if (options->is_raw)
        cr_expect(h == expected_h && w == expected_w && size == expected_size &&
                  memcmp(bytes, fitted.pixels, size) == 0);
    else { /* an image that is small enough is unchanged, any other is a JPEG */
        MUST(sq_image_decode(&image, &(sq_encoded_image){bytes, size, "packed", 1 << 24}));
        cr_expect(image.h == expected_h && image.w == expected_w, "%d x %d", image.w, image.h);
        /* At quality 95, JPEG quantises luma in steps of at most 12, a tenth of 121 (T.81 table K.1). Such a step
         * has a root mean square error of 12 / sqrt(12). */
        cr_expect_lt(brightness_difference(image.pixels, fitted.pixels, expected_size),
                     options->side == 200 ? 1e-9 : 4.0);
    }
    sq_image_clear(&image);
    sq_image_clear(&fitted);
}

Test(pack, shrinks_crops_and_stores_raw_pixels)
{
    static const struct {
        sq_pack_options options;
        int h, w; /* size of pattern.png: 120 x 100 */
    } rows[] = {{{.side = 40, .quality = 95}, 40, 48},
                {{.side = 40, .is_raw = true}, 40, 48},
                {{.side = 40, .is_raw = true, .is_cropped = true}, 40, 40},
                {{.side = 40, .is_cropped = true, .quality = 95}, 40, 40},
                {{.side = 110, .is_raw = true, .is_cropped = true}, 100, 110},
                {{.side = 200, .is_raw = true}, 100, 120},
                {{.side = 200, .quality = 95}, 100, 120}};
    char *folder = make_folder();
    copy_image(folder, "set/train/a/1.png", "pattern.png");
    sq_dataset *source = open_in(folder, "set", "train");
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        char name[32], path[700];
        (void)snprintf(name, sizeof name, "packed-%zu", k);
        (void)snprintf(path, sizeof path, "%s/%s", folder, name);
        pack_small(source, path, "train", rows[k].options);
        sq_dataset *d = open_in(folder, name, "train");
        expect_fitted(d, &rows[k].options, rows[k].h, rows[k].w);
        sq_dataset_close(d);
    }
    sq_dataset_close(source);
    drop_folder(folder);
}

Test(pack, encodes_images_of_a_raw_pack)
{
    char *folder = make_folder(), path[700];
    int h, w;
    pack_in_three(folder, true);
    sq_dataset *raw = open_in(folder, "packed", "train");
    (void)snprintf(path, sizeof path, "%s/jpeg", folder);
    pack_small(raw, path, "train", (sq_pack_options){.side = 16});
    sq_dataset *jpeg = open_in(folder, "jpeg", "train");
    cr_assert_eq(sq_dataset_count(jpeg), 3);
    cr_expect_not(sq_dataset_is_raw(jpeg, 0, &h, &w));
    sq_dataset_close(raw);
    sq_dataset_close(jpeg);
    drop_folder(folder);
}

Test(pack, packs_a_hundred_megapixels_and_respects_the_limit)
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
    cr_expect_not_null(strstr(sq_error_text(), "found 10000 x 10000 pixels, expected 1..99999999"), "%s",
                       sq_error_text());
    sq_dataset_close(d);
    drop_folder(folder);
}

Test(pack, keeps_names_with_any_bytes)
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

/* ---- Failures ---- */

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

Test(pack, names_a_file_that_has_changed)
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
        cr_expect_not_null(strstr(sq_error_text(), k == 2 ? "1.png: No such file"
                                                   : k == 1
                                                       ? "1.png: the file has changed: found 37 bytes, expected 15"
                                                       : "1.png: the file has changed: found 0 bytes, expected 15"),
                           "%s", sq_error_text());
        cr_expect_eq(count_files(path), 0);
        sq_dataset_close(d);
    }
    drop_folder(folder);
}

Test(pack, rejects_duplicate_names_in_a_class)
{
    char *folder = make_folder(), command[2048];
    sq_dataset *d = NULL;
    put_text(folder, "set/train/a/1.png", "one");
    (void)snprintf(command, sizeof command,
                   "cd %s && tar -cf x.tar -C set train && tar -cf y.tar -C set ./train && rm -r set", folder);
    cr_assert_eq(system(command), 0);
    MUST(sq_dataset_open(&d, folder, "train"));
    cr_expect_eq(sq_pack(d, folder, "train", &(sq_pack_options){.max_bad = 9}), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "class a: duplicate name 1.png: found "), "%s", sq_error_text());
    cr_expect_not_null(strstr(sq_error_text(), "y.tar:./train/a/1.png"), "%s", sq_error_text());
    sq_dataset_close(d);
    drop_folder(folder);
}

Test(pack, rejects_the_folder_of_another_pack)
{
    char *folder = make_folder();
    sq_dataset *d = NULL;
    MUST(sq_dataset_open(&d, SOURCE("data/samples"), "val"));
    pack_small(d, folder, "val", (sq_pack_options){.threads = 1});
    const sq_pack_options other_options[] = {
        {.side = 20, .quality = 90}, {.shard_bytes = 1 << 16}, {.is_unchecked = true}};
    for (size_t i = 0; i < sizeof other_options / sizeof *other_options; i++) {
        cr_expect_eq(sq_pack(d, folder, "val", &other_options[i]), SQ_INVALID, "%zu", i);
        cr_expect_not_null(
            strstr(sq_error_text(), "val-00000.shard: the shard belongs to a pack of other images or options"), "%s",
            sq_error_text());
    }
    const int file = open_folder(folder);
    cr_assert_eq(flock(file, LOCK_EX), 0);
    cr_expect_eq(sq_pack(d, folder, "val", &(sq_pack_options){.threads = 1}), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "another process is packing into this folder"), "%s", sq_error_text());
    cr_assert_eq(close(file), 0);
    cr_expect_eq(sq_pack(d, folder, "val", &(sq_pack_options){.is_raw = true}), SQ_INVALID);
    cr_expect_eq(sq_pack(d, folder, "val", &(sq_pack_options){.side = 9, .quality = 101}), SQ_INVALID);
    sq_dataset_close(d);
    drop_folder(folder);
}
