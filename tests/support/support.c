#include "tests/support/support.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/rng.h"
#include "kernels/base/text.h"
#include "kernels/cpu/processor.h"
#include "supernet/model/initialize.h"
#include "supernet/model/walk.h"
#include "supernet/train/nonfinite_check.h"

/* Makes the tests use the OpenBLAS kernels that the program uses. On a processor that OpenBLAS does not know, OpenBLAS
 * would choose kernels with a different accuracy. The constructor receives the arguments of main(). */
__attribute__((constructor)) static void choose_kernels(int count, char **arguments)
{
    (void)count;
    sq_cpu_choose_kernels(arguments);
}

const char *source_path(const char *path)
{
    static struct {
        char text[1024];
        size_t name;
    } known[128];
    const char *root = getenv("SQ_SOURCE_DIR");
    size_t i = 0;
    while (i < sizeof known / sizeof *known && known[i].name && strcmp(known[i].text + known[i].name, path) != 0)
        i++;
    cr_assert_lt(i, sizeof known / sizeof *known);
    if (known[i].name)
        return known[i].text;
    known[i].name = strlen(root ? root : SQ_SOURCE_DIR);
    cr_assert_lt(known[i].name + strlen(path), sizeof known[i].text);
    strcpy(known[i].text, root ? root : SQ_SOURCE_DIR);
    return strcat(known[i].text, path);
}

char *make_folder(void)
{
    enum { LIMIT = 512 }; /* tests append names to the folder in buffers of 600 bytes */
    char *folder = malloc(LIMIT);
    MUST(sq_folder_scratch(folder, LIMIT, "squall-test"));
    return folder;
}

void drop_folder(char *folder)
{
    MUST(sq_path_remove(folder));
    free(folder);
}

char *test_folder;

void open_test_folder(void)
{
    test_folder = make_folder();
}

void close_test_folder(void)
{
    drop_folder(test_folder);
}

void put_bytes(const char *folder, const char *name, const void *bytes, size_t size)
{
    char path[1024], parent[1024];
    const sq_piece piece = {bytes, size};
    MUST(sq_text_path(path, sizeof path, folder, name));
    (void)snprintf(parent, sizeof parent, "%.*s", (int)(strrchr(path, '/') - path), path);
    MUST(sq_folder_make(parent));
    MUST(sq_file_replace(path, &piece, 1));
}

void put_text(const char *folder, const char *name, const char *text)
{
    put_bytes(folder, name, text, strlen(text));
}

char *read_text(const char *folder, const char *name)
{
    char path[1024], *text = NULL;
    size_t bytes;
    MUST(sq_text_path(path, sizeof path, folder, name));
    MUST(sq_file_read(path, 1 << 22, &text, &bytes));
    return text;
}

sq_space *open_space(const char *path)
{
    sq_space *space = NULL;
    MUST(sq_space_read(&space, path, 0, 0));
    return space;
}

sq_transform augmenting_transform(int side)
{
    return (sq_transform){.is_augmented = true,
                          .resolution = side,
                          .crop_fraction = 1,
                          .area_min = 0.3,
                          .area_max = 1,
                          .aspect_min = 0.75,
                          .aspect_max = 4.0 / 3,
                          .flip = 0.5};
}

train_bench open_train_bench(const char *images, int threads)
{
    train_bench b = {0};
    const sq_model_options options = {
        .block = {.batch = 8, .is_supernet = true, .label_smoothing = 0.1f, .has_average = true}, .is_training = true};
    MUST(sq_dataset_open(&b.dataset, images ? images : SOURCE("data/samples"), "train"));
    MUST(sq_space_read(&b.space, SOURCE("configs/spaces/tiny.yaml"), 16, 10));
    MUST(sq_backend_open("cpu", threads, &b.backend));
    MUST(sq_model_create(&b.model, b.backend, b.space, &options));
    b.loader = (sq_loader_options){.transform = augmenting_transform(16),
                                   .batch = 8,
                                   .is_shuffled = true,
                                   .seed = 3,
                                   .threads = threads,
                                   .ring = 3};
    return b;
}

void close_train_bench(train_bench *b)
{
    sq_model_destroy(b->model);
    sq_backend_close(b->backend);
    sq_space_free(b->space);
    sq_dataset_close(b->dataset);
}

sq_train_options train_bench_options(int64_t steps)
{
    return (sq_train_options){.seed = 3,
                              .steps = steps,
                              .batch = 8,
                              .momentum = 0.9,
                              .weight_decay = 1e-4,
                              .label_smoothing = 0.1,
                              .average_decay = 0.9,
                              .schedule = {SQ_SCHEDULE_COSINE, 0.05, 0, 2, steps},
                              .log_every = 3,
                              .checkpoint_every = 4,
                              .keep = 10};
}

subject open_subject_with(const char *space, const char *backend, const sq_backend_options *options, int batch)
{
    subject s = {0};
    const sq_model_options model = {
        .block = {.batch = batch, .is_supernet = true, .label_smoothing = 0.1f, .has_average = true},
        .is_training = true};
    MUST(sq_space_read(&s.space, space, 0, 0));
    MUST(sq_backend_open_with(backend, options, &s.backend));
    MUST(sq_model_create(&s.model, s.backend, s.space, &model));
    MUST(sq_model_initialize(s.model, 1));
    return s;
}

subject open_subject(const char *space, const char *backend, int threads, int batch)
{
    subject s = open_subject_with(space, backend, &(sq_backend_options){.threads = threads}, batch);
    MUST(sq_model_compile(s.model, (1u << SQ_MODES) - 1));
    return s;
}

void close_subject(subject *s)
{
    sq_model_destroy(s->model);
    sq_backend_close(s->backend);
    sq_space_free(s->space);
}

void draw_path(const sq_space *space, uint64_t number, int *path)
{
    sq_rng rng = sq_rng_open(5, SQ_RNG_TEST, number);
    for (int l = 0; l < space->layer_count; l++)
        path[l] = (int)sq_rng_below(&rng, (uint32_t)space->layers[l].choice_count);
}

void load_drawn(sq_model *model, uint64_t number)
{
    const sq_memory_plan *plan = sq_model_plan(model);
    const size_t batch = (size_t)plan->options.batch,
                 pixels = (size_t)plan->space->resolution * (size_t)plan->space->resolution * 3;
    uint8_t *images = malloc(batch * pixels);
    int32_t *labels = malloc(batch * sizeof *labels);
    float *augment = calloc(batch * SQ_AUGMENT_COUNT, sizeof *augment);
    sq_rng rng = sq_rng_open(6, SQ_RNG_TEST, number);
    for (size_t i = 0; i < batch * pixels; i++)
        images[i] = (uint8_t)(sq_rng_u32(&rng) >> 24);
    for (size_t i = 0; i < batch; i++) {
        float *a = augment + i * SQ_AUGMENT_COUNT;
        labels[i] = (int32_t)sq_rng_below(&rng, (uint32_t)plan->space->classes);
        a[SQ_AUGMENT_FLIP] = (float)sq_rng_below(&rng, 2);
        a[SQ_AUGMENT_ORDER] = (float)sq_rng_below(&rng, 7) - 1;
        for (int j = SQ_AUGMENT_BRIGHTNESS; j <= SQ_AUGMENT_SATURATION; j++)
            a[j] = (float)(0.6 + 0.8 * sq_rng_uniform(&rng));
    }
    const sq_model_batch loaded = {images, labels, augment, (int)batch};
    MUST(sq_model_load(model, &loaded));
    free(images);
    free(labels);
    free(augment);
}

sq_step drawn_step(uint64_t number)
{
    return (sq_step){.seed = 3,
                     .step = number,
                     .learning_rate = 0.02f,
                     .momentum = 0.9f,
                     .weight_decay = 1e-4f,
                     .statistics_rate = 0.1f,
                     .average_decay = 0.99f,
                     .gradient_scale = 1};
}

void run_drawn_step(sq_model *model, uint64_t number, const int *path)
{
    const sq_step step = drawn_step(number);
    load_drawn(model, number);
    MUST(sq_model_set_step(model, &step));
    MUST(sq_model_forward(model, path));
    MUST(sq_model_backward(model, path));
}

void train_drawn(subject *s, int steps, double *losses)
{
    for (int i = 0; i < steps; i++) {
        int path[SQ_MAX_LAYERS];
        sq_result result;
        draw_path(s->space, (uint64_t)i, path);
        run_drawn_step(s->model, (uint64_t)(i % 4), path);
        MUST(sq_model_update(s->model, path));
        MUST(sq_model_result(s->model, &result));
        losses[i] = result.loss / (double)result.images;
    }
}

sq_image_set random_images(const sq_space *space, size_t count, uint64_t number)
{
    const size_t bytes = count * (size_t)space->resolution * (size_t)space->resolution * 3;
    sq_image_set set = {.count = count, .resolution = space->resolution};
    set.images = malloc(bytes);
    set.labels = malloc(count * sizeof *set.labels);
    sq_rng rng = sq_rng_open(3, SQ_RNG_TEST, number);
    for (size_t i = 0; i < bytes; i++)
        set.images[i] = (uint8_t)(sq_rng_u32(&rng) >> 24);
    for (size_t i = 0; i < count; i++)
        set.labels[i] = (int32_t)sq_rng_below(&rng, (uint32_t)space->classes);
    return set;
}

double relative_error(const float *a, const float *b, size_t count)
{
    double difference = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        size += (double)a[i] * a[i];
    }
    return size > 0 ? sqrt(difference / size) : sqrt(difference);
}

/* ---- Crops ---- */

enum { CROP_H = 157, CROP_W = 211, CROP_BYTES = CROP_H * CROP_W * 3, MANY_CROPS = 100 };

/* Draws MANY_CROPS crops from one pixel to the whole image, some at the edges. The resizing enlarges, shrinks or keeps
 * them. Every second crop is from the second image. */
static void draw_crops(sq_stored_crop *crops)
{
    static const sq_stored_crop some[] = {
        {.y = 3, .x = 5, .h = 1, .w = 1},         {.y = 156, .x = 210, .h = 1, .w = 1},
        {.y = 0, .x = 0, .h = CROP_H, .w = CROP_W}, {.y = 0, .x = 210, .h = CROP_H, .w = 1},
        {.y = 156, .x = 0, .h = 1, .w = CROP_W},   {.y = 10, .x = 20, .h = 32, .w = 32},
        {.y = 125, .x = 179, .h = 32, .w = 32},   {.y = 0, .x = 0, .h = 33, .w = 31},
    };
    sq_rng rng = sq_rng_open(1, SQ_RNG_AUGMENT, 7);
    for (int i = 0; i < MANY_CROPS; i++) {
        const int h = 1 + (int)sq_rng_below(&rng, CROP_H), w = 1 + (int)sq_rng_below(&rng, CROP_W);
        crops[i] = (sq_stored_crop){.y = (int32_t)sq_rng_below(&rng, (uint32_t)(CROP_H - h + 1)),
                           .x = (int32_t)sq_rng_below(&rng, (uint32_t)(CROP_W - w + 1)),
                           .h = h,
                           .w = w};
        if ((size_t)i < sizeof some / sizeof *some)
            crops[i] = some[i];
        crops[i].width = CROP_W;
        crops[i].at = i % 2 ? CROP_BYTES : 0;
    }
}

void expect_crops(const char *name, const sq_backend_options *options)
{
    static const int sides[] = {1, 32, 45}; /* 45 rows do not fill the last band of rows */
    sq_stored_crop crops[MANY_CROPS];                 /* more than one launch of the cuda backend can process */
    sq_backend *b = NULL;
    sq_device_ptr images, out;
    sq_resizer resizer = {0};
    uint8_t *pixels = malloc(2 * CROP_BYTES), *wanted = malloc(45 * 45 * 3), *found = malloc(MANY_CROPS * 45 * 45 * 3);
    sq_rng rng = sq_rng_open(2, SQ_RNG_AUGMENT, 7);
    for (int i = 0; i < 2 * CROP_BYTES; i++)
        pixels[i] = (uint8_t)sq_rng_below(&rng, 256);
    MUST(sq_backend_open_with(name, options, &b));
    MUST(b->ops->allocate(b, 2 * CROP_BYTES, &images));
    MUST(b->ops->allocate(b, MANY_CROPS * 45 * 45 * 3, &out));
    MUST(b->ops->write(b, images, pixels, 2 * CROP_BYTES));
    draw_crops(crops);
    for (size_t k = 0; k < sizeof sides / sizeof *sides; k++) {
        const size_t bytes = (size_t)sides[k] * (size_t)sides[k] * 3;
        MUST(b->ops->crop(b, &(sq_crop_batch){images, crops, MANY_CROPS, sides[k], out}));
        MUST(b->ops->read(b, found, out, MANY_CROPS * bytes));
        for (int i = 0; i < MANY_CROPS; i++) {
            const sq_stored_crop *c = &crops[i];
            const sq_pixels from = {pixels + c->at, 0, 0, CROP_H, CROP_W, CROP_H, CROP_W};
            MUST(sq_resize(&resizer, &from, (sq_crop){c->x, c->y, c->w, c->h, true}, sides[k], wanted));
            cr_expect_eq(memcmp(wanted, found + (size_t)i * bytes, bytes), 0, "%d x %d at %d, %d to %d", c->w, c->h,
                         c->x, c->y, sides[k]);
        }
    }
    sq_resizer_clear(&resizer);
    b->ops->release(b, images);
    b->ops->release(b, out);
    sq_backend_close(b);
    free(pixels);
    free(wanted);
    free(found);
}

/* ---- NaN and infinity ---- */

enum { RANGES = 300, LONG_RANGE = 70, LONG_COUNT = 40000, GAP = 3 };

static size_t range_length(int i)
{
    return i == LONG_RANGE ? LONG_COUNT : (size_t)(1 + i % 50);
}

/* Writes `value` to `at`, runs find_nonfinite() and writes 0 to `at`. Returns the result of find_nonfinite(). */
static int found_with(sq_backend *b, const sq_range *ranges, sq_device_ptr at, float value)
{
    const float zero = 0;
    int first = -2;
    MUST(b->ops->write(b, at, &value, sizeof value));
    MUST(b->ops->find_nonfinite(b, ranges, RANGES, &first));
    MUST(b->ops->write(b, at, &zero, sizeof zero));
    return first;
}

void expect_nonfinite_found(const char *name, const sq_backend_options *options)
{
    static const float odd[] = {NAN, -NAN, INFINITY, -INFINITY}, even[] = {FLT_MAX, -FLT_MAX, 1e-45f, -0.0f};
    /* the cuda backend checks 128 ranges per launch */
    static const int places[] = {0, 1, LONG_RANGE, 127, 128, 255, 256, RANGES - 1};
    sq_backend *b = NULL;
    sq_range ranges[RANGES];
    sq_device_ptr all;
    size_t count = GAP;
    for (int i = 0; i < RANGES; i++)
        count += range_length(i) + GAP;
    MUST(sq_backend_open_with(name, options, &b));
    MUST(b->ops->allocate(b, count * sizeof(float), &all));
    count = GAP;
    for (int i = 0; i < RANGES; i++) {
        ranges[i] = (sq_range){{all.address + count * sizeof(float)}, range_length(i)};
        count += range_length(i) + GAP;
    }
    for (size_t k = 0; k < sizeof places / sizeof *places; k++) {
        const sq_range *r = &ranges[places[k]];
        const sq_device_ptr last = {r->at.address + (r->count - 1) * sizeof(float)};
        const sq_device_ptr before = {r->at.address - sizeof(float)}, behind = {last.address + sizeof(float)};
        const int i = (int)k % 4;
        cr_expect_eq(found_with(b, ranges, r->at, odd[i]), places[k]);
        cr_expect_eq(found_with(b, ranges, last, odd[(i + 1) % 4]), places[k]);
        cr_expect_eq(found_with(b, ranges, last, even[i]), SQ_NONE);
        cr_expect_eq(found_with(b, ranges, before, odd[i]), SQ_NONE);
        cr_expect_eq(found_with(b, ranges, behind, odd[i]), SQ_NONE);
    }
    MUST(b->ops->write(b, ranges[200].at, &odd[0], sizeof *odd));
    cr_expect_eq(found_with(b, ranges, ranges[40].at, INFINITY), 40, "the first of two");
    cr_expect_eq(found_with(b, ranges, ranges[250].at, INFINITY), 200, "the first of two");
    b->ops->release(b, all);
    sq_backend_close(b);
}

void expect_bad_layer_named(const char *name)
{
    const float odd = NAN;
    subject s = open_subject(SOURCE("configs/spaces/tiny.yaml"), name, 1, 2);
    sq_nonfinite_check *nonfinite_check = NULL;
    int paths[2][SQ_MAX_LAYERS] = {{0}}, path, layer;
    const sq_step_paths both = {.first = paths[0], .count = 2};
    const sq_memory_plan *plan = sq_model_plan(s.model);
    MUST(sq_nonfinite_check_open(&nonfinite_check, s.model, NULL, false));
    for (int l = 0; l < s.space->layer_count; l++)
        paths[1][l] = s.space->layers[l].choice_count > 1;
    for (int l = 0; l < s.space->layer_count; l++)
        for (int c = 0; c < s.space->layers[l].choice_count; c++) {
            const sq_region *region = &plan->regions[l][c];
            if (region->bytes[SQ_ROLE_WEIGHT] == 0)
                continue;
            const size_t last = region->at[SQ_ROLE_WEIGHT] + region->bytes[SQ_ROLE_WEIGHT] - sizeof odd;
            float kept;
            MUST(sq_model_read(s.model, SQ_ROLE_WEIGHT_GRAD, last, &kept, sizeof kept));
            MUST(sq_model_write(s.model, SQ_ROLE_WEIGHT_GRAD, last, &odd, sizeof odd));
            MUST(sq_nonfinite_check_gradients(nonfinite_check, &both, &path, &layer));
            cr_expect(path == (c < 2 ? c : SQ_NONE) && layer == (c < 2 ? l : SQ_NONE),
                      "layer %d choice %d: %d of path %d", l, c, layer, path);
            MUST(sq_model_write(s.model, SQ_ROLE_WEIGHT_GRAD, last, &kept, sizeof kept));
        }
    sq_nonfinite_check_close(nonfinite_check);
    close_subject(&s);
}
