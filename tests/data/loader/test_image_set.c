/* Tests image sets. */
#include <string.h>
#include <unistd.h>

#include "data/loader/image_set.h"
#include "tests/support/support.h"

Test(image_set, loads_imagenet_originals)
{
    const char *const folder = SOURCE("../shared/datasets/imagenet-sample");
    sq_dataset *d = NULL;
    if (access(folder, R_OK) != 0)
        cr_skip_test("no ../shared/datasets/imagenet-sample");
    MUST(sq_dataset_open(&d, folder, "val"));
    const sq_loader_options options = {
        .transform = {.resolution = 224, .crop_fraction = 0.875}, .batch = 16, .threads = 2};
    sq_image_set set;
    MUST(sq_image_set_load(&set, d, &options, NULL, 0));
    cr_expect_eq(set.count, 173);
    cr_expect_eq(set.bad, 0);
    sq_image_set_clear(&set);
    sq_dataset_close(d);
}

Test(image_set, holds_the_chosen_images_in_order)
{
    static const size_t indices[] = {799, 0, 80, 0};
    sq_dataset *d = NULL;
    sq_image_set set;
    const sq_loader_options options = {.transform = {.resolution = 8, .crop_fraction = 1}, .batch = 3, .threads = 2};
    const size_t bytes = 8 * 8 * 3;
    MUST(sq_dataset_open(&d, SOURCE("data/samples"), "val"));
    MUST(sq_image_set_load(&set, d, &options, indices, 4));
    cr_assert(set.count == 4 && set.resolution == 8 && set.bad == 0);
    cr_expect(set.labels[0] == 9 && set.labels[1] == 0 && set.labels[2] == 1 && set.labels[3] == 0);
    cr_expect_eq(memcmp(set.images + bytes, set.images + 3 * bytes, bytes), 0);
    cr_expect_neq(memcmp(set.images, set.images + bytes, bytes), 0);
    sq_image_set_clear(&set);
    cr_expect_null(set.images);
    sq_dataset_close(d);
}
