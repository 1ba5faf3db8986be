/* Tests WebDataset tars. */
#include <stdio.h>
#include <string.h>

#include "data/sources/webdataset.h"
#include "tests/data/data_support.h"
#include "tests/support/support.h"

/* Writes two tars, shards/train-0.tar and shards/train-1.tar, with four images of the classes 3 and 12. */
static void make_tars(const char *folder)
{
    put_text(folder, "w/000.jpg", "image 0");
    put_text(folder, "w/000.cls", "12\n");
    put_text(folder, "w/001.png", "image 1");
    put_text(folder, "w/001.json", "{\"label\": 3, \"filename\": \"x.jpg\"}");
    put_text(folder, "w/002.cls", "3");
    put_text(folder, "w/002.jpeg", "image 2");
    put_text(folder, "w/002.json", "{\"caption\": \"no label here\"}");
    put_text(folder, "w/002.seg.png", "not the image");
    run_shell(folder, "mkdir shards && cd w && tar -cf ../shards/train-0.tar --sort=name * && "
                      "tar -cf ../shards/train-1.tar 000.*");
}

Test(webdataset, lists_pairs_with_numbered_and_named_classes)
{
    static const char *const names[] = {"train-0.tar:001.png", "train-0.tar:002.jpeg", "train-0.tar:000.jpg",
                                        "train-1.tar:000.jpg"};
    char *folder = make_folder();
    sq_dataset *d = NULL;
    make_tars(folder);
    put_text(folder, "names.txt", "zero\none\ntwo\nthree\tand more\n4\n5\n6\n7\n8\n9\n10\n11\ntwelve\n");
    put_text(folder, "few.txt", "zero\none\n");
    d = open_in(folder, "shards", "train");
    cr_expect(sq_dataset_has_unnamed_split(d) && sq_dataset_count(d) == 4 && sq_dataset_class_count(d) == 2);
    for (size_t i = 0; i < 4; i++) {
        cr_expect_str_eq(sq_dataset_inner_name(d, i), names[i]);
        cr_expect_str_eq(sq_dataset_class(d, sq_dataset_label(d, i)), i < 2 ? "00003" : "00012");
    }
    sq_dataset_close(d);
    MUST(open_with(&d, folder, "shards", "train", &(sq_dataset_options){.classes = "names.txt"}));
    cr_expect_str_eq(sq_dataset_class(d, 0), "three");
    cr_expect_str_eq(sq_dataset_class(d, 1), "twelve");
    sq_dataset_close(d);
    const sq_dataset_options few = {.classes = "few.txt"};
    cr_expect_eq(open_with(&d, folder, "shards", "train", &few), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "000.cls: label out of range: found 12, expected 0..1"), "%s",
                       sq_error_text());
    drop_folder(folder);
}

Test(webdataset, rejects_missing_and_bad_labels)
{
    static const struct {
        const char *name, *text, *message;
    } bad[] = {{"003.cls", "cat", "003.cls: found 'cat', expected the number of a class"},
               {"003.cls", "-1", "003.cls: found '-1', expected"},
               {"003.cls", "100000", "003.cls: label out of range: found 100000, expected 0..99999"},
               {"003.json", "{\"label\":", "003.json: not valid JSON"},
               {"003.json", "{}", "003.jpg: no label: expected a .cls, or a .json with \"label\""}};
    char *folder = make_folder();
    make_tars(folder);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char name[32];
        put_text(folder, "w/003.jpg", "image 3");
        run_shell(folder, "rm -f w/003.cls w/003.json bad.tar");
        (void)snprintf(name, sizeof name, "w/%s", bad[i].name);
        put_text(folder, name, bad[i].text);
        run_shell(folder, "cd w && tar -cf ../bad.tar --sort=name *");
        expect_open_fails(folder, "bad.tar", "train", bad[i].message);
    }
    drop_folder(folder);
}

Test(webdataset, pairs_are_one_key_with_one_label_file)
{
    cr_expect(sq_webdataset_is_pair("a/1.jpg", "a/1.cls"));
    cr_expect(sq_webdataset_is_pair("1.json", "1.seg.png"));
    cr_expect_not(sq_webdataset_is_pair("1.jpg", "2.cls"));
    cr_expect_not(sq_webdataset_is_pair("1.jpg", "1.png"));
    cr_expect_not(sq_webdataset_is_pair("1", "1"));
    cr_expect_not(sq_webdataset_is_pair(".cls", ".jpg"));
}
