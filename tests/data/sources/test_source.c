/* Tests the table of sources. The same images must give the same list from every kind of source. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/sources/source.h"
#include "kernels/base/file.h"
#include "tests/data/data_support.h"
#include "tests/support/support.h"

/* Sorted as whole paths, these names would be in a different order. One class occurs in both tars. */
Test(source, gives_one_order_for_every_kind_of_source)
{
    static const char *const sources[] = {"one.tar", "two", "nested.tar", "placed", "packed"};
    char *folder = make_folder(), path[700];
    put_text(folder, "set/train/cat/3.png", "cat three");
    put_text(folder, "set/train/cat/1.png", "cat one");
    put_text(folder, "set/train/cat/2.png", "cat two");
    put_text(folder, "set/train/ant-x/1.png", "ant");
    put_text(folder, "set/train/ant/zebra.jpg", "z");
    put_text(folder, "set/train/ant/Aal.jpg", "A");
    put_text(folder, "set/train/ant/readme.txt", "not an image");
    run_shell(folder, "tar -cf one.tar -C set train && mkdir two nested placed && "
                      "tar -cf two/a.tar -C set train/cat/3.png train/ant/zebra.jpg && "
                      "tar -cf two/b.tar -C set train/ant-x train/ant/Aal.jpg train/cat/1.png train/cat/2.png && "
                      "for c in cat ant ant-x; do (cd set/train/$c && tar -cf ../../../nested/$c.tar *); done && "
                      "tar -cf nested.tar -C nested cat.tar ant-x.tar ant.tar && mkdir placed/train placed/val && "
                      "cp nested.tar placed/train/ILSVRC2012_img_train.tar");
    sq_dataset *set = open_in(folder, "set", "train");
    (void)snprintf(path, sizeof path, "%s/packed", folder);
    pack_small(set, path, "train", (sq_pack_options){.is_unchecked = true});
    cr_assert_eq(sq_dataset_count(set), 6);
    cr_expect_str_eq(sq_dataset_class(set, 0), "ant");
    cr_expect_str_eq(sq_dataset_class(set, 1), "ant-x");
    cr_expect_str_eq(sq_dataset_inner_name(set, 0), "Aal.jpg");
    cr_expect_not(sq_dataset_has_unnamed_split(set));
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        sq_dataset *d = open_in(folder, sources[i], "train");
        expect_same(set, d);
        cr_expect_eq(sq_dataset_has_unnamed_split(d), i == 2, "%s", sources[i]);
        sq_dataset_close(d);
    }
    sq_dataset_close(set);
    drop_folder(folder);
}

Test(source, lists_a_folder_and_its_tar_alike)
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
        expect_same(a, b);
        sq_dataset_close(a);
        sq_dataset_close(b);
    }
    drop_folder(folder);
}

Test(source, names_a_source_that_does_not_exist_or_is_no_tar)
{
    char *folder = make_folder(), path[600];
    sq_dataset *d = NULL;
    (void)snprintf(path, sizeof path, "%s/none", folder);
    cr_expect_eq(sq_dataset_open(&d, path, "train"), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "/none: No such file or directory"), "%s", sq_error_text());
    put_text(folder, "not-a-tar.tar",
             "this is text, but it is longer than one block of 512 bytes would be if it were repeated often enough");
    expect_open_fails(folder, "not-a-tar.tar", "train", "byte 0");
    drop_folder(folder);
}

Test(source, shards_reject_a_file_of_labels)
{
    char *folder = make_folder();
    sq_dataset *d = NULL;
    pack_in_three(folder, false);
    put_text(folder, "labels", "1.png a\n2.png a\n");
    cr_expect_eq(open_with(&d, folder, "packed", "train", &(sq_dataset_options){.labels = "labels"}), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "a folder of packed shards has its own labels"), "%s", sq_error_text());
    drop_folder(folder);
}

Test(source, a_split_that_is_missing_may_be_optional)
{
    static const char *const sources[] = {"set", "packed"};
    char *folder = make_folder();
    pack_in_three(folder, false);
    for (int i = 0; i < 2; i++) {
        sq_dataset *d = NULL;
        MUST(open_with(&d, folder, sources[i], "val", &(sq_dataset_options){.is_optional = true}));
        cr_expect_eq(sq_dataset_count(d), 0, "%s", sources[i]);
        sq_dataset_close(d);
        expect_open_fails(folder, sources[i], "val", i == 0 ? "set: no folder val" : "no shards of split val");
    }
    drop_folder(folder);
}
