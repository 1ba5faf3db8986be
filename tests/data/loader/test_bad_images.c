/* Tests that bad images are counted, logged once, replaced and limited in number. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/loader/bad_images.h"
#include "data/loader/loader.h"
#include "data/sources/shard.h"
#include "tests/data/data_support.h"
#include "tests/support/support.h"

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

/* Opens a data set of twelve images, of which 03.png is empty and 04.png is text. */
static sq_dataset *open_with_two_bad(const char *folder)
{
    sq_dataset *d = NULL;
    for (int i = 0; i < 12; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "train/c/%02d.png", i);
        if (i == 3 || i == 4)
            put_text(folder, name, i == 3 ? "" : "not an image");
        else
            copy_image(folder, name, "grey16.png");
    }
    MUST(sq_dataset_open(&d, folder, "train"));
    return d;
}

Test(bad_images, are_replaced_and_logged_once_across_runs)
{
    char *folder = make_folder(), log[600];
    sq_dataset *d = open_with_two_bad(folder);
    (void)snprintf(log, sizeof log, "%s/bad.txt", folder);
    for (int round = 0; round < 2; round++) {
        sq_loader *loader = NULL;
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
    char *text = read_text(folder, "bad.txt");
    int lines = 0;
    for (const char *p = text; *p; p++)
        lines += *p == '\n';
    cr_expect_eq(lines, 2, "%s", text);
    cr_expect_not_null(strstr(text, "03.png: empty file"));
    free(text);
    sq_dataset_close(d);
    drop_folder(folder);
}

Test(bad_images, more_than_the_limit_are_an_error)
{
    char *folder = make_folder();
    sq_dataset *d = open_with_two_bad(folder);
    sq_loader *loader = NULL;
    sq_loader_options strict = loader_options(2);
    strict.max_bad = 1;
    sq_status status = sq_loader_open(&loader, d, &strict);
    for (int i = 0; status == SQ_OK && i < 12; i++) {
        sq_batch b;
        status = sq_loader_next(loader, &b);
    }
    cr_expect_eq(status, SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "2 bad images exceed data.max_bad (1)"), "%s", sq_error_text());
    sq_loader_close(loader);
    sq_dataset_close(d);
    drop_folder(folder);
}

Test(bad_images, count_each_image_once)
{
    sq_bad_images bad;
    MUST(sq_bad_images_init(&bad, 5, NULL, 2));
    MUST(sq_bad_images_add(&bad, 4, "a.png", "a.png: empty file"));
    MUST(sq_bad_images_add(&bad, 4, "a.png", "a.png: empty file"));
    MUST(sq_bad_images_add(&bad, 0, "b.png", "b.png: empty file"));
    cr_expect_eq(bad.count, 2);
    cr_expect_eq(sq_bad_images_add(&bad, 1, "c.png", "c.png: empty file"), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "the last one: c.png: empty file"), "%s", sq_error_text());
    sq_bad_images_free(&bad);
}

/* One image's name is a prefix of the other's, and the log already has the longer name. Image names need no
 * extension. */
Test(bad_images, are_logged_if_a_longer_name_is_in_the_log)
{
    char *folder = make_folder(), log[600], line[700];
    sq_dataset *d = NULL;
    sq_loader *loader = NULL;
    sq_batch b;
    put_text(folder, "train/c/1", "");
    put_text(folder, "train/c/10", "");
    (void)snprintf(line, sizeof line, "%s/train/c/10: empty file\n", folder);
    put_text(folder, "bad.txt", line); /* logged by an earlier run */
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

Test(bad_images, damaged_records_are_logged_once_across_runs)
{
    char *folder = make_folder(), log[700];
    shard_copy s = pack_in_one(folder, true);
    const sq_shard_header *head = (const sq_shard_header *)(const void *)s.bytes;
    const sq_shard_record *records = (const sq_shard_record *)(const void *)(s.bytes + head->index_offset);
    s.bytes[records[1].offset] ^= 1;
    write_shard(&s, s.size);
    (void)snprintf(log, sizeof log, "%s/bad.txt", folder);
    sq_dataset *d = open_in(folder, "whole", "train");
    for (int round = 0; round < 2; round++) {
        sq_loader *loader = NULL;
        sq_batch b;
        const sq_loader_options options = {
            .transform = {.resolution = 8, .crop_fraction = 1}, .batch = 3, .threads = 1, .max_bad = 1, .bad_log = log};
        MUST(sq_loader_open(&loader, d, &options));
        MUST(sq_loader_next(loader, &b));
        sq_loader_close(loader);
    }
    char *text = read_text(folder, "bad.txt");
    const char *first = strstr(text, "record 1 (a/2.png): the checksum differs\n");
    cr_expect(first && !strstr(first + 1, "record 1"), "%s", text);
    free(text);
    sq_dataset_close(d);
    free(s.bytes);
    drop_folder(folder);
}
