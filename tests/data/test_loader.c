/* The loader: every sample once, the same bits whatever threads, caches and decoders do. */
#define _GNU_SOURCE /* CPU sets */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/loader/cores.h"
#include "data/loader/loader.h"
#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "tests/data/jpegs.h"
#include "tests/data/pillow.h"
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

/* One class an image, so that a label says which image it is. */
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

/* Labels of EPOCHS epochs, and a hash of all pixels. */
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

Test(loader, every_epoch_has_every_image_once_however_many_threads_take_from_each_other)
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

Test(loader, any_batch_can_be_the_first)
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
            cr_expect(first == 0 || hash == hashes[i], "batch %d, begun at %d", (int)i, (int)first);
            hashes[i] = hash;
        }
        sq_loader_close(loader);
    }
    sq_dataset_close(d);
    drop_folder(folder);
}

/* 1, 2 and 4 loaders that share each batch, as ranks do; begun in the middle of the second epoch, across the seam to
 * the third. */
Test(loader, loaders_that_share_batches_make_what_one_makes)
{
    enum { BATCH = 8, FIRST = 9, BATCHES = 12 };
    char *folder = make_folder();
    sq_dataset *d = open_numbered(folder);
    static uint8_t images[2][BATCHES * BATCH * PIXELS];
    int labels[2][BATCHES * BATCH];
    for (int parts = 1; parts <= 4; parts *= 2) {
        const int each = BATCH / parts, at = parts > 1;
        for (int part = 0; part < parts; part++) {
            sq_loader_options options = options_of(each, 1 + part % 2, 3);
            sq_loader *loader = NULL;
            options.first_batch = FIRST;
            options.rank = part;
            options.rank_count = parts;
            MUST(sq_loader_open(&loader, d, &options));
            for (int s = 0; s < BATCHES; s++) {
                sq_batch b;
                MUST(sq_loader_next(loader, &b));
                const size_t to = (size_t)(s * BATCH + part * each);
                cr_assert(b.count == each && b.index == (uint64_t)(FIRST + s));
                memcpy(images[at] + to * PIXELS, b.images, (size_t)each * PIXELS);
                for (int i = 0; i < each; i++)
                    labels[at][to + (size_t)i] = b.labels[i];
            }
            sq_loader_close(loader);
        }
        cr_expect_eq(memcmp(labels[0], labels[at], sizeof labels[0]), 0, "%d parts", parts);
        cr_expect_eq(memcmp(images[0], images[at], sizeof images[0]), 0, "%d parts", parts);
    }
    sq_dataset_close(d);
    drop_folder(folder);
}

Test(loader, an_ordered_loader_ends_after_the_last_image)
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

Test(loader, batches_ahead_follow_the_measured_rates)
{
    cr_expect_eq(sq_loader_prefetch_depth(1, 0, 8), 2);      /* nothing measured */
    cr_expect_eq(sq_loader_prefetch_depth(0.1, 1, 8), 2);    /* made ten times as fast as taken */
    cr_expect_eq(sq_loader_prefetch_depth(0.99, 1, 8), 2);   /* one is made while one is used */
    cr_expect_eq(sq_loader_prefetch_depth(2.5, 1, 8), 4);    /* three are taken while one is made */
    cr_expect_eq(sq_loader_prefetch_depth(100, 1, 8), 8);    /* the bound */
    cr_expect_eq(sq_loader_prefetch_depth(100, 1e-9, 8), 8); /* no overflow */
    cr_expect_eq(sq_loader_prefetch_depth(2.5, 1, 2), 2);
}

/* ---- Caches ---- */

/* JPEGs of every kind, other formats, one cut short, and one damaged in its last rows, where few crops look. */
static sq_dataset *open_mixed(char *folder)
{
    static const char *const others[] = {"cmyk.jpg", "rgb.png", "grey16.png", "palette.gif", "rgb.bmp"};
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
            put_bytes(folder, "train/c0/cut.jpg", jpeg, length / 2);
            memset(jpeg + length - 150, 0xFF, 100); /* not in the end marker */
            put_bytes(folder, "train/c0/damaged.jpg", jpeg, length);
        }
        free(jpeg);
    }
    for (int i = 0; i < 5; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", SOURCE("tests/fixtures/images"), others[i]);
        (void)snprintf(name, sizeof name, "train/c%d/%s", i % 3, others[i]);
        MUST(sq_file_read(path, 1 << 20, &bytes, &size));
        put_bytes(folder, name, bytes, size);
        free(bytes);
    }
    MUST(sq_dataset_open(&d, folder, "train"));
    return d;
}

/* Hash of 12 epochs, and what the cache held in the end. */
static uint64_t hash_with(const sq_dataset *d, const sq_cache_plan *plan, sq_decode decode,
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

Test(loader, a_cache_changes_no_bit)
{
    char *folder = make_folder();
    sq_dataset *d = open_mixed(folder);
    const size_t count = sq_dataset_count(d);
    sq_loader_counters counters;
    cr_assert_eq(count, 18);
    for (int decode = SQ_DECODE_EXACT; decode <= SQ_DECODE_DRAFT; decode++) {
        const uint64_t wanted = hash_with(d, NULL, (sq_decode)decode, &counters);
        const int64_t bad = counters.bad;
        cr_expect_geq(bad, 1);
        cr_expect_eq(counters.cached_images, 0);
        for (int is_small = 0; is_small < 2; is_small++) {
            sq_cache_plan plan;
            MUST(sq_cache_plan_make(&plan, d, is_small ? 30000 : 1 << 24, decode == SQ_DECODE_EXACT));
            const bool is_decoded = decode == SQ_DECODE_EXACT && !is_small;
            cr_expect_eq(plan.form, is_decoded ? SQ_CACHE_DECODED : SQ_CACHE_ENCODED);
            cr_expect_eq(hash_with(d, &plan, (sq_decode)decode, &counters), wanted, "decode %d, small %d", decode,
                         is_small);
            cr_expect_eq(counters.bad, bad);
            cr_expect(counters.cached_bytes <= plan.bytes && counters.cached_images > 0);
            if (is_small)
                cr_expect(counters.cached_images < count && plan.cached_count < count && plan.bytes == 30000);
            else /* what cannot be decoded whole is not kept decoded */
                cr_expect_geq(counters.cached_images, count - (is_decoded ? 2 : 0));
        }
    }
    sq_dataset_close(d);
    drop_folder(folder);
}

Test(loader, a_cache_keeps_what_was_put_in_until_it_is_full)
{
    const sq_cache_plan plan = {.form = SQ_CACHE_ENCODED, .bytes = 256, .image_count = 5};
    sq_cache *cache = NULL;
    sq_image_record found;
    MUST(sq_cache_open(&cache, &plan));
    cr_expect(!sq_cache_find(cache, 0, &found));
    sq_cache_add(cache, 3, &(sq_image_record){.bytes = "eight by", .size = 8});
    sq_cache_add(cache, 3, &(sq_image_record){.bytes = "again", .size = 5});
    sq_cache_add(cache, 0, &(sq_image_record){.bytes = "abcdef", .size = 6, .is_raw = true, .h = 1, .w = 2});
    cr_expect(sq_cache_find(cache, 3, &found) && found.size == 8 && memcmp(found.bytes, "eight by", 8) == 0 &&
              !found.is_raw);
    cr_expect(sq_cache_find(cache, 0, &found) && found.is_raw && found.h == 1 && found.w == 2);
    cr_expect(!sq_cache_is_full(cache));
    char large[200] = {0};
    sq_cache_add(cache, 1, &(sq_image_record){.bytes = large, .size = sizeof large});
    cr_expect(sq_cache_is_full(cache) && !sq_cache_find(cache, 1, &found));
    cr_expect_eq(sq_cache_count(cache), 2);
    cr_expect_eq(sq_cache_bytes(cache), 128);
    sq_cache_close(cache);
}

/* ---- Decoders ---- */

/* One sample, and the crop that it shows. */
static sq_crop make_sample(const sq_dataset *d, const sq_transform *t, sq_decode decode, uint64_t epoch,
                           uint8_t *pixels)
{
    sq_sample_workspace memory = {0};
    float augment[SQ_AUGMENT_COUNT];
    int h = 0, w = 0;
    void *bytes = NULL;
    size_t capacity = 0, size = 0;
    const sq_sample_source source = {.dataset = d, .transform = t, .decode = decode, .seed = 3, .max_pixels = 1 << 24};
    MUST(sq_sample_make(&source, &memory, 0, epoch, pixels, augment));
    MUST(sq_dataset_read(d, 0, &bytes, &capacity, &size));
    MUST(sq_image_size(bytes, size, "a.jpg", 1 << 24, &h, &w));
    sq_rng rng = sq_rng_open(3, SQ_RNG_AUGMENT, epoch << 40);
    sq_sample_clear(&memory);
    free(bytes);
    return t->is_augmented ? sq_transform_crop(t, h, w, &rng) : sq_transform_centre(t, h, w);
}

static int worst_of(const uint8_t *a, const uint8_t *b)
{
    int worst = 0;
    for (int i = 0; i < PIXELS; i++)
        worst = abs(a[i] - b[i]) > worst ? abs(a[i] - b[i]) : worst;
    return worst;
}

/* exact: Image.open, crop, resize. draft: Image.draft, then resize with the crop's box, divided by the reduction. */
Test(loader, processes_of_a_host_share_what_is_free)
{
    cr_expect_eq(sq_cache_budget(3, 8), (size_t)3 << 20);
    cr_expect_lt(sq_cache_budget(0, 1000),
                 sq_cache_budget(0, 1) / 100); /* what is free changes meanwhile, but not so */
}

Test(loader, samples_are_pillows_within_one_grey_level)
{
    int reductions[9] = {0};
    for (int k = 0; k < JPEG_KINDS; k++) {
        char *folder = make_folder();
        unsigned long size = 0;
        sq_dataset *d = NULL;
        unsigned char *jpeg = make_jpeg(&jpeg_kinds[k], 190 + k, 237 - k, &size);
        sq_transform t = options_of(1, 1, 2).transform;
        t.area_min = 0.003;
        put_bytes(folder, "train/c/a.jpg", jpeg, size);
        MUST(sq_dataset_open(&d, folder, "train"));
        for (uint64_t epoch = 0; epoch < 32; epoch++) {
            uint8_t ours[PIXELS], pillows[PIXELS];
            int h, w;
            const sq_crop exact = make_sample(d, &t, SQ_DECODE_EXACT, epoch, ours);
            uint8_t *whole = decode_reduced(jpeg, size, 1, &h, &w);
            pillow_crop_resize(whole, w, exact, SIDE, pillows);
            cr_expect_leq(worst_of(ours, pillows), 1, "%s, exact", jpeg_kinds[k].name);
            free(whole);
            const sq_crop crop = make_sample(d, &t, SQ_DECODE_DRAFT, epoch, ours);
            const int by = sq_sample_reduction(&t, SQ_DECODE_DRAFT, crop);
            reductions[by]++;
            whole = decode_reduced(jpeg, size, by, &h, &w);
            if (by == 1)
                pillow_crop_resize(whole, w, crop, SIDE, pillows);
            else
                pillow_resize(whole, h, w, (sq_crop){crop.x / by, crop.y / by, crop.w / by, crop.h / by, false}, SIDE,
                              pillows);
            cr_expect_leq(worst_of(ours, pillows), 1, "%s, draft 1/%d", jpeg_kinds[k].name, by);
            free(whole);
        }
        free(jpeg);
        sq_dataset_close(d);
        drop_folder(folder);
    }
    cr_expect(reductions[1] > 0 && reductions[2] > 0 && reductions[4] > 0 && reductions[8] > 0);
}

Test(loader, evaluation_is_exact_whatever_the_decoder)
{
    char *folder = make_folder();
    unsigned long size = 0;
    int h, w;
    sq_dataset *d = NULL;
    uint8_t exact[PIXELS], draft[PIXELS], pillows[PIXELS];
    const sq_transform t = {.resolution = SIDE, .crop_fraction = 0.875};
    unsigned char *jpeg = make_jpeg(&jpeg_kinds[2], 300, 220, &size);
    put_bytes(folder, "train/c/a.jpg", jpeg, size);
    MUST(sq_dataset_open(&d, folder, "train"));
    const sq_crop crop = make_sample(d, &t, SQ_DECODE_EXACT, 0, exact);
    (void)make_sample(d, &t, SQ_DECODE_DRAFT, 0, draft);
    cr_expect_eq(memcmp(exact, draft, sizeof exact), 0);
    uint8_t *whole = decode_reduced(jpeg, size, 1, &h, &w);
    pillow_resize(whole, h, w, crop, SIDE, pillows);
    cr_expect_leq(worst_of(exact, pillows), 1);
    free(whole);
    free(jpeg);
    sq_dataset_close(d);
    drop_folder(folder);
}

/* ---- Processors ---- */

Test(loader, threads_are_spread_over_memory_nodes)
{
    char *folder = make_folder(), first[32], rest[SQ_MAX_CORES * 5] = "";
    static sq_cores all, two, none;
    sq_cores_find(&all, NULL);
    cr_assert(all.count >= 1 && all.node_count >= 1);
    sq_cores_find(&none, folder); /* a system without nodes */
    cr_expect(none.node_count == 1 && none.count == all.count);
    if (all.count < 2)
        cr_skip_test("one processor");
    (void)snprintf(first, sizeof first, "%d\n", all.core[0]);
    for (int i = 1; i < all.count; i++)
        (void)snprintf(rest + strlen(rest), sizeof rest - strlen(rest), "%s%d", i > 1 ? "," : "", all.core[i]);
    put_bytes(folder, "node0/cpulist", "\n", 1); /* memory without processors */
    put_bytes(folder, "node1/cpulist", first, strlen(first));
    put_bytes(folder, "node7/cpulist", rest, strlen(rest));
    sq_cores_find(&two, folder);
    cr_expect(two.node_count == 2 && two.count == all.count && two.node[0] == 0 && two.node[1] == 1);
    cr_expect_eq(sq_cores_node(&two, 0, all.count), 0);
    cr_expect_eq(sq_cores_node(&two, all.count - 1, all.count), 1);
    cr_expect_eq(sq_cores_node(&two, 4 * all.count - 1, 4 * all.count), 1);
    sq_cores_pin(&two, 0);
    cpu_set_t set;
    cr_assert_eq(sched_getaffinity(0, sizeof set, &set), 0);
    cr_expect(CPU_COUNT(&set) == 1 && CPU_ISSET((size_t)all.core[0], &set));
    drop_folder(folder);
}

Test(loader, ranges_of_processors_are_read)
{
    char *folder = make_folder();
    static sq_cores cores;
    put_bytes(folder, "node0/cpulist", "0-2000\n", 7);
    sq_cores_find(&cores, folder);
    cr_expect_eq(cores.node_count, 1);
    for (int i = 1; i < cores.count; i++)
        cr_expect_gt(cores.core[i], cores.core[i - 1]);
    drop_folder(folder);
}
