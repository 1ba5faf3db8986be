/* Tests writing a shard. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "data/pack/shard_writer.h"
#include "tests/data/data_support.h"
#include "tests/support/support.h"

static const sq_shard_header header = {.shard_count = 1, .count = 2, .total = 2, .pack = 7};
static const char *const classes[] = {"ant", "cat"};

Test(shard_writer, writes_what_the_reader_reads)
{
    char *folder = make_folder(), path[700], bytes[16];
    sq_shard_writer *writer = NULL;
    sq_shard *shard = NULL;
    (void)snprintf(path, sizeof path, "%s/train-00000.shard", folder);
    MUST(sq_shard_writer_open(&writer, path, &header));
    MUST(sq_shard_writer_add(writer, "one", 3, "1.png", &(sq_shard_record){.label = 0}));
    MUST(sq_shard_writer_add(writer, "second", 6, "2.png", &(sq_shard_record){.label = 1, .h = 4, .w = 5}));
    cr_expect_neq(access(path, F_OK), 0, "the file has its name before it is finished");
    MUST(sq_shard_writer_finish(writer, classes, 2));
    sq_shard_writer_close(writer);
    MUST(sq_shard_open(&shard, path));
    cr_expect(sq_shard_get_header(shard)->count == 2 && sq_shard_get_header(shard)->pack == 7);
    cr_expect_str_eq(sq_shard_path(shard), path);
    cr_expect_str_eq(sq_shard_image_name(shard, 1), "2.png");
    cr_expect_str_eq(sq_shard_class_name(shard, 1), "cat");
    cr_expect(sq_shard_record_at(shard, 1)->h == 4 && sq_shard_record_at(shard, 1)->offset % SQ_SHARD_ALIGNMENT == 0);
    MUST(sq_shard_read(shard, 1, bytes));
    cr_expect_eq(memcmp(bytes, "second", 6), 0);
    sq_shard_close(shard);
    drop_folder(folder);
}

Test(shard_writer, rejects_another_number_of_records_and_leaves_no_file)
{
    char *folder = make_folder(), path[700];
    sq_shard_writer *writer = NULL;
    (void)snprintf(path, sizeof path, "%s/train-00000.shard", folder);
    MUST(sq_shard_writer_open(&writer, path, &header));
    MUST(sq_shard_writer_add(writer, "1", 1, "1.png", &(sq_shard_record){0}));
    cr_expect_eq(sq_shard_writer_finish(writer, classes, 2), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "too few records: found 1, expected 2"), "%s", sq_error_text());
    MUST(sq_shard_writer_add(writer, "2", 1, "2.png", &(sq_shard_record){0}));
    cr_expect_eq(sq_shard_writer_add(writer, "3", 1, "3.png", &(sq_shard_record){0}), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "too many records: expected 2"), "%s", sq_error_text());
    sq_shard_writer_close(writer);
    cr_expect_eq(count_files(folder), 0);
    drop_folder(folder);
}
