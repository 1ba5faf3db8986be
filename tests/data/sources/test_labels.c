/* Tests files of labels and of class names. */
#include <stdio.h>
#include <string.h>

#include "data/sources/labels.h"
#include "tests/data/data_support.h"
#include "tests/support/support.h"

static void make_flat_images(const char *folder)
{
    put_text(folder, "flat/V_1.JPEG", "one");
    put_text(folder, "flat/V_2.JPEG", "two");
    put_text(folder, "flat/V_3.JPEG", "three");
}

Test(labels, give_each_image_its_class)
{
    static const struct {
        const char *labels, *classes;
    } rows[] = {{"V_1.JPEG cat\nV_2.JPEG ant\nV_3.JPEG cat\nelsewhere.JPEG dog\n", NULL},
                {"V_3.JPEG\tcat\t0\t1\t2\t3\r\nV_1.JPEG\tcat\t0\r\nV_2.JPEG\tant\t9\r\n", NULL},
                {"ImageId,PredictionString\nV_2,ant 1 2 3 4\nV_1,cat 1 2 3 4 cat 5 6 7 8\nV_3,cat 0 0 1 1\n", NULL},
                {"V_1.JPEG 1\nV_2.JPEG 0\nV_3.JPEG 1\n", "ant\ncat\n"},
                {"cat\nant\ncat\n", NULL},
                {"2\n1\n2", "ant emmet\ncat\n"}};
    static const char *const sources[] = {"flat", "flat.tar", "under"};
    char *folder = make_folder();
    make_flat_images(folder);
    put_text(folder, "set/val/cat/V_1.JPEG", "one");
    put_text(folder, "set/val/ant/V_2.JPEG", "two");
    put_text(folder, "set/val/cat/V_3.JPEG", "three");
    run_shell(folder, "tar -cf flat.tar -C flat . && mkdir -p under/val && cp flat/* under/val && mkdir under/train");
    sq_dataset *expected = open_in(folder, "set", "val"), *d = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        put_text(folder, "labels", rows[i].labels);
        put_text(folder, "classes", rows[i].classes ? rows[i].classes : "");
        const sq_dataset_options lists = {.labels = "labels", .classes = rows[i].classes ? "classes" : NULL};
        for (int k = 0; k < 3; k++) {
            MUST(open_with(&d, folder, sources[k], "val", &lists));
            expect_same(expected, d);
            sq_dataset_close(d);
        }
    }
    sq_dataset_close(expected);
    drop_folder(folder);
}

Test(labels, names_the_line_and_the_image_of_a_bad_label)
{
    static const struct {
        const char *labels, *classes, *message;
    } bad[] = {
        {"V_1.JPEG cat\nV_2.JPEG ant\n", NULL, "labels: no label for image "},
        {"V_1.JPEG cat\nV_2.JPEG ant\nV_3.JPEG ant\nV_1.JPEG ant\n", NULL, "duplicate label for image V_1.JPEG"},
        {"V_1.JPEG 1\nV_2.JPEG 0\nV_3.JPEG 1\n", NULL,
         "is a number: expected a class name; give a list of names (--classes)"},
        {"V_1.JPEG 1\nV_2.JPEG 0\nV_3.JPEG 2\n", "ant\ncat\n", "labels:3: class out of range: found 2, expected 0..1"},
        {"1\n0\n1\n", "ant\ncat\n", "labels:2: class out of range: found 0, expected 1..2"},
        {"cat\nant\n", NULL, "labels: found 2 labels for 3 images"},
        {"cat\nV_2.JPEG ant\n", NULL, "labels:2: mixed format"},
        {"\n", NULL, "labels: no labels"}};
    char *folder = make_folder();
    make_flat_images(folder);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        sq_dataset *d = NULL;
        put_text(folder, "labels", bad[i].labels);
        put_text(folder, "classes", bad[i].classes ? bad[i].classes : "");
        const sq_dataset_options lists = {.labels = "labels", .classes = bad[i].classes ? "classes" : NULL};
        cr_expect_eq(open_with(&d, folder, "flat", "val", &lists), SQ_DATA);
        cr_expect_not_null(strstr(sq_error_text(), bad[i].message), "%s, expected %s", sq_error_text(), bad[i].message);
    }
    drop_folder(folder);
}

Test(labels, name_lists_skip_empty_lines_and_what_follows_a_name)
{
    char *folder = make_folder(), path[700];
    sq_name_list names = {0};
    put_text(folder, "names.txt", "ant emmet\n\n  cat\r\ndog,hound");
    (void)snprintf(path, sizeof path, "%s/names.txt", folder);
    MUST(sq_name_list_read(&names, path));
    cr_assert_eq(names.count, 3);
    cr_expect_str_eq(names.names[0], "ant");
    cr_expect_str_eq(names.names[1], "cat");
    cr_expect_str_eq(names.names[2], "dog");
    sq_name_list_free(&names);
    drop_folder(folder);
}
