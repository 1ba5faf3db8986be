#include "tests/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/rng.h"
#include "kernels/base/text.h"

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
    enum { LIMIT = 512 }; /* tests append names to it in buffers of 600 */
    char *folder = malloc(LIMIT);
    MUST(sq_folder_scratch(folder, LIMIT, "squall-test"));
    return folder;
}

void drop_folder(char *folder)
{
    MUST(sq_path_remove(folder));
    free(folder);
}

void put_bytes(const char *folder, const char *name, const void *bytes, size_t size)
{
    char path[1024], parent[1024];
    const sq_piece piece = {bytes, size};
    cr_assert(sq_text_path(path, sizeof path, folder, name));
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
    cr_assert(sq_text_path(path, sizeof path, folder, name));
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

subject open_subject_with(const char *space, const char *backend, const sq_backend_options *options, int batch)
{
    subject s = {0};
    const sq_model_options model = {
        .block = {.batch = batch, .is_supernet = true, .label_smoothing = 0.1f, .has_average = true},
        .is_training = true};
    MUST(sq_space_read(&s.space, space, 0, 0));
    MUST(sq_backend_open_with(backend, options, &s.backend));
    MUST(sq_model_create(&s.model, s.backend, s.space, &model));
    MUST(sq_model_initialise(s.model, 1));
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
    const sq_plan *plan = sq_model_plan(model);
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
