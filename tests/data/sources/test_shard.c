/* Tests reading a shard. Truncated, damaged and malicious files are rejected with one line that names the shard and the
 * record. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/sources/shard.h"
#include "kernels/base/file.h"
#include "tests/data/data_support.h"
#include "tests/data/seal.h"
#include "tests/support/support.h"

static void expect_rejected(const char *path, const char *message)
{
    sq_shard *shard = NULL;
    cr_expect_eq(sq_shard_open(&shard, path), SQ_DATA, "%s: is not rejected", message);
    cr_expect_null(shard);
    cr_expect(strstr(sq_error_text(), path) && strstr(sq_error_text(), message), "%s, expected %s", sq_error_text(),
              message);
}

Test(shard, rejects_truncation_at_any_byte)
{
    char *folder = make_folder();
    shard_copy s = pack_in_one(folder, false);
    for (size_t size = 0; size < s.size; size += size < 200 || size + 300 > s.size ? 1 : 97) {
        sq_shard *shard = NULL;
        write_shard(&s, size);
        cr_expect_eq(sq_shard_open(&shard, s.path), SQ_DATA, "truncated to %zu", size);
        cr_expect(strstr(sq_error_text(), size < 8 ? "not a shard" : "truncated"), "%zu: %s", size, sq_error_text());
    }
    s.bytes = realloc(s.bytes, s.size + 1);
    s.bytes[s.size] = 0;
    write_shard(&s, s.size + 1);
    expect_rejected(s.path, "truncated or still being written");
    free(s.bytes);
    drop_folder(folder);
}

Test(shard, detects_every_flipped_bit)
{
    char *folder = make_folder(), buffer[1 << 16];
    shard_copy s = pack_in_one(folder, false);
    sq_shard_header header;
    memcpy(&header, s.bytes, sizeof header);
    cr_assert_eq(header.count, 3);
    size_t in_records = 0, in_gaps = 0;
    for (size_t at = 0; at < s.size; at += at < sizeof header || at >= header.classes_offset ? 1 : 13) {
        sq_shard *shard = NULL;
        int damaged = 0;
        s.bytes[at] ^= (char)(1 << at % 8);
        write_shard(&s, s.size);
        s.bytes[at] ^= (char)(1 << at % 8);
        const sq_status status = sq_shard_open(&shard, s.path);
        if (at < sizeof header || at >= header.classes_offset) {
            cr_expect_eq(status, SQ_DATA, "bit at %zu", at);
            continue;
        }
        cr_assert_eq(status, SQ_OK, "%s", sq_error_text());
        for (size_t i = 0; i < 3; i++) {
            const sq_shard_record *r = sq_shard_record_at(shard, i);
            const bool is_hit = at >= r->offset && at < r->offset + r->size;
            char expected[64];
            (void)snprintf(expected, sizeof expected, "record %zu (%s/%s): the checksum differs", i, i < 2 ? "a" : "b",
                           i == 1 ? "2.png" : "1.png");
            cr_expect_eq(sq_shard_read(shard, i, buffer), is_hit ? SQ_DATA : SQ_OK);
            cr_expect(!is_hit || (strstr(sq_error_text(), expected) && strstr(sq_error_text(), s.path)), "%s",
                      sq_error_text());
            cr_expect_eq(sq_shard_view(shard, i) == NULL, is_hit);
            damaged += is_hit;
        }
        in_records += damaged == 1;
        in_gaps += damaged == 0; /* zero bytes between records, which the reader ignores */
        sq_shard_close(shard);
    }
    cr_expect(in_records > 20 && in_gaps < in_records, "%zu in records, %zu between", in_records, in_gaps);
    free(s.bytes);
    drop_folder(folder);
}

/* A shard in memory that a test edits to contain invalid values. */
typedef struct {
    shard_copy shard;
    char *original;
    sq_shard_header *header;
    sq_shard_record *records;
    char *names, *classes;
} editable_shard;

static editable_shard open_editable(const char *folder)
{
    editable_shard e = {.shard = pack_in_one(folder, true)};
    char *bytes = e.shard.bytes;
    e.original = malloc(e.shard.size);
    memcpy(e.original, bytes, e.shard.size);
    e.header = (sq_shard_header *)(void *)bytes;
    e.records = (sq_shard_record *)(void *)(bytes + e.header->index_offset);
    e.names = bytes + e.header->names_offset;
    e.classes = bytes + e.header->classes_offset;
    return e;
}

static void close_editable(editable_shard *e)
{
    free(e->original);
    free(e->shard.bytes);
}

/* Writes the edited shard with valid checksums, expects that sq_shard_open rejects it, and undoes the edit. */
static void expect_edit_rejected(editable_shard *e, const char *message)
{
    seal_shard((uint8_t *)e->shard.bytes, e->shard.size);
    write_shard(&e->shard, e->shard.size);
    expect_rejected(e->shard.path, message);
    memcpy(e->shard.bytes, e->original, e->shard.size);
}

#define CASE(edit, message) ((void)(edit), expect_edit_rejected(&e, message))

Test(shard, rejects_inconsistent_headers_with_valid_checksums)
{
    char *folder = make_folder();
    editable_shard e = open_editable(folder);
    CASE(e.header->version = 2, "unsupported version: found 2, expected 1");
    CASE(e.header->magic[0] = 'X', "not a shard");
    CASE(e.header->count = 4, "inconsistent header");
    CASE(e.header->count = UINT64_MAX / 40, "inconsistent header");
    CASE(e.header->index_offset += 8, "inconsistent header");
    CASE(e.header->index_offset = UINT64_MAX - 7, "inconsistent header");
    CASE(e.header->classes_offset = 8, "inconsistent header");
    CASE(e.header->names_offset = 0, "inconsistent header");
    CASE(e.header->shard = 1, "inconsistent header");
    CASE(e.header->first = 1, "inconsistent header");
    CASE(e.header->total = 2, "inconsistent header");
    CASE(e.header->class_count = 1000000, "found 1000000 classes in");
    CASE(e.header->class_count = 3, "the name of class 2 is unterminated");
    CASE(e.classes[0] = 'b', "the name of class 1 is unterminated or out of order");
    close_editable(&e);
    drop_folder(folder);
}

Test(shard, rejects_impossible_records_with_valid_checksums)
{
    char *folder = make_folder();
    editable_shard e = open_editable(folder);
    const size_t names_bytes = e.header->index_offset - e.header->names_offset;
    CASE(e.records[1].label = 2, "record 1: label out of range: found 2, expected less than 2");
    CASE(e.records[0].label = 1, "record 1: out of order: found label 0 after label 1");
    CASE(e.records[1].name_offset = e.records[0].name_offset, "record 1: duplicate name a/1.png");
    CASE(e.records[1].name_offset = UINT64_MAX, "record 1: unterminated name");
    CASE(memset(e.names, 'x', names_bytes), "record 0: unterminated name");
    CASE(e.records[2].offset = 0, "record 2 (b/1.png)");
    CASE(e.records[2].offset = e.header->classes_offset, "out of range: found");
    CASE(e.records[2].size = UINT64_MAX - 100, "out of range: found");
    CASE(e.records[2].h++, "raw pixels in");
    CASE(e.records[2].w = 0, "raw pixels in");
    CASE((e.records[2].h = UINT32_MAX, e.records[2].w = UINT32_MAX), "raw pixels in");
    close_editable(&e);
    drop_folder(folder);
}

Test(shard, reads_a_deleted_file_and_reports_a_truncated_one)
{
    char *folder = make_folder(), packed[700];
    void *bytes = NULL;
    size_t capacity = 0, size = 0;
    pack_in_three(folder, false);
    (void)snprintf(packed, sizeof packed, "%s/packed", folder);
    sq_dataset *set = open_in(folder, "set", "train"), *d = open_in(folder, "packed", "train");
    cr_assert_eq(truncate(shard_file(packed, "train", 1), 100), 0);
    cr_expect_null(sq_dataset_view(d, 1, &size));
    cr_expect_eq(sq_dataset_read(d, 1, &bytes, &capacity, &size), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "record 0 (a/2.png): the shard was truncated after it was opened"), "%s",
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
