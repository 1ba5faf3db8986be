/* Tests data sets: subsets, classes, and files that change after they were listed. */
#include <stdio.h>
#include <string.h>

#include "data/sources/dataset.h"
#include "tests/data/data_support.h"
#include "tests/support/support.h"

Test(dataset, held_out_images_and_the_rest_are_all_images)
{
    sq_dataset *whole = NULL, *rest = NULL, *part = NULL;
    int counts[10] = {0};
    MUST(sq_dataset_open(&whole, SOURCE("data/samples"), "train"));
    MUST(sq_dataset_hold_out(&part, whole, 0.1, 5, true));
    MUST(sq_dataset_hold_out(&rest, whole, 0.1, 5, false));
    cr_expect_eq(sq_dataset_count(whole), 3000);
    cr_expect_eq(sq_dataset_count(part), 300);
    cr_expect_eq(sq_dataset_count(rest), 2700);
    for (size_t i = 0; i < 300; i++)
        counts[sq_dataset_label(part, i)]++;
    for (int c = 0; c < 10; c++)
        cr_expect_eq(counts[c], 30);
    for (size_t i = 0, j = 0; i < 300; i++) { /* merges two sorted lists, which must have no common name */
        while (j < 2700 && strcmp(sq_dataset_name(rest, j), sq_dataset_name(part, i)) < 0)
            j++;
        cr_expect(j == 2700 || strcmp(sq_dataset_name(rest, j), sq_dataset_name(part, i)) != 0);
    }
    sq_dataset_close(part);
    sq_dataset_close(rest);
    sq_dataset_close(whole);
}

Test(dataset, names_a_class_that_only_one_set_has)
{
    char *folder = make_folder(), a[600], b[600];
    sq_dataset *x = NULL, *y = NULL;
    put_text(folder, "a/train/cat/1.png", "1");
    put_text(folder, "a/train/dog/1.png", "1");
    put_text(folder, "b/val/cat/1.png", "1");
    put_text(folder, "b/val/cow/1.png", "1");
    (void)snprintf(a, sizeof a, "%s/a", folder);
    (void)snprintf(b, sizeof b, "%s/b", folder);
    MUST(sq_dataset_open(&x, a, "train"));
    MUST(sq_dataset_open(&y, b, "val"));
    cr_expect_eq(sq_dataset_same_classes(x, y), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "'cow' is only in val"), "%s", sq_error_text());
    sq_dataset_close(x);
    sq_dataset_close(y);
    drop_folder(folder);
}

Test(dataset, keeps_the_first_classes_with_their_labels)
{
    sq_dataset *whole = NULL, *few = NULL;
    MUST(sq_dataset_open(&whole, SOURCE("data/samples"), "val"));
    MUST(sq_dataset_limit_classes(&few, whole, 3));
    cr_expect(sq_dataset_class_count(few) == 3 && sq_dataset_count(few) == 240);
    cr_expect_eq(sq_dataset_label(few, 239), 2);
    sq_dataset_close(few);
    cr_expect_eq(sq_dataset_limit_classes(&few, whole, 11), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "found 11, expected 1..10"), "%s", sq_error_text());
    sq_dataset_close(whole);
}
