/* Tests that crops from the device cache equal the loader's pixels, and that images that do not fit into the cache are
 * reported. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/loader/loader.h"
#include "tests/data/data_support.h"
#include "tests/support/support.h"

static bool stop_never(void)
{
    return false;
}

static sq_loader_options options_of(int side)
{
    return (sq_loader_options){.transform = augmenting_transform(side),
                               .batch = 7,
                               .is_shuffled = true,
                               .seed = 5,
                               .threads = 2,
                               .max_bad = 2};
}

/* Compares the batches of a loader with pixels and of a loader with crops, over more than one epoch. */
static void expect_same_batches(const sq_dataset *d, sq_backend *b, const sq_device_cache *device_cache)
{
    enum { SIDE = 20, BATCHES = 9 };
    const size_t bytes = 7 * SIDE * SIDE * 3;
    sq_loader_options options = options_of(SIDE);
    sq_loader *plain = NULL, *cropping = NULL;
    sq_device_ptr out;
    uint8_t *found = malloc(bytes);
    MUST(b->ops->allocate(b, bytes, &out));
    MUST(sq_loader_open(&plain, d, &options));
    options.device_cache = device_cache;
    MUST(sq_loader_open(&cropping, d, &options));
    for (int i = 0; i < BATCHES; i++) {
        sq_batch x, y;
        MUST(sq_loader_next(plain, &x));
        MUST(sq_loader_next(cropping, &y));
        cr_assert(x.images && !x.crops && !y.images && y.crops && x.count == y.count && x.index == y.index);
        MUST(b->ops->crop(b, &(sq_crop_batch){sq_device_cache_memory(device_cache), y.crops, y.count, SIDE, out}));
        MUST(b->ops->read(b, found, out, bytes));
        cr_expect_eq(memcmp(x.images, found, bytes), 0, "images of batch %d", i);
        cr_expect_eq(memcmp(x.labels, y.labels, 7 * sizeof *x.labels), 0, "labels of batch %d", i);
        cr_expect_eq(memcmp(x.augment, y.augment, 7 * SQ_AUGMENT_COUNT * sizeof *x.augment), 0, "batch %d", i);
    }
    cr_expect_eq(sq_loader_get_counters(plain).bad, sq_loader_get_counters(cropping).bad);
    sq_loader_close(plain);
    sq_loader_close(cropping);
    b->ops->release(b, out);
    free(found);
}

static void make_images(const char *folder)
{
    static const char *const names[] = {"rgb.jpg",    "grey.jpg",  "progressive.jpg", "cmyk.jpg",    "rgb.png",
                                        "grey16.png", "alpha.png", "palette.gif",     "pattern.png", "rgb.bmp"};
    for (int i = 0; i < 20; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "set/train/%c/%02d", 'a' + i % 2, i);
        copy_image(folder, name, names[i / 2]);
    }
    copy_first_half(folder, "set/train/b/99.png", "rgb.png");
    put_text(folder, "set/train/a/98.jpg", "");
}

Test(device_cache, gives_the_batches_of_the_loader_for_every_source)
{
    static const sq_pack_options packs[] = {{.quality = 90}, {.side = 30, .is_raw = true}};
    char *folder = make_folder();
    make_images(folder);
    for (int k = 0; k < 3; k++) {
        char path[700];
        sq_backend *b = NULL;
        sq_device_cache *device_cache = NULL;
        sq_cache_plan plan;
        sq_dataset *d = open_in(folder, "set", "train");
        if (k > 0) {
            (void)snprintf(path, sizeof path, "%s/packed-%d", folder, k);
            sq_pack_options options = packs[k - 1];
            options.max_bad = 2;
            pack_small(d, path, "train", options);
            sq_dataset_close(d);
            MUST(sq_dataset_open(&d, path, "train"));
        }
        MUST(sq_backend_open(k == 1 ? "reference" : "cpu", 2, &b));
        MUST(sq_device_cache_plan(&plan, d, b, 0, 1));
        cr_expect(plan.form == SQ_CACHE_DEVICE && plan.cached_count == sq_dataset_count(d));
        MUST(sq_device_cache_load(
            &device_cache, d, b,
            &(sq_device_cache_options){.bytes = plan.bytes, .threads = 3, .is_stopped = stop_never}));
        cr_expect(sq_device_cache_count(device_cache) == 20 && sq_device_cache_bytes(device_cache) <= plan.bytes);
        expect_same_batches(d, b, device_cache);
        sq_device_cache_close(device_cache);
        sq_backend_close(b);
        sq_dataset_close(d);
    }
    drop_folder(folder);
}

Test(device_cache, reports_images_that_do_not_fit_before_and_while_decoding)
{
    sq_dataset *d = NULL;
    sq_backend *b = NULL;
    sq_device_cache *device_cache = NULL;
    sq_cache_plan plan;
    MUST(sq_dataset_open(&d, SOURCE("data/samples"), "train"));
    MUST(sq_backend_open("cpu", 1, &b));
    MUST(sq_device_cache_plan(&plan, d, b, 1024, 1));
    cr_expect_eq(sq_device_cache_plan(&plan, d, b, (int)(plan.wanted_bytes >> 20), 1), SQ_NO_MEMORY);
    cr_expect_not_null(strstr(sq_error_text(), "for 3000 decoded images"), "%s", sq_error_text());
    cr_expect_not_null(strstr(sq_error_text(), "(data.cache_mb)"), "%s", sq_error_text());
    cr_expect_eq(sq_device_cache_plan(&plan, d, b, 0, 1 << 20), SQ_NO_MEMORY); /* each process gets less than 1 MiB */
    cr_expect_not_null(strstr(sq_error_text(), "(half of the available memory)"), "%s", sq_error_text());
    const sq_device_cache_options few = {.bytes = plan.wanted_bytes / 2, .threads = 2},
                                  stopped = {.bytes = plan.bytes, .threads = 2, .is_stopped = stop_at_once};
    cr_expect_eq(sq_device_cache_load(&device_cache, d, b, &few), SQ_NO_MEMORY);
    cr_expect_not_null(strstr(sq_error_text(), "of 3000 images need"), "%s", sq_error_text());
    cr_expect_eq(sq_device_cache_load(&device_cache, d, b, &stopped), SQ_INTERRUPTED);
    cr_expect_null(device_cache);
    sq_backend_close(b);
    sq_dataset_close(d);
}

Test(device_cache, rejects_loaders_without_random_crops_or_exact_decoding)
{
    sq_dataset *d = NULL;
    sq_backend *b = NULL;
    sq_device_cache *device_cache = NULL;
    sq_loader *loader = NULL;
    MUST(sq_dataset_open(&d, SOURCE("data/samples"), "val"));
    MUST(sq_backend_open("cpu", 1, &b));
    MUST(sq_device_cache_load(&device_cache, d, b, &(sq_device_cache_options){.bytes = 1 << 24}));
    sq_loader_options centre = options_of(16), draft = centre;
    centre.device_cache = draft.device_cache = device_cache;
    centre.transform.is_augmented = false;
    draft.decode = SQ_DECODE_DRAFT;
    cr_expect_eq(sq_loader_open(&loader, d, &centre), SQ_INVALID);
    cr_expect_eq(sq_loader_open(&loader, d, &draft), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "random crops"), "%s", sq_error_text());
    sq_device_cache_close(device_cache);
    sq_backend_close(b);
    sq_dataset_close(d);
}
