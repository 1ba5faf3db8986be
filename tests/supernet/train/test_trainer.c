/* Tests the trainer: exact resume, no allocation in a step, constant memory, nonfinite losses. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "supernet/model/initialize.h"
#include "supernet/model/walk.h"
#include "supernet/train/checkpoint.h"
#include "supernet/train/nonfinite_check.h"
#include "supernet/train/trainer.h"
#include "tests/support/support.h"

/* ---- Counting allocations: malloc, calloc and realloc of this program count, then call those of the C library ---- */

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
#define COUNTS_ALLOCATIONS 1
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
static long allocation_count;

void *malloc(size_t bytes)
{
    __atomic_add_fetch(&allocation_count, 1, __ATOMIC_RELAXED);
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    __atomic_add_fetch(&allocation_count, 1, __ATOMIC_RELAXED);
    return __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes)
{
    __atomic_add_fetch(&allocation_count, 1, __ATOMIC_RELAXED);
    return __libc_realloc(old, bytes);
}
#else
#define COUNTS_ALLOCATIONS 0
static long allocation_count;
#endif

/* ---- A small run on the bundled digits ---- */

static const char *images; /* folder of a test's images; NULL: the bundled digits */
static bool keeps_images;  /* data.cache is device: the backend stores the images */

/* Opens the bench with every augmentation. */
static train_bench open_digits(void)
{
    train_bench b = open_train_bench(images, 2);
    b.loader.transform = (sq_transform){.is_augmented = true,
                                        .resolution = 16,
                                        .crop_fraction = 1,
                                        .area_min = 0.5,
                                        .area_max = 1,
                                        .aspect_min = 0.8,
                                        .aspect_max = 1.25,
                                        .flip = 0.5,
                                        .brightness = 0.4,
                                        .contrast = 0.4,
                                        .saturation = 0.4};
    b.loader.max_bad = images ? 1000 : 0;
    return b;
}

static sq_status train(const char *run, bool is_resumed, const sq_train_options *options)
{
    train_bench b = open_digits();
    sq_device_cache *device_cache = NULL;
    const sq_train_run how = {.folder = run, .is_resumed = is_resumed, .is_quiet = true};
    if (keeps_images)
        MUST(sq_device_cache_load(&device_cache, b.dataset, b.backend, &(sq_device_cache_options){.bytes = 1 << 24}));
    b.loader.device_cache = device_cache;
    const sq_status status = sq_train(b.model, b.dataset, &b.loader, options, &how);
    sq_device_cache_close(device_cache);
    close_train_bench(&b);
    return status;
}

static char *read_file(const char *run, const char *name, size_t *bytes)
{
    char path[4096], *text = NULL;
    (void)snprintf(path, sizeof path, "%s/%s", run, name);
    MUST(sq_file_read(path, 1 << 28, &text, bytes));
    return text;
}

static void expect_same(const char *a, const char *b, const char *name)
{
    size_t bytes_a, bytes_b;
    char *x = read_file(a, name, &bytes_a), *y = read_file(b, name, &bytes_b);
    cr_expect(bytes_a == bytes_b && memcmp(x, y, bytes_a) == 0, "%s differs", name);
    free(x);
    free(y);
}

static void expect_resumed_alike_from(const sq_train_options *how, bool keeps_images_later)
{
    static const char *const files[] = {"ckpt-00000014/model.safetensors", "ckpt-00000014/optim.safetensors",
                                        "ckpt-00000014/state.json", "log.jsonl"};
    static const char *const lost[] = {"ckpt-00000008", "ckpt-00000012", "ckpt-00000014"};
    char *a = make_folder(), *b = make_folder(), path[4096];
    const sq_train_options options = *how;
    MUST(train(a, false, &options));
    keeps_images = keeps_images_later;
    MUST(train(b, false, &options));
    for (int i = 0; i < 3; i++) { /* simulates a crash soon after step 4 */
        (void)snprintf(path, sizeof path, "%s/%s", b, lost[i]);
        MUST(sq_path_remove(path));
    }
    MUST(train(b, true, &options));
    for (int i = 0; i < 4; i++)
        expect_same(a, b, files[i]);
    drop_folder(a);
    drop_folder(b);
}

typedef struct {
    int filled, accepted;
} calls;

static sq_status count_fill(const void *context, sq_loader_options *loader)
{
    (void)loader; /* the options are complete already */
    (*(calls *const *)context)->filled++;
    return SQ_OK;
}

static sq_status count_accepted(const void *context)
{
    const calls *c = *(calls *const *)context;
    (*(calls *const *)context)->accepted += c->filled; /* counts 1 only if count_fill was called before */
    return SQ_OK;
}

/* The trainer calls complete_loader and on_start only after all checks, and only if steps are left. */
Test(trainer, nothing_is_filled_without_steps_to_take)
{
    sq_train_options options = train_bench_options(4);
    char *folder = make_folder();
    calls counted = {0, 0}, *context = &counted;
    const sq_train_run how = {.folder = folder,
                              .is_resumed = true,
                              .is_quiet = true,
                              .on_start = count_accepted,
                              .complete_loader = count_fill,
                              .context = &context};
    train_bench b = open_digits();
    MUST(sq_train(b.model, b.dataset, &b.loader, &options, &how));
    cr_expect(counted.filled == 1 && counted.accepted == 1, "%d, %d", counted.filled, counted.accepted);
    MUST(sq_train(b.model, b.dataset, &b.loader, &options, &how));
    cr_expect(counted.filled == 1 && counted.accepted == 1, "nothing left: %d, %d", counted.filled, counted.accepted);
    options.seed++;
    cr_expect_eq(sq_train(b.model, b.dataset, &b.loader, &options, &how), SQ_INVALID);
    cr_expect(counted.filled == 1 && counted.accepted == 1, "refused: %d, %d", counted.filled, counted.accepted);
    close_train_bench(&b);
    drop_folder(folder);
}

static void expect_resumed_alike(const sq_train_options *how)
{
    expect_resumed_alike_from(how, false);
}

Test(trainer, resumed_run_with_images_in_the_backends_memory_ends_with_the_bytes_of_one_without)
{
    const sq_train_options options = train_bench_options(14);
    expect_resumed_alike_from(&options, true);
}

Test(trainer, resumed_run_ends_with_the_same_bytes)
{
    const sq_train_options options = train_bench_options(14);
    expect_resumed_alike(&options);
}

Test(trainer, resumed_run_with_several_paths_ends_with_the_same_bytes)
{
    sq_train_options options = train_bench_options(14);
    options.sampler.paths = 3;
    options.gradients = SQ_GRADIENTS_MEAN;
    expect_resumed_alike(&options);
}

Test(trainer, resumed_fair_run_ends_with_the_same_bytes)
{
    sq_train_options options = train_bench_options(14);
    options.sampler.sampling = SQ_SAMPLE_FAIR;
    expect_resumed_alike(&options);
}

/* A checkpoint must not depend on how far the loader is ahead, or on the bad images that a process has met. */
Test(trainer, resumed_run_with_bad_images_ends_with_the_same_bytes)
{
    const sq_train_options options = train_bench_options(14);
    char *folder = make_folder(), *png = NULL;
    size_t bytes = 0;
    MUST(sq_file_read(SOURCE("tests/fixtures/images/rgb.png"), 1 << 20, &png, &bytes));
    for (int i = 0; i < 120; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "train/%d/%03d.png", i % 10, i);
        put_bytes(folder, name, png, i % 6 ? bytes : bytes / 2);
    }
    images = folder;
    expect_resumed_alike(&options);
    free(png);
    drop_folder(folder);
}

/* A step with one path must equal forward, backward and update along the path that the step's number gives. */
Test(trainer, one_path_a_step_is_forward_backward_update)
{
    enum { STEPS = 5 };
    char *run = make_folder();
    const sq_train_options options = train_bench_options(STEPS);
    train_bench a = open_digits(), b = open_digits();
    const size_t bytes = sq_model_plan(a.model)->role_bytes[SQ_ROLE_WEIGHT];
    void *trained = malloc(bytes), *walked = malloc(bytes);
    const sq_train_run how = {.folder = run, .is_quiet = true};
    MUST(sq_train(a.model, a.dataset, &a.loader, &options, &how));
    MUST(sq_model_initialize(b.model, options.seed));
    sq_loader *loader = NULL;
    MUST(sq_loader_open(&loader, b.dataset, &b.loader));
    for (int i = 0; i < STEPS; i++) {
        int path[SQ_MAX_LAYERS];
        sq_batch batch;
        sq_rng rng = sq_rng_open(options.seed, SQ_RNG_PATH, (uint64_t)i);
        for (int l = 0; l < b.space->layer_count; l++)
            path[l] = sq_search_mask_draw(NULL, b.space, l, &rng);
        MUST(sq_loader_next(loader, &batch));
        const sq_model_batch loaded = {batch.images, batch.labels, batch.augment, batch.count};
        const sq_step step = {.seed = options.seed,
                              .step = (uint64_t)i,
                              .learning_rate = (float)sq_schedule_at(&options.schedule, i),
                              .momentum = 0.9f,
                              .weight_decay = 1e-4f,
                              .statistics_rate = b.space->momentum,
                              .average_decay = 0.9f,
                              .gradient_scale = 1};
        MUST(sq_model_load(b.model, &loaded));
        MUST(sq_model_set_step(b.model, &step));
        MUST(sq_model_forward(b.model, path));
        MUST(sq_model_backward(b.model, path));
        MUST(sq_model_update(b.model, path));
    }
    MUST(sq_model_read(a.model, SQ_ROLE_WEIGHT, 0, trained, bytes));
    MUST(sq_model_read(b.model, SQ_ROLE_WEIGHT, 0, walked, bytes));
    cr_expect_eq(memcmp(trained, walked, bytes), 0);
    size_t log_bytes;
    char *log = read_file(run, "log.jsonl", &log_bytes);
    cr_expect_null(strstr(log, "paths")); /* logged only for several paths per step */
    free(log);
    free(trained);
    free(walked);
    sq_loader_close(loader);
    close_train_bench(&a);
    close_train_bench(&b);
    drop_folder(run);
}

Test(trainer, log_says_how_many_paths_a_step_has)
{
    char *run = make_folder();
    size_t bytes;
    sq_train_options options = train_bench_options(3);
    options.sampler.sampling = SQ_SAMPLE_FAIR;
    MUST(train(run, false, &options));
    char *log = read_file(run, "log.jsonl", &bytes);
    cr_expect_not_null(strstr(log, "\"seed\":3,\"paths\":5}"), "%s", log);
    cr_expect_not_null(strstr(log, "\"step\":3"), "%s", log);
    free(log);
    drop_folder(run);
}

Test(trainer, non_finite_loss_of_several_paths_names_the_one)
{
    char *run = make_folder();
    sq_train_options options = train_bench_options(40);
    options.schedule = (sq_schedule){SQ_SCHEDULE_CONSTANT, 1e30, 0, 0, 40};
    options.sampler.paths = 3;
    cr_expect_eq(train(run, false, &options), SQ_NONFINITE, "%s", sq_error_text());
    cr_expect_not_null(strstr(sq_error_text(), " of 3 ("), "%s", sq_error_text());
    drop_folder(run);
}

Test(trainer, resume_of_another_run_is_refused)
{
    char *run = make_folder();
    sq_train_options options = train_bench_options(4);
    MUST(train(run, false, &options));
    options.seed = 4;
    cr_expect_eq(train(run, true, &options), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "restore them, or use a new folder"));
    drop_folder(run);
}

Test(trainer, non_finite_loss_stops_and_keeps_the_last_good_checkpoint)
{
    char *run = make_folder(), folder[4096];
    int64_t step = 0;
    sq_train_options options = train_bench_options(40);
    options.schedule = (sq_schedule){SQ_SCHEDULE_CONSTANT, 1e30, 0, 0, 40};
    options.checkpoint_every = 1;
    cr_expect_eq(train(run, false, &options), SQ_NONFINITE, "%s", sq_error_text());
    cr_expect_not_null(strstr(sq_error_text(), "path ("));
    if (sq_checkpoint_find(run, folder, sizeof folder, &step, NULL) == SQ_OK)
        cr_expect_lt(step, 40);
    drop_folder(run);
}

/* Runs the trainer's step on a batch. */
static void step_on(train_bench *b, const sq_batch *batch, sq_sampler *sampler, uint64_t number)
{
    int paths[SQ_MAX_PATHS][SQ_MAX_LAYERS];
    sq_result result;
    const sq_step_paths all = {.first = paths[0], .count = sq_sampler_paths(sampler)};
    for (int i = 0; i < all.count; i++)
        sq_sampler_draw(sampler, 1, number, i, paths[i]);
    const sq_model_batch loaded = {batch->images, batch->labels, batch->augment, batch->count};
    const sq_step step = {.step = number,
                          .learning_rate = 0.01f,
                          .momentum = 0.9f,
                          .statistics_rate = 0.1f,
                          .average_decay = 0.9f,
                          .gradient_scale = 1.0f / (float)all.count};
    MUST(sq_model_load(b->model, &loaded));
    for (int i = 0; i < all.count; i++) {
        MUST(sq_model_set_step(b->model, &step));
        MUST(sq_model_forward(b->model, paths[i]));
        MUST(sq_model_result(b->model, &result));
        MUST(sq_model_backward_of(b->model, &all, i));
    }
    MUST(sq_model_update_of(b->model, &all));
}

static void step_once(train_bench *b, sq_loader *loader, sq_sampler *sampler, uint64_t number)
{
    sq_batch batch;
    MUST(sq_loader_next(loader, &batch));
    step_on(b, &batch, sampler, number);
}

static long resident_pages(void)
{
    long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    cr_assert_not_null(file);
    cr_assert_eq(fscanf(file, "%ld %ld", &total, &resident), 2);
    (void)fclose(file);
    return resident;
}

Test(trainer, steps_allocate_nothing_and_memory_stays_flat)
{
    const sq_sampler_options uniform = {.sampling = SQ_SAMPLE_UNIFORM}, three = {.paths = 3},
                             fair = {.sampling = SQ_SAMPLE_FAIR};
    train_bench b = open_digits();
    sq_loader *loader = NULL;
    sq_sampler *sampler = NULL, *several[2] = {NULL, NULL};
    MUST(sq_model_initialize(b.model, 1));
    MUST(sq_model_compile(b.model, 1u << SQ_FORWARD | 1u << SQ_BACKWARD | 1u << SQ_UPDATE));
    MUST(sq_sampler_open(&sampler, b.space, &uniform));
    MUST(sq_sampler_open(&several[0], b.space, &three));
    MUST(sq_sampler_open(&several[1], b.space, &fair));
    MUST(sq_loader_open(&loader, b.dataset, &b.loader));
    uint64_t number = 0;
    while (number < 200)
        step_once(&b, loader, sampler, number++);
    /* stb_image allocates memory for every PNG. Therefore the allocations of a step are counted while the loader is
     * idle. */
    sq_batch kept;
    MUST(sq_loader_next(loader, &kept));
    (void)usleep(200000);
    sq_nonfinite_check *nonfinite_check = NULL;
    int bad_path, bad_layer, path[SQ_MAX_LAYERS];
    sq_sampler_draw(sampler, 1, number, 0, path);
    MUST(sq_nonfinite_check_open(&nonfinite_check, b.model, NULL, true));
    const long before = allocation_count;
    for (int i = 0; i < 50; i++) {
        MUST(sq_nonfinite_check_save(nonfinite_check));
        step_on(&b, &kept, sampler, number++);
        MUST(sq_nonfinite_check_gradients(nonfinite_check, &(sq_step_paths){.first = path, .count = 1}, &bad_path,
                                          &bad_layer));
        MUST(sq_nonfinite_check_restore(nonfinite_check));
        MUST(sq_nonfinite_check_weights(nonfinite_check, i, true));
        step_on(&b, &kept, several[i % 2], number++);
    }
    if (COUNTS_ALLOCATIONS)
        cr_expect_eq(allocation_count - before, 0, "%ld allocations in 100 steps", allocation_count - before);
    sq_nonfinite_check_close(nonfinite_check);
    const long pages = resident_pages();
    for (int i = 0; i < 2000; i++)
        step_once(&b, loader, sampler, number++);
    if (COUNTS_ALLOCATIONS) /* because sanitizers keep freed memory */
        cr_expect_leq(resident_pages() - pages, 256, "grew by %ld pages", resident_pages() - pages);
    sq_loader_close(loader);
    sq_sampler_close(sampler);
    for (int i = 0; i < 2; i++)
        sq_sampler_close(several[i]);
    close_train_bench(&b);
}
