/* Tests the list of a data set while the list is built. */
#include <stdlib.h>
#include <string.h>

#include "data/sources/listing.h"
#include "tests/support/support.h"

Test(listing, ignores_hidden_and_text_files)
{
    static const char *const ignored[] = {".hidden.png", "a/.x", "list.txt", "a/b.CSV", "c.json", "README.md", "d.mat"};
    static const char *const kept[] = {"1.png", "a.b/1", "txt", "a.txt/1.png"};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        cr_expect(sq_listing_ignores(ignored[i]), "%s", ignored[i]);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        cr_expect_not(sq_listing_ignores(kept[i]), "%s", kept[i]);
}

Test(listing, finds_the_file_name_in_a_path)
{
    cr_expect_eq(sq_listing_file_name_offset("1.png"), 0);
    cr_expect_eq(sq_listing_file_name_offset("a/b/1.png"), 4);
    cr_expect_eq(sq_listing_file_name_offset("a/"), 2);
}

/* Classes are sorted bytewise. In a class, the files of a folder come before the files of its subfolders, as in
 * torchvision's ImageFolder. */
Test(listing, sorts_and_numbers_as_image_folder)
{
    static const char *const names[] = {"b/z.png", "a/images/0.png", "a/x.png", "B/1.png"};
    static const char *const expected[] = {"B/1.png", "a/x.png", "a/images/0.png", "b/z.png"};
    static const int labels[] = {0, 1, 1, 2};
    sq_dataset *d = calloc(1, sizeof *d);
    for (int i = 0; i < 4; i++)
        MUST(sq_listing_add(d, names[i], names[i], 1,
                            (sq_dataset_entry){.inner_name_offset = 2, .tar = -1, .shard = -1}));
    MUST(sq_listing_number_classes(d));
    cr_assert_eq(sq_dataset_class_count(d), 3);
    for (size_t i = 0; i < 4; i++) {
        cr_expect_str_eq(sq_dataset_name(d, i), expected[i]);
        cr_expect_eq(sq_dataset_label(d, i), labels[i]);
    }
    sq_dataset_close(d);
}
