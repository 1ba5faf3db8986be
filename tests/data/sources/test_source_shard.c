/* Tests packed shards as a source. */
#include <string.h>

#include "data/sources/source_shard.h"
#include "tests/data/data_support.h"
#include "tests/support/support.h"

Test(source_shard, takes_over_names_classes_and_labels)
{
    char *folder = make_folder();
    pack_in_three(folder, true);
    sq_dataset *set = open_in(folder, "set", "train"), *packed = open_in(folder, "packed", "train");
    cr_assert_eq(sq_dataset_count(packed), 3);
    MUST(sq_dataset_same_classes(set, packed));
    for (size_t i = 0; i < 3; i++) {
        int h = 0, w = 0;
        cr_expect_eq(sq_dataset_label(packed, i), sq_dataset_label(set, i));
        cr_expect_str_eq(sq_dataset_inner_name(packed, i), sq_dataset_inner_name(set, i));
        cr_expect(sq_dataset_is_raw(packed, i, &h, &w) && h == 20 && sq_dataset_size(packed, i) == (size_t)(h * w * 3));
    }
    cr_expect_not_null(strstr(sq_dataset_name(packed, 2), "train-00002.shard:b/1.png"), "%s",
                       sq_dataset_name(packed, 2));
    cr_expect_not(sq_dataset_has_unnamed_split(packed));
    sq_dataset_close(set);
    sq_dataset_close(packed);
    drop_folder(folder);
}
