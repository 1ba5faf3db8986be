/* Tests folders as sources. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "tests/data/data_support.h"
#include "tests/support/support.h"

/* The folder has the layout of the tiny-imagenet-200 archive from Stanford's course cs231n. */
Test(source_folder, lists_unpacked_tiny_imagenet)
{
    char *folder = make_folder();
    put_text(folder, "tiny/train/n1/images/n1_0.JPEG", "a");
    put_text(folder, "tiny/train/n1/images/n1_1.JPEG", "b");
    put_text(folder, "tiny/train/n1/n1_boxes.txt", "n1_0.JPEG 0 0 9 9");
    put_text(folder, "tiny/train/n2/images/n2_0.JPEG", "c");
    put_text(folder, "tiny/val/images/val_0.JPEG", "d");
    put_text(folder, "tiny/val/images/val_1.JPEG", "e");
    put_text(folder, "tiny/val/val_annotations.txt", "val_0.JPEG\tn2\t0\t0\t9\t9\nval_1.JPEG\tn1\t0\t0\t9\t9\n");
    sq_dataset *train = open_in(folder, "tiny", "train"), *val = open_in(folder, "tiny", "val");
    cr_expect(sq_dataset_count(train) == 3 && sq_dataset_count(val) == 2);
    cr_expect_str_eq(sq_dataset_inner_name(train, 0), "images/n1_0.JPEG");
    MUST(sq_dataset_same_classes(train, val));
    cr_expect_not_null(strstr(sq_dataset_name(val, 0), "val_1.JPEG"));
    sq_dataset_close(train);
    sq_dataset_close(val);
    drop_folder(folder);
}

Test(source_folder, names_what_cannot_be_listed)
{
    char *folder = make_folder();
    put_text(folder, "set/train/a/1.png", "one");
    run_shell(folder, "ln -s loop.png set/train/a/loop.png");
    expect_open_fails(folder, "set", "train", "a/loop.png: Too many levels of symbolic links");
    run_shell(folder, "rm set/train/a/loop.png && ln -s loop set/train/loop");
    expect_open_fails(folder, "set", "train", "train/loop: Too many levels of symbolic links");
    run_shell(folder, "rm set/train/loop && ln -s .. set/train/up");
    expect_open_fails(folder, "set", "train", "train/up: empty class folder");
    run_shell(folder, "rm set/train/up && ln -s gone set/train/a/2.png");
    expect_open_fails(folder, "set", "train", "a/2.png: No such file");
    run_shell(folder, "rm set/train/a/2.png && ln -s self self");
    expect_open_fails(folder, "self", "train", "self: Too many levels of symbolic links");
    run_shell(folder, "mkdir empty");
    expect_open_fails(folder, "empty", "train", "no images for split train");
    drop_folder(folder);
}

Test(source_folder, names_an_empty_class_and_a_missing_split)
{
    char *folder = make_folder();
    put_text(folder, "set/train/cat/1.png", "one");
    run_shell(folder, "mkdir set/train/empty");
    expect_open_fails(folder, "set", "train", "empty: empty class folder");
    expect_open_fails(folder, "set", "val", "no folder val");
    drop_folder(folder);
}
