/* Tests reading all shards of a split as one set. */
#include <stdio.h>
#include <string.h>

#include "data/sources/shard_set.h"
#include "tests/data/data_support.h"
#include "tests/support/support.h"

Test(shard_set, opens_all_shards_in_order)
{
    char *folder = make_folder(), packed[700];
    sq_shard **shards = NULL;
    int count = 0;
    pack_in_three(folder, false);
    (void)snprintf(packed, sizeof packed, "%s/packed", folder);
    cr_expect(sq_shards_exist(packed, "train") && sq_shards_exist(packed, NULL) && !sq_shards_exist(packed, "val"));
    MUST(sq_shards_open(&shards, &count, packed, "train"));
    cr_assert_eq(count, 3);
    for (int k = 0; k < 3; k++)
        cr_expect_eq(sq_shard_get_header(shards[k])->shard, (uint32_t)k);
    sq_shards_close(shards, count);
    drop_folder(folder);
}

Test(shard_set, names_a_missing_shard)
{
    char *folder = make_folder(), packed[700], moved[1100];
    sq_dataset *d = NULL;
    pack_in_three(folder, false);
    (void)snprintf(packed, sizeof packed, "%s/packed", folder);
    MUST(sq_dataset_open(&d, packed, "train"));
    cr_expect_eq(sq_dataset_count(d), 3);
    sq_dataset_close(d);
    for (int k = 0; k < 3; k++) {
        const char *path = shard_file(packed, "train", k);
        (void)snprintf(moved, sizeof moved, "%s.moved", path);
        cr_assert_eq(rename(path, moved), 0);
        cr_expect_eq(sq_dataset_open(&d, packed, "train"), SQ_DATA);
        cr_expect(strstr(sq_error_text(), path) && strstr(sq_error_text(), "missing shard: expected 3 shards"), "%s",
                  sq_error_text());
        cr_assert_eq(rename(moved, path), 0);
    }
    drop_folder(folder);
}

Test(shard_set, names_a_shard_of_another_pack_and_a_wrong_number)
{
    char *folder = make_folder(), packed[700], other[1024], path[1100];
    sq_dataset *d = NULL;
    pack_in_three(folder, false);
    (void)snprintf(packed, sizeof packed, "%s/packed", folder);
    sq_dataset *set = open_in(folder, "set", "train");
    (void)snprintf(other, sizeof other, "%s/other", folder);
    pack_small(set, other, "train", (sq_pack_options){.shard_bytes = 1, .is_unchecked = true});
    (void)snprintf(path, sizeof path, "%s", shard_file(other, "train", 1));
    cr_assert_eq(rename(path, shard_file(packed, "train", 1)), 0);
    cr_expect_eq(sq_dataset_open(&d, packed, "train"), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "train-00001.shard: comes from a different pack than"), "%s",
                       sq_error_text());
    (void)snprintf(path, sizeof path, "%s", shard_file(other, "train", 0));
    cr_assert_eq(rename(shard_file(other, "train", 2), path), 0);
    cr_expect_eq(sq_dataset_open(&d, other, "train"), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "train-00000.shard: wrong shard: found shard 2 with images from 2, "
                                               "expected shard 0"),
                       "%s", sq_error_text());
    sq_dataset_close(set);
    drop_folder(folder);
}
