/* Damaged shards: each is refused or told in one line that names the shard, and the record where there is one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/loader/loader.h"
#include "data/sources/shard.h"
#include "kernels/base/file.h"
#include "tests/data/pack_support.h"
#include "tests/data/seal.h"
#include "tests/support/support.h"

/* Two classes in three shards: a has 1.png and 2.png, b has 1.png; raw or as they are. */
static void make_shards(const char *folder, bool is_raw)
{
    copy_image(folder, "set/train/a/1.png", "rgb.png");
    copy_image(folder, "set/train/a/2.png", "grey16.png");
    copy_image(folder, "set/train/b/1.png", "pattern.png");
    char path[700];
    sq_dataset *d = open_in(folder, "set", "train");
    (void)snprintf(path, sizeof path, "%s/packed", folder);
    pack_small(d, path, "train", (sq_pack_options){.shard_bytes = 1, .side = is_raw ? 20 : 0, .is_raw = is_raw});
    sq_dataset_close(d);
}

typedef struct {
    char *bytes;
    size_t size;
    char path[1024];
} shard_bytes;

/* All three images in one shard, in memory. */
static shard_bytes read_one(const char *folder, bool is_raw)
{
    shard_bytes s = {0};
    char whole[700];
    make_shards(folder, is_raw);
    sq_dataset *d = open_in(folder, "set", "train");
    (void)snprintf(whole, sizeof whole, "%s/whole", folder);
    pack_small(d, whole, "train", (sq_pack_options){.side = is_raw ? 20 : 0, .is_raw = is_raw});
    sq_dataset_close(d);
    (void)snprintf(s.path, sizeof s.path, "%s", shard_file(whole, "train", 0));
    MUST(sq_file_read(s.path, 1 << 22, &s.bytes, &s.size));
    return s;
}

static void write_back(const shard_bytes *s, size_t size)
{
    const sq_piece piece = {s->bytes, size};
    MUST(sq_file_replace(s->path, &piece, 1));
}

static void expect_refused(const char *path, const char *why)
{
    sq_shard *shard = NULL;
    cr_expect_eq(sq_shard_open(&shard, path), SQ_DATA, "%s: is not refused", why);
    cr_expect_null(shard);
    cr_expect(strstr(sq_error_text(), path) && strstr(sq_error_text(), why), "%s, wanted %s", sq_error_text(), why);
}

Test(shards, cut_at_any_byte_is_refused)
{
    char *folder = make_folder();
    shard_bytes s = read_one(folder, false);
    for (size_t size = 0; size < s.size; size += size < 200 || size + 300 > s.size ? 1 : 97) {
        sq_shard *shard = NULL;
        write_back(&s, size);
        cr_expect_eq(sq_shard_open(&shard, s.path), SQ_DATA, "cut to %zu", size);
        cr_expect(strstr(sq_error_text(), size < 8 ? "not a shard" : "truncated"), "%zu: %s", size, sq_error_text());
    }
    s.bytes = realloc(s.bytes, s.size + 1);
    s.bytes[s.size] = 0;
    write_back(&s, s.size + 1);
    expect_refused(s.path, "truncated or still growing");
    free(s.bytes);
    drop_folder(folder);
}

Test(shards, every_flipped_bit_is_seen)
{
    char *folder = make_folder(), buffer[1 << 16];
    shard_bytes s = read_one(folder, false);
    sq_shard_header head;
    memcpy(&head, s.bytes, sizeof head);
    cr_assert_eq(head.count, 3);
    size_t in_records = 0, in_gaps = 0;
    for (size_t at = 0; at < s.size; at += at < sizeof head || at >= head.classes_offset ? 1 : 13) {
        sq_shard *shard = NULL;
        int damaged = 0;
        s.bytes[at] ^= (char)(1 << at % 8);
        write_back(&s, s.size);
        s.bytes[at] ^= (char)(1 << at % 8);
        const sq_status status = sq_shard_open(&shard, s.path);
        if (at < sizeof head || at >= head.classes_offset) {
            cr_expect_eq(status, SQ_DATA, "bit at %zu", at);
            continue;
        }
        cr_assert_eq(status, SQ_OK, "%s", sq_error_text());
        for (size_t i = 0; i < 3; i++) {
            const sq_shard_record *r = sq_shard_record_at(shard, i);
            const bool is_hit = at >= r->offset && at < r->offset + r->size;
            char wanted[64];
            (void)snprintf(wanted, sizeof wanted, "record %zu (%s/%s): its checksum differs", i, i < 2 ? "a" : "b",
                           i == 1 ? "2.png" : "1.png");
            cr_expect_eq(sq_shard_read(shard, i, buffer), is_hit ? SQ_DATA : SQ_OK);
            cr_expect(!is_hit || (strstr(sq_error_text(), wanted) && strstr(sq_error_text(), s.path)), "%s",
                      sq_error_text());
            cr_expect_eq(sq_shard_view(shard, i) == NULL, is_hit);
            damaged += is_hit;
        }
        in_records += damaged == 1;
        in_gaps += damaged == 0; /* zeros between records, which nobody reads */
        sq_shard_close(shard);
    }
    cr_expect(in_records > 20 && in_gaps < in_records, "%zu in records, %zu between", in_records, in_gaps);
    free(s.bytes);
    drop_folder(folder);
}

/* Numbers that a program writes on purpose, with right checksums. */
Test(shards, impossible_numbers_are_refused_behind_right_checksums)
{
    char *folder = make_folder();
    shard_bytes s = read_one(folder, true);
    char *good = malloc(s.size);
    memcpy(good, s.bytes, s.size);
    sq_shard_header *head = (sq_shard_header *)(void *)s.bytes;
    sq_shard_record *records = (sq_shard_record *)(void *)(s.bytes + head->index_offset);
    char *names = s.bytes + head->names_offset, *classes = s.bytes + head->classes_offset;
    const size_t names_bytes = head->index_offset - head->names_offset;
#define CASE(change, why)                                                                                              \
    do {                                                                                                               \
        change;                                                                                                        \
        seal_shard((uint8_t *)s.bytes, s.size);                                                                        \
        write_back(&s, s.size);                                                                                        \
        expect_refused(s.path, why);                                                                                   \
        memcpy(s.bytes, good, s.size);                                                                                 \
    } while (0)
    CASE(head->version = 2, "version 2, wanted 1");
    CASE(head->magic[0] = 'X', "not a shard");
    CASE(head->count = 4, "do not fit together");
    CASE(head->count = UINT64_MAX / 40, "do not fit together");
    CASE(head->index_offset += 8, "do not fit together");
    CASE(head->index_offset = UINT64_MAX - 7, "do not fit together");
    CASE(head->classes_offset = 8, "do not fit together");
    CASE(head->names_offset = 0, "do not fit together");
    CASE(head->shard = 1, "do not fit together");
    CASE(head->first = 1, "do not fit together");
    CASE(head->total = 2, "do not fit together");
    CASE(head->class_count = 1000000, "1000000 classes in");
    CASE(head->class_count = 3, "the name of class 2 does not end");
    CASE(classes[0] = 'b', "the name of class 1 does not end, or is out of order");
    CASE(records[1].label = 2, "record 1: label 2, wanted less than 2");
    CASE(records[0].label = 1, "record 1: label 0 after 1");
    CASE(records[1].name_offset = records[0].name_offset, "record 1: the name a/1.png a second time");
    CASE(records[1].name_offset = UINT64_MAX, "record 1: its name does not end");
    CASE(memset(names, 'x', names_bytes), "record 0: its name does not end");
    CASE(records[2].offset = 0, "record 2 (b/1.png)");
    CASE(records[2].offset = head->classes_offset, "outside its place");
    CASE(records[2].size = UINT64_MAX - 100, "outside its place");
    CASE(records[2].h++, "raw pixels in");
    CASE(records[2].w = 0, "raw pixels in");
    CASE((records[2].h = UINT32_MAX, records[2].w = UINT32_MAX), "raw pixels in");
#undef CASE
    free(good);
    free(s.bytes);
    drop_folder(folder);
}

Test(shards, missing_and_foreign_shards_are_named)
{
    char *folder = make_folder(), packed[700], other[1024], kept[1100];
    sq_dataset *d = NULL;
    make_shards(folder, false);
    (void)snprintf(packed, sizeof packed, "%s/packed", folder);
    MUST(sq_dataset_open(&d, packed, "train"));
    cr_expect_eq(sq_dataset_count(d), 3);
    sq_dataset_close(d);
    for (int k = 0; k < 3; k++) {
        const char *path = shard_file(packed, "train", k);
        (void)snprintf(kept, sizeof kept, "%s.kept", path);
        cr_assert_eq(rename(path, kept), 0);
        cr_expect_eq(sq_dataset_open(&d, packed, "train"), SQ_DATA);
        cr_expect(strstr(sq_error_text(), path) && strstr(sq_error_text(), "the shard is missing, one of 3"), "%s",
                  sq_error_text());
        cr_assert_eq(rename(kept, path), 0);
    }
    sq_dataset *set = open_in(folder, "set", "train");
    (void)snprintf(other, sizeof other, "%s/other", folder);
    pack_small(set, other, "train", (sq_pack_options){.shard_bytes = 1, .is_unchecked = true});
    (void)snprintf(kept, sizeof kept, "%s", shard_file(other, "train", 1));
    cr_assert_eq(rename(kept, shard_file(packed, "train", 1)), 0);
    cr_expect_eq(sq_dataset_open(&d, packed, "train"), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "train-00001.shard: of another pack than"), "%s", sq_error_text());
    (void)snprintf(kept, sizeof kept, "%s", shard_file(other, "train", 0));
    cr_assert_eq(rename(shard_file(other, "train", 2), kept), 0);
    cr_expect_eq(sq_dataset_open(&d, other, "train"), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "train-00000.shard: is shard 2 with images from 2, wanted shard 0"),
                       "%s", sq_error_text());
    sq_dataset_close(set);
    drop_folder(folder);
}

Test(shards, a_shard_that_vanishes_is_still_read_and_one_that_is_cut_is_told)
{
    char *folder = make_folder(), packed[700];
    void *bytes = NULL;
    size_t capacity = 0, size = 0;
    make_shards(folder, false);
    (void)snprintf(packed, sizeof packed, "%s/packed", folder);
    sq_dataset *set = open_in(folder, "set", "train"), *d = open_in(folder, "packed", "train");
    cr_assert_eq(truncate(shard_file(packed, "train", 1), 100), 0);
    cr_expect_null(sq_dataset_view(d, 1, &size));
    cr_expect_eq(sq_dataset_read(d, 1, &bytes, &capacity, &size), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "record 0 (a/2.png): the shard was cut since it was opened"), "%s",
                       sq_error_text());
    sq_dataset_close(d);
    cr_assert_eq(unlink(shard_file(packed, "train", 1)), 0);
    pack_small(set, packed, "train", (sq_pack_options){.shard_bytes = 1});
    d = open_in(folder, "packed", "train");
    for (int k = 0; k < 3; k++)
        cr_assert_eq(unlink(shard_file(packed, "train", k)), 0);
    expect_same(set, d);
    sq_dataset_close(d);
    sq_dataset_close(set);
    free(bytes);
    drop_folder(folder);
}

static int told;
static char last_told[1024];

static void tell(void *context, const char *line)
{
    (void)context;
    told++;
    (void)snprintf(last_told, sizeof last_told, "%s", line);
}

Test(shards, verification_finds_every_damaged_record)
{
    char *folder = make_folder(), whole[700];
    uint64_t damaged = 9;
    shard_bytes s = read_one(folder, true);
    const sq_verify_options options = {.threads = 2, .damaged = tell};
    (void)snprintf(whole, sizeof whole, "%s/whole", folder);
    MUST(sq_pack_verify(whole, "train", &options, &damaged));
    cr_expect(damaged == 0 && told == 0);
    const sq_shard_header *head = (const sq_shard_header *)(const void *)s.bytes;
    const sq_shard_record *records = (const sq_shard_record *)(const void *)(s.bytes + head->index_offset);
    s.bytes[records[2].offset + records[2].size - 1] ^= 1;
    write_back(&s, s.size);
    MUST(sq_pack_verify(whole, "train", &options, &damaged));
    cr_expect(damaged == 1 && told == 1);
    cr_expect_not_null(strstr(last_told, "train-00000.shard: record 2 (b/1.png): its checksum differs"), "%s",
                       last_told);
    s.bytes[records[0].offset] ^= 1;
    write_back(&s, s.size);
    MUST(sq_pack_verify(whole, "train", &options, &damaged));
    cr_expect_eq(damaged, 2);
    sq_verify_options stopped = options;
    stopped.is_stopped = stop_at_once;
    cr_expect_eq(sq_pack_verify(whole, "train", &stopped, &damaged), SQ_INTERRUPTED);
    free(s.bytes);
    drop_folder(folder);
}

Test(shards, a_damaged_record_is_logged_once_whatever_is_resumed)
{
    char *folder = make_folder(), log[700];
    shard_bytes s = read_one(folder, true);
    const sq_shard_header *head = (const sq_shard_header *)(const void *)s.bytes;
    const sq_shard_record *records = (const sq_shard_record *)(const void *)(s.bytes + head->index_offset);
    s.bytes[records[1].offset] ^= 1;
    write_back(&s, s.size);
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
    const char *first = strstr(text, "record 1 (a/2.png): its checksum differs\n");
    cr_expect(first && !strstr(first + 1, "record 1"), "%s", text);
    free(text);
    sq_dataset_close(d);
    free(s.bytes);
    drop_folder(folder);
}
