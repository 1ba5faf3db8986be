/* Tests verifying shards. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/pack/verify.h"
#include "data/sources/shard.h"
#include "tests/data/data_support.h"
#include "tests/support/support.h"

static int reported;
static char last_message[1024];

static void report(void *context, const char *line)
{
    (void)context;
    reported++;
    (void)snprintf(last_message, sizeof last_message, "%s", line);
}

Test(verify, finds_every_damaged_record)
{
    char *folder = make_folder(), whole[700];
    uint64_t damaged = 9;
    shard_copy s = pack_in_one(folder, true);
    const sq_verify_options options = {.threads = 2, .report_damaged = report};
    (void)snprintf(whole, sizeof whole, "%s/whole", folder);
    MUST(sq_pack_verify(whole, "train", &options, &damaged));
    cr_expect(damaged == 0 && reported == 0);
    const sq_shard_header *head = (const sq_shard_header *)(const void *)s.bytes;
    const sq_shard_record *records = (const sq_shard_record *)(const void *)(s.bytes + head->index_offset);
    s.bytes[records[2].offset + records[2].size - 1] ^= 1;
    write_shard(&s, s.size);
    MUST(sq_pack_verify(whole, "train", &options, &damaged));
    cr_expect(damaged == 1 && reported == 1);
    cr_expect_not_null(strstr(last_message, "train-00000.shard: record 2 (b/1.png): the checksum differs"), "%s",
                       last_message);
    s.bytes[records[0].offset] ^= 1;
    write_shard(&s, s.size);
    MUST(sq_pack_verify(whole, "train", &options, &damaged));
    cr_expect_eq(damaged, 2);
    sq_verify_options stopped = options;
    stopped.is_stopped = stop_at_once;
    cr_expect_eq(sq_pack_verify(whole, "train", &stopped, &damaged), SQ_INTERRUPTED);
    free(s.bytes);
    drop_folder(folder);
}
