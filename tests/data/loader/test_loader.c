/* Tests that the loader returns every sample once, with the same bits for any number of threads, first batch, rank and
 * cache. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/loader/loader.h"
#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "tests/data/jpegs.h"
#include "tests/support/support.h"

enum { SIDE = 20, PIXELS = SIDE * SIDE * 3 };

static sq_loader_options options_of(int batch, int threads, int ring)
{
    return (sq_loader_options){.transform = augmenting_transform(SIDE),
                               .batch = batch,
                               .is_shuffled = true,
                               .seed = 7,
                               .threads = threads,
                               .ring = ring,
                               .max_bad = 100};
}

/* ---- Every sample once ---- */

enum { IMAGES = 53, EPOCHS = 12 };

/* Opens a data set with one class per image, so that a label identifies its image. */
static sq_dataset *open_numbered(char *folder)
{
    sq_dataset *d = NULL;
    for (int i = 0; i < IMAGES; i++) {
        char name[64], ppm[64];
        (void)snprintf(name, sizeof name, "train/%03d/a.ppm", i);
        const int length = snprintf(ppm, sizeof ppm, "P6 2 2 255\n%c%c%c%c%c%c%c%c%c%c%c%c", 65, i + 1, 1, 66, i + 1, 2,
                                    67, i + 1, 3, 68, i + 1, 4);
        put_bytes(folder, name, ppm, (size_t)length);
    }
    MUST(sq_dataset_open(&d, folder, "train"));
    cr_assert_eq(sq_dataset_count(d), IMAGES);
    return d;
}

/* Reads the labels of EPOCHS epochs and returns a hash of all pixels. */
static uint64_t walk(const sq_dataset *d, const sq_loader_options *options, int *labels)
{
    sq_loader *loader = NULL;
    uint64_t hash = SQ_HASH_START;
    int done = 0;
    MUST(sq_loader_open(&loader, d, options));
    while (done < EPOCHS * IMAGES) {
        sq_batch b;
        MUST(sq_loader_next(loader, &b));
        cr_assert_eq(b.count, options->batch);
        hash = sq_hash(hash, b.images, (size_t)b.count * PIXELS);
        hash = sq_hash(hash, b.augment, (size_t)b.count * SQ_AUGMENT_COUNT * sizeof *b.augment);
        for (int i = 0; i < b.count && done < EPOCHS * IMAGES; i++)
            labels[done++] = b.labels[i];
    }
    const sq_loader_counters counters = sq_loader_get_counters(loader);
    cr_expect(counters.stalls >= 0 && counters.stalls <= EPOCHS * IMAGES / options->batch + 1);
    cr_expect(counters.prefetch_depth >= 2 && counters.prefetch_depth <= options->ring, "%d ahead",
              counters.prefetch_depth);
    cr_expect(counters.stage_seconds[SQ_STAGE_RESIZE] > 0);
    sq_loader_close(loader);
    return hash;
}

Test(loader, shows_every_image_once_per_epoch_for_any_number_of_threads)
{
    static const struct {
        int batch, threads, ring;
    } rows[] = {{5, 1, 2}, {5, 2, 2}, {5, 16, 7}, {1, 8, 3}, {53, 3, 4}, {120, 5, 3}, {400, 32, 2}};
    char *folder = make_folder();
    sq_dataset *d = open_numbered(folder);
    int first[EPOCHS * IMAGES], labels[EPOCHS * IMAGES];
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        const sq_loader_options options = options_of(rows[r].batch, rows[r].threads, rows[r].ring);
        (void)walk(d, &options, r == 0 ? first : labels);
        if (r > 0)
            cr_expect_eq(memcmp(first, labels, sizeof first), 0, "batch %d, %d threads", rows[r].batch,
                         rows[r].threads);
    }
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        bool seen[IMAGES] = {false};
        for (int i = 0; i < IMAGES; i++) {
            const int label = first[epoch * IMAGES + i];
            cr_expect(!seen[label], "epoch %d: image %d twice", epoch, label);
            seen[label] = true;
        }
    }
    sq_dataset_close(d);
    drop_folder(folder);
}

Test(loader, begins_at_any_batch)
{
    char *folder = make_folder();
    sq_dataset *d = open_numbered(folder);
    uint64_t hashes[40];
    for (uint64_t first = 0; first < 40; first += 1 + first / 3) {
        sq_loader *loader = NULL;
        sq_loader_options options = options_of(9, 6, 3);
        options.first_batch = first;
        MUST(sq_loader_open(&loader, d, &options));
        for (uint64_t i = first; i < 40; i++) {
            sq_batch b;
            MUST(sq_loader_next(loader, &b));
            cr_expect_eq(b.index, i);
            const uint64_t hash = sq_hash(SQ_HASH_START, b.images, (size_t)b.count * PIXELS);
            cr_expect(first == 0 || hash == hashes[i], "batch %d, first batch %d", (int)i, (int)first);
            hashes[i] = hash;
        }
        sq_loader_close(loader);
    }
    sq_dataset_close(d);
    drop_folder(folder);
}

/* Reads with 1, 2 and 4 ranks, starting in the middle of the second epoch and ending in the third. */
Test(loader, ranks_share_batches_without_changing_them)
{
    enum { BATCH = 8, FIRST = 9, BATCHES = 12 };
    char *folder = make_folder();
    sq_dataset *d = open_numbered(folder);
    static uint8_t images[2][BATCHES * BATCH * PIXELS];
    int labels[2][BATCHES * BATCH];
    for (int ranks = 1; ranks <= 4; ranks *= 2) {
        const int each = BATCH / ranks, at = ranks > 1;
        for (int rank = 0; rank < ranks; rank++) {
            sq_loader_options options = options_of(each, 1 + rank % 2, 3);
            sq_loader *loader = NULL;
            options.first_batch = FIRST;
            options.rank = rank;
            options.rank_count = ranks;
            MUST(sq_loader_open(&loader, d, &options));
            for (int s = 0; s < BATCHES; s++) {
                sq_batch b;
                MUST(sq_loader_next(loader, &b));
                const size_t to = (size_t)(s * BATCH + rank * each);
                cr_assert(b.count == each && b.index == (uint64_t)(FIRST + s));
                memcpy(images[at] + to * PIXELS, b.images, (size_t)each * PIXELS);
                for (int i = 0; i < each; i++)
                    labels[at][to + (size_t)i] = b.labels[i];
            }
            sq_loader_close(loader);
        }
        cr_expect_eq(memcmp(labels[0], labels[at], sizeof labels[0]), 0, "%d ranks", ranks);
        cr_expect_eq(memcmp(images[0], images[at], sizeof images[0]), 0, "%d ranks", ranks);
    }
    sq_dataset_close(d);
    drop_folder(folder);
}

Test(loader, unshuffled_ends_after_the_last_image)
{
    static const size_t indices[] = {4, 50, 4, 0, 17};
    char *folder = make_folder();
    sq_dataset *d = open_numbered(folder);
    sq_loader *loader = NULL;
    sq_loader_options options = options_of(2, 4, 2);
    options.is_shuffled = false;
    options.indices = indices;
    options.index_count = 5;
    MUST(sq_loader_open(&loader, d, &options));
    for (size_t done = 0; done < 5;) {
        sq_batch b;
        MUST(sq_loader_next(loader, &b));
        cr_assert_eq(b.count, done == 4 ? 1 : 2);
        for (int i = 0; i < b.count; i++)
            cr_expect_eq(b.labels[i], (int)indices[done++]);
    }
    for (int again = 0; again < 3; again++) {
        sq_batch b;
        MUST(sq_loader_next(loader, &b));
        cr_expect_eq(b.count, 0);
    }
    sq_loader_close(loader);
    sq_dataset_close(d);
    drop_folder(folder);
}

Test(loader, prefetches_by_the_measured_rates)
{
    cr_expect_eq(sq_loader_prefetch_depth(1, 0, 8), 2);      /* the interval is not known yet */
    cr_expect_eq(sq_loader_prefetch_depth(0.1, 1, 8), 2);    /* batches are made ten times faster than they are used */
    cr_expect_eq(sq_loader_prefetch_depth(0.99, 1, 8), 2);   /* one batch is made while one is used */
    cr_expect_eq(sq_loader_prefetch_depth(2.5, 1, 8), 4);    /* three batches are used while one is made */
    cr_expect_eq(sq_loader_prefetch_depth(100, 1, 8), 8);    /* limited by `most` */
    cr_expect_eq(sq_loader_prefetch_depth(100, 1e-9, 8), 8); /* no overflow */
    cr_expect_eq(sq_loader_prefetch_depth(2.5, 1, 2), 2);
}

static uint64_t hash_of(uint64_t hash, const sq_batch *b)
{
    hash = sq_hash(hash, b->images, (size_t)b->count * 20 * 20 * 3);
    hash = sq_hash(hash, b->labels, (size_t)b->count * sizeof *b->labels);
    return sq_hash(hash, b->augment, (size_t)b->count * SQ_AUGMENT_COUNT * sizeof *b->augment);
}

Test(loader, batches_do_not_depend_on_threads_or_the_first_batch)
{
    sq_dataset *d = NULL;
    uint64_t hashes[3][30];
    MUST(sq_dataset_open(&d, SOURCE("data/samples"), "val"));
    for (int k = 0; k < 3; k++) {
        sq_loader *loader = NULL;
        sq_loader_options options = options_of(7, k == 0 ? 1 : 4, 3);
        options.first_batch = k == 2 ? 105 : 100; /* an epoch has 114.3 batches, so this crosses its end */
        MUST(sq_loader_open(&loader, d, &options));
        for (uint64_t i = options.first_batch - 100; i < 30; i++) {
            sq_batch b;
            MUST(sq_loader_next(loader, &b));
            cr_expect_eq(b.index, 100 + i);
            hashes[k][i] = hash_of(1, &b);
        }
        sq_loader_close(loader);
    }
    for (int i = 0; i < 30; i++) {
        cr_expect_eq(hashes[0][i], hashes[1][i], "batch %d, threads", i);
        cr_expect(i < 5 || hashes[0][i] == hashes[2][i], "batch %d, later first batch", i);
    }
    sq_dataset_close(d);
}

/* ---- Caches ---- */

/* Opens a data set with JPEGs of every kind, other formats, a truncated JPEG, and a JPEG that is damaged in its last
 * rows. Few crops include these rows. */
static sq_dataset *open_mixed(char *folder)
{
    static const char *const other_formats[] = {"cmyk.jpg", "rgb.png", "grey16.png", "palette.gif", "rgb.bmp"};
    sq_dataset *d = NULL;
    char name[128], path[512], *bytes = NULL;
    size_t size = 0;
    for (int k = 0; k < JPEG_KINDS; k++) {
        unsigned long length = 0;
        unsigned char *jpeg = make_jpeg(&jpeg_kinds[k], 60 + 7 * k, 150 - 9 * k, &length);
        (void)snprintf(name, sizeof name, "train/c%d/a.jpg", k % 3);
        name[9] = (char)('a' + k);
        put_bytes(folder, name, jpeg, length);
        if (k == 2) {
            put_bytes(folder, "train/c0/short.jpg", jpeg, length / 2);
            memset(jpeg + length - 150, 0xFF, 100); /* before the end marker */
            put_bytes(folder, "train/c0/damaged.jpg", jpeg, length);
        }
        free(jpeg);
    }
    for (int i = 0; i < 5; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", SOURCE("tests/fixtures/images"), other_formats[i]);
        (void)snprintf(name, sizeof name, "train/c%d/%s", i % 3, other_formats[i]);
        MUST(sq_file_read(path, 1 << 20, &bytes, &size));
        put_bytes(folder, name, bytes, size);
        free(bytes);
    }
    MUST(sq_dataset_open(&d, folder, "train"));
    return d;
}

/* Returns the hash of all pixels of 12 epochs, and the counters at the end. */
static uint64_t hash_with(const sq_dataset *d, const sq_cache_plan *plan, sq_decode_mode decode,
                          sq_loader_counters *counters)
{
    sq_loader *loader = NULL;
    sq_loader_options options = options_of(6, 4, 3);
    uint64_t hash = SQ_HASH_START;
    options.decode = decode;
    options.cache = plan;
    MUST(sq_loader_open(&loader, d, &options));
    for (int i = 0; i < 36; i++) {
        sq_batch b;
        MUST(sq_loader_next(loader, &b));
        hash = sq_hash(hash, b.images, (size_t)b.count * PIXELS);
        hash = sq_hash(hash, b.labels, (size_t)b.count * sizeof *b.labels);
    }
    *counters = sq_loader_get_counters(loader);
    sq_loader_close(loader);
    return hash;
}

Test(loader, caches_change_no_bit)
{
    char *folder = make_folder();
    sq_dataset *d = open_mixed(folder);
    const size_t count = sq_dataset_count(d);
    sq_loader_counters counters;
    cr_assert_eq(count, 18);
    for (int decode = SQ_DECODE_EXACT; decode <= SQ_DECODE_DRAFT; decode++) {
        const uint64_t wanted = hash_with(d, NULL, (sq_decode_mode)decode, &counters);
        const int64_t bad = counters.bad;
        cr_expect_geq(bad, 1);
        cr_expect_eq(counters.cached_images, 0);
        for (int is_small = 0; is_small < 2; is_small++) {
            sq_cache_plan plan;
            MUST(sq_cache_plan_make(&plan, d, is_small ? 30000 : 1 << 24, decode == SQ_DECODE_EXACT));
            const bool is_decoded = decode == SQ_DECODE_EXACT && !is_small;
            cr_expect_eq(plan.form, is_decoded ? SQ_CACHE_DECODED : SQ_CACHE_ENCODED);
            cr_expect_eq(hash_with(d, &plan, (sq_decode_mode)decode, &counters), wanted, "decode %d, small %d", decode,
                         is_small);
            cr_expect_eq(counters.bad, bad);
            cr_expect(counters.cached_bytes <= plan.bytes && counters.cached_images > 0);
            if (is_small)
                cr_expect(counters.cached_images < count && plan.cached_count < count && plan.bytes == 30000);
            else /* two images cannot be decoded completely, so they are not cached as pixels */
                cr_expect_geq(counters.cached_images, count - (is_decoded ? 2 : 0));
        }
    }
    sq_dataset_close(d);
    drop_folder(folder);
}
