/* Tests the statistics of shards. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/pack/summary.h"
#include "tests/data/data_support.h"
#include "tests/support/support.h"

/* Opens a data set with ten images that decode and three that do not. */
static sq_dataset *open_unusual(const char *folder)
{
    for (int i = 0; i < 5; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "set/train/a/plain-%d.jpg", i);
        copy_image(folder, name, "rgb.jpg");
    }
    copy_image(folder, "set/train/a/cmyk.jpg", "cmyk.jpg");
    copy_image(folder, "set/train/a/grey.jpg", "grey.jpg");
    copy_image(folder, "set/train/b/named.JPEG", "png_named.JPEG");
    copy_rotated(folder, "set/train/b/rotated.jpg", 6);
    copy_rotated(folder, "set/train/b/upright.jpg", 1);
    put_text(folder, "set/train/b/zero.jpg", "");
    copy_first_half(folder, "set/train/b/cut.jpg", "rgb.jpg");
    copy_bomb(folder, "set/train/b/bomb.png");
    return open_in(folder, "set", "train");
}

Test(summary, counts_and_lists_unusual_images)
{
    static const char *const lines[] = {"CMYK\ta/cmyk.jpg\n",        "grey\ta/grey.jpg\n",
                                        "PNG\tb/named.JPEG\n",       "EXIF-rotated\tb/rotated.jpg\n",
                                        "undecodable\tb/zero.jpg\n", "undecodable\tb/cut.jpg\n",
                                        "undecodable\tb/bomb.png\n"};
    char *folder = make_folder(), path[700], list[700];
    sq_pack_summary s;
    sq_dataset *d = open_unusual(folder);
    (void)snprintf(path, sizeof path, "%s/packed", folder);
    (void)snprintf(list, sizeof list, "%s/unusual.txt", folder);
    pack_small(d, path, "train", (sq_pack_options){.max_bad = 3});
    MUST(sq_pack_summarise(&s, path, "train", list));
    cr_expect(s.images == 13 && s.classes == 2 && s.shards == 1);
    cr_expect(s.formats[SQ_FORMAT_JPEG] == 10 && s.formats[SQ_FORMAT_PNG] == 2 && s.formats[SQ_FORMAT_UNKNOWN] == 1);
    cr_expect(s.cmyk == 1 && s.grey == 1 && s.rotated == 1 && s.undecodable == 3 && s.reencoded == 0, "undecodable %d",
              (int)s.undecodable);
    char *text = read_text(folder, "unusual.txt");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        cr_expect_not_null(strstr(text, lines[i]), "no %s in\n%s", lines[i], text);
    cr_expect_null(strstr(text, "upright"));
    cr_expect_null(strstr(text, "plain"));
    free(text);
    sq_dataset *packed = open_in(folder, "packed", "train");
    expect_same(d, packed); /* undecodable images keep their bytes and their positions */
    sq_dataset_close(packed);
    sq_dataset_close(d);
    drop_folder(folder);
}

/* Undecodable images are stored unchanged even in a pack of raw pixels. */
Test(summary, counts_raw_and_limits_undecodable_images)
{
    char *folder = make_folder(), path[700];
    sq_pack_summary s;
    sq_dataset *d = open_unusual(folder);
    sq_pack_options options = {.side = 16, .is_raw = true, .max_bad = 2};
    (void)snprintf(path, sizeof path, "%s/raw", folder);
    cr_expect_eq(sq_pack(d, path, "train", &options), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "too many undecodable images: found 3, expected at most 2"), "%s",
                       sq_error_text());
    options.max_bad = 3;
    MUST(sq_pack(d, path, "train", &options));
    MUST(sq_pack_summarise(&s, path, "train", NULL));
    cr_expect(s.images == 13 && s.raw == 10 && s.undecodable == 3);
    sq_dataset_close(d);
    drop_folder(folder);
}
