/* Tests the supported layouts of tars. */
#include "data/sources/source_tar.h"
#include "tests/data/data_support.h"
#include "tests/support/support.h"

Test(source_tar, a_split_after_a_pair_makes_it_a_tree)
{
    char *folder = make_folder();
    put_text(folder, "1.jpg", "image");
    put_text(folder, "1.cls", "0");
    put_text(folder, "train/cat/1.png", "one");
    run_shell(folder, "tar -cf pairs.tar 1.jpg 1.cls && tar -cf tree.tar 1.jpg 1.cls train");
    sq_dataset *pairs = open_in(folder, "pairs.tar", "train"), *tree = open_in(folder, "tree.tar", "train");
    cr_expect(sq_dataset_has_unnamed_split(pairs) && !sq_dataset_has_unnamed_split(tree));
    cr_expect_str_eq(sq_dataset_class(pairs, 0), "00000");
    cr_expect_str_eq(sq_dataset_class(tree, 0), "cat");
    sq_dataset_close(pairs);
    sq_dataset_close(tree);
    drop_folder(folder);
}

Test(source_tar, lists_class_folders_without_a_split)
{
    char *folder = make_folder();
    put_text(folder, "cat/images/1.png", "one");
    put_text(folder, "cat/notes.txt", "not an image");
    put_text(folder, "cat/deeper/still/2.png", "not an image of a class folder");
    run_shell(folder, "tar -cf classes.tar ./cat");
    sq_dataset *d = open_in(folder, "classes.tar", "val");
    cr_expect(sq_dataset_has_unnamed_split(d) && sq_dataset_count(d) == 1);
    cr_expect_str_eq(sq_dataset_inner_name(d, 0), "images/1.png");
    sq_dataset_close(d);
    drop_folder(folder);
}

Test(source_tar, names_an_empty_class_tar)
{
    char *folder = make_folder();
    run_shell(folder, "tar -cf b.tar -T /dev/null && tar -cf nested.tar b.tar");
    expect_open_fails(folder, "nested.tar", "train", "nested.tar:b.tar: empty class: expected images");
    drop_folder(folder);
}
