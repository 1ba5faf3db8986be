/* Where images may come from: the same list, whatever holds them; lists of labels; what cannot be listed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "tests/data/pack_support.h"
#include "tests/support/support.h"

static void shell(const char *folder, const char *commands)
{
    char command[2048];
    (void)snprintf(command, sizeof command, "cd '%s' && %s", folder, commands);
    cr_assert_eq(system(command), 0, "%s", commands);
}

static sq_status open_with(sq_dataset **out, const char *folder, const char *name, const char *split,
                           const char *labels, const char *classes)
{
    char source[1024], a[1024], b[1024];
    (void)snprintf(source, sizeof source, "%s/%s", folder, name);
    (void)snprintf(a, sizeof a, "%s/%s", folder, labels ? labels : "");
    (void)snprintf(b, sizeof b, "%s/%s", folder, classes ? classes : "");
    return sq_dataset_open_with(out, source, split,
                                &(sq_dataset_options){.labels = labels ? a : NULL, .classes = classes ? b : NULL});
}

static void expect_refused(const char *folder, const char *name, const char *split, const char *why)
{
    sq_dataset *d = NULL;
    cr_expect_neq(open_with(&d, folder, name, split, NULL, NULL), SQ_OK, "%s", why);
    cr_expect_not_null(strstr(sq_error_text(), why), "%s, wanted %s", sq_error_text(), why);
}

/* Names that sort differently as whole paths: a class in both tars, a folder images/ beside a file. */
Test(sources, one_order_whatever_holds_the_images)
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
    shell(folder, "tar -cf one.tar -C set train && mkdir two nested placed && "
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

Test(sources, members_above_eight_gigabytes_and_pax_sizes_are_understood)
{
    char *folder = make_folder();
    size_t read = 0, capacity = 0;
    void *bytes = NULL;
    /* A sparse file of 9 GiB takes a size that 11 octal digits cannot say: base 256 in GNU's format, a record in pax.
     */
    shell(folder,
          "mkdir -p train/a && truncate -s 9G train/a/1.img && printf last > train/a/2.img && "
          "python3 - <<'END'\n"
          "import io, tarfile\n"
          "for name, form in (('gnu', tarfile.GNU_FORMAT), ('pax', tarfile.PAX_FORMAT)):\n"
          "    with open(name + '.tar', 'wb') as file:\n"
          "        for member, size, text in (('train/a/1.img', 9 << 30, b''), ('train/a/2.img', 4, b'last')):\n"
          "            info = tarfile.TarInfo(member)\n"
          "            info.size = size\n"
          "            file.write(info.tobuf(form))\n"
          "            begin = file.tell()\n"
          "            file.write(text)\n"
          "            file.truncate(begin + (size + 511) // 512 * 512)\n"
          "            file.seek(0, 2)\n"
          "        file.write(bytes(1024))\n"
          "END");
    for (int k = 0; k < 2; k++) {
        sq_dataset *d = open_in(folder, k ? "pax.tar" : "gnu.tar", "train");
        cr_assert_eq(sq_dataset_count(d), 2);
        cr_expect_eq(sq_dataset_size(d, 0), (size_t)9 << 30);
        cr_expect_eq(sq_dataset_read(d, 0, &bytes, &capacity, &read), SQ_DATA);
        cr_expect_not_null(strstr(sq_error_text(), "1.img: 9663676416 bytes, wanted at most"), "%s", sq_error_text());
        MUST(sq_dataset_read(d, 1, &bytes, &capacity, &read));
        cr_expect(read == 4 && memcmp(bytes, "last", 4) == 0);
        sq_dataset_close(d);
    }
    free(bytes);
    drop_folder(folder);
}

Test(sources, a_name_that_has_no_room_is_refused)
{
    char *folder = make_folder();
    shell(folder, "python3 - <<'END'\n"
                  "import tarfile\n"
                  "for name, form in (('gnu', tarfile.GNU_FORMAT), ('pax', tarfile.PAX_FORMAT)):\n"
                  "    with open(name + '.tar', 'wb') as file:\n"
                  "        file.write(tarfile.TarInfo('train/a/' + 5000 * 'n').tobuf(form) + bytes(1024))\n"
                  "END");
    expect_refused(folder, "gnu.tar", "train", "a name of 5008 bytes");
    expect_refused(folder, "pax.tar", "train", "a name of 5008 bytes");
    drop_folder(folder);
}

Test(sources, a_tar_that_is_cut_is_told)
{
    char *folder = make_folder(), path[700];
    void *bytes = NULL;
    size_t capacity = 0, size = 0;
    put_text(folder, "train/a/1.png", "these bytes are gone when they are read");
    shell(folder, "tar -cf set.tar train && tar -cf nested.tar set.tar");
    (void)snprintf(path, sizeof path, "%s/set.tar", folder);
    sq_dataset *d = open_in(folder, "set.tar", "train");
    cr_assert_eq(truncate(path, 1024 + 512 + 10), 0);
    cr_expect_eq(sq_dataset_read(d, 0, &bytes, &capacity, &size), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "set.tar:train/a/1.png: ends after 10 of 39 bytes"), "%s",
                       sq_error_text());
    sq_dataset_close(d);
    expect_refused(folder, "set.tar", "train", "set.tar: the member at byte 1024 ends after the tar");
    cr_assert_eq(truncate(path, 700), 0);
    expect_refused(folder, "set.tar", "train", "set.tar: the tar ends inside a header at byte 512");
    (void)snprintf(path, sizeof path, "%s/nested.tar", folder);
    cr_assert_eq(truncate(path, 2000), 0);
    expect_refused(folder, "nested.tar", "train", "nested.tar: the member at byte 0 ends after the tar");
    free(bytes);
    drop_folder(folder);
}

Test(sources, webdataset_pairs)
{
    char *folder = make_folder();
    sq_dataset *d = NULL;
    put_text(folder, "w/000.jpg", "image 0");
    put_text(folder, "w/000.cls", "12\n");
    put_text(folder, "w/001.png", "image 1");
    put_text(folder, "w/001.json", "{\"label\": 3, \"filename\": \"x.jpg\"}");
    put_text(folder, "w/002.cls", "3");
    put_text(folder, "w/002.jpeg", "image 2");
    put_text(folder, "w/002.json", "{\"caption\": \"no label here\"}");
    put_text(folder, "w/002.seg.png", "not the image");
    put_text(folder, "names.txt", "zero\none\ntwo\nthree\tand more\n4\n5\n6\n7\n8\n9\n10\n11\ntwelve\n");
    put_text(folder, "few.txt", "zero\none\n");
    shell(folder,
          "mkdir shards && cd w && tar -cf ../shards/train-0.tar --sort=name * && tar -cf ../shards/train-1.tar 000.*");
    MUST(open_with(&d, folder, "shards", "train", NULL, NULL));
    cr_expect(sq_dataset_has_unnamed_split(d) && sq_dataset_count(d) == 4 && sq_dataset_class_count(d) == 2);
    static const char *const names[] = {"train-0.tar:001.png", "train-0.tar:002.jpeg", "train-0.tar:000.jpg",
                                        "train-1.tar:000.jpg"};
    for (size_t i = 0; i < 4; i++) {
        cr_expect_str_eq(sq_dataset_inner_name(d, i), names[i]);
        cr_expect_str_eq(sq_dataset_class(d, sq_dataset_label(d, i)), i < 2 ? "00003" : "00012");
    }
    sq_dataset_close(d);
    MUST(open_with(&d, folder, "shards", "train", NULL, "names.txt"));
    cr_expect_str_eq(sq_dataset_class(d, 0), "three");
    cr_expect_str_eq(sq_dataset_class(d, 1), "twelve");
    sq_dataset_close(d);
    cr_expect_eq(open_with(&d, folder, "shards", "train", NULL, "few.txt"), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "000.cls: label 12, wanted 0..1"), "%s", sq_error_text());
    static const struct {
        const char *name, *text, *why;
    } bad[] = {{"003.cls", "cat", "003.cls: 'cat', wanted the number of a class"},
               {"003.cls", "-1", "003.cls: '-1', wanted"},
               {"003.cls", "100000", "003.cls: label 100000, wanted 0..99999"},
               {"003.json", "{\"label\":", "003.json: not JSON"},
               {"003.json", "{}", "003.jpg: no .cls and no .json with a label beside it"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_text(folder, "w/003.jpg", "image 3");
        put_text(folder, "w/003.cls", "");
        shell(folder, "rm w/003.cls; rm -f w/003.json bad.tar");
        char name[32];
        (void)snprintf(name, sizeof name, "w/%s", bad[i].name);
        put_text(folder, name, bad[i].text);
        shell(folder, "cd w && tar -cf ../bad.tar --sort=name *");
        expect_refused(folder, "bad.tar", "train", bad[i].why);
    }
    drop_folder(folder);
}

Test(sources, lists_of_labels)
{
    static const struct {
        const char *labels, *classes;
    } rows[] = {{"V_1.JPEG cat\nV_2.JPEG ant\nV_3.JPEG cat\nelsewhere.JPEG dog\n", NULL},
                {"V_3.JPEG\tcat\t0\t1\t2\t3\r\nV_1.JPEG\tcat\t0\r\nV_2.JPEG\tant\t9\r\n", NULL},
                {"ImageId,PredictionString\nV_2,ant 1 2 3 4\nV_1,cat 1 2 3 4 cat 5 6 7 8\nV_3,cat 0 0 1 1\n", NULL},
                {"V_1.JPEG 1\nV_2.JPEG 0\nV_3.JPEG 1\n", "ant\ncat\n"},
                {"cat\nant\ncat\n", NULL},
                {"2\n1\n2", "ant emmet\ncat\n"}};
    char *folder = make_folder();
    put_text(folder, "flat/V_1.JPEG", "one");
    put_text(folder, "flat/V_2.JPEG", "two");
    put_text(folder, "flat/V_3.JPEG", "three");
    put_text(folder, "set/val/cat/V_1.JPEG", "one");
    put_text(folder, "set/val/ant/V_2.JPEG", "two");
    put_text(folder, "set/val/cat/V_3.JPEG", "three");
    shell(folder, "tar -cf flat.tar -C flat . && mkdir -p under/val && cp flat/* under/val && mkdir under/train");
    sq_dataset *wanted = open_in(folder, "set", "val"), *d = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static const char *const sources[] = {"flat", "flat.tar", "under"};
        put_text(folder, "labels", rows[i].labels);
        put_text(folder, "classes", rows[i].classes ? rows[i].classes : "");
        for (int k = 0; k < 3; k++) {
            MUST(open_with(&d, folder, sources[k], "val", "labels", rows[i].classes ? "classes" : NULL));
            expect_same(wanted, d);
            sq_dataset_close(d);
        }
    }
    static const struct {
        const char *labels, *classes, *why;
    } bad[] = {
        {"V_1.JPEG cat\nV_2.JPEG ant\n", NULL, "labels: has no class for "},
        {"V_1.JPEG cat\nV_2.JPEG ant\nV_3.JPEG ant\nV_1.JPEG ant\n", NULL, "a second class for V_1.JPEG"},
        {"V_1.JPEG 1\nV_2.JPEG 0\nV_3.JPEG 1\n", NULL, "is a number, wanted a list of class names with it (--classes)"},
        {"V_1.JPEG 1\nV_2.JPEG 0\nV_3.JPEG 2\n", "ant\ncat\n", "labels:3: class 2, wanted 0..1"},
        {"1\n0\n1\n", "ant\ncat\n", "labels:2: class 0, wanted 1..2"},
        {"cat\nant\n", NULL, "labels: 2 classes for 3 images"},
        {"cat\nV_2.JPEG ant\n", NULL, "labels:2: some lines have one word, others more"},
        {"\n", NULL, "labels: no labels"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_text(folder, "labels", bad[i].labels);
        put_text(folder, "classes", bad[i].classes ? bad[i].classes : "");
        cr_expect_eq(open_with(&d, folder, "flat", "val", "labels", bad[i].classes ? "classes" : NULL), SQ_DATA);
        cr_expect_not_null(strstr(sq_error_text(), bad[i].why), "%s, wanted %s", sq_error_text(), bad[i].why);
    }
    sq_dataset_close(wanted);
    drop_folder(folder);
}

/* As cs231n's archive is unpacked. */
Test(sources, tiny_imagenet_as_it_is_unpacked)
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

Test(sources, what_cannot_be_listed_is_named)
{
    char *folder = make_folder();
    put_text(folder, "set/train/a/1.png", "one");
    shell(folder, "ln -s loop.png set/train/a/loop.png");
    expect_refused(folder, "set", "train", "a/loop.png: Too many levels of symbolic links");
    shell(folder, "rm set/train/a/loop.png && ln -s loop set/train/loop");
    expect_refused(folder, "set", "train", "train/loop: Too many levels of symbolic links");
    shell(folder, "rm set/train/loop && ln -s .. set/train/up");
    expect_refused(folder, "set", "train", "train/up: an empty class folder");
    shell(folder, "rm set/train/up && ln -s gone set/train/a/2.png");
    expect_refused(folder, "set", "train", "a/2.png: No such file");
    shell(folder, "rm set/train/a/2.png && ln -s self self");
    expect_refused(folder, "self", "train", "self: Too many levels of symbolic links");
    shell(folder, "mkdir empty && tar -cf b.tar -T /dev/null && tar -cf nested.tar b.tar");
    expect_refused(folder, "nested.tar", "train", "nested.tar:b.tar: an empty class, wanted images");
    expect_refused(folder, "empty", "train", "no images for train");
    drop_folder(folder);
}
