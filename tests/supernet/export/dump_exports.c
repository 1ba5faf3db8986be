/* Exports random paths of a space with the logits of the evaluate programs, for check_exports.py and
 * check_torch_names.py.
 *
 * usage: dump_exports SPACE RESOLUTION PATHS OUT fold|unfold|bgr|raw OPSET
 *
 * Writes OUT/<n>/{model.onnx, model.safetensors, arch.json, images.raw, logits.raw} for path n. images.raw has
 * (3, h, w, 3) uint8 RGB values, and logits.raw has (3, classes) FP32 values. arch.json describes how the network's
 * input is computed from the images. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/rng.h"
#include "supernet/export/export.h"
#include "supernet/export/onnx.h"
#include "supernet/model/initialize.h"
#include "supernet/model/walk.h"

enum { BATCH = 3, WARM_UP = 4 };

#define TRY SQ_TRY

static void fill(uint8_t *pixels, size_t count, uint64_t number)
{
    sq_rng rng = sq_rng_open(11, SQ_RNG_TEST, number);
    for (size_t i = 0; i < count; i++)
        pixels[i] = (uint8_t)(sq_rng_u32(&rng) >> 24);
}

/* Runs a few training steps on noise, so that the norms' statistics and weights differ from their initial values. */
static sq_status warm_up(sq_model *model, const int *path, uint8_t *pixels, size_t count)
{
    const int32_t labels[BATCH] = {0, 1, 2};
    for (uint64_t i = 0; i < WARM_UP; i++) {
        const sq_model_batch batch = {pixels, labels, NULL, BATCH};
        const sq_step step = {
            .step = i, .learning_rate = 0.01f, .momentum = 0.9f, .statistics_rate = 0.3f, .gradient_scale = 1};
        fill(pixels, count, 100 + i);
        TRY(sq_model_load(model, &batch));
        TRY(sq_model_set_step(model, &step));
        TRY(sq_model_forward(model, path));
        TRY(sq_model_backward(model, path));
        TRY(sq_model_update(model, path));
    }
    return SQ_OK;
}

static sq_status write_raw(const char *folder, const char *name, const void *data, size_t bytes)
{
    char path[4096];
    const sq_piece piece = {data, bytes};
    (void)snprintf(path, sizeof path, "%.3000s/%s", folder, name);
    return sq_file_replace(path, &piece, 1);
}

/* Writes layer_00.onnx, layer_01.onnx, ...: one model per layer. Run one after the other, they compute the network. */
static sq_status dump_layers(sq_model *model, const int *path, const sq_export_options *options)
{
    for (int l = 0; l < sq_model_plan(model)->space->layer_count; l++) {
        const sq_onnx_range range = {.first = l, .last = l + 1, .batch = BATCH, .opset = options->opset};
        char name[32];
        void *bytes = NULL;
        size_t size;
        (void)snprintf(name, sizeof name, "layer_%02d.onnx", l);
        TRY(sq_onnx_encode_layers(model, path, &range, &bytes, &size));
        TRY(write_raw(options->folder, name, bytes, size));
        free(bytes);
    }
    return SQ_OK;
}

static sq_status dump(sq_model *model, const int *path, const sq_export_options *options)
{
    const sq_space *space = sq_model_plan(model)->space;
    const size_t side = (size_t)space->resolution, count = BATCH * side * side * 3,
                 logit_bytes = BATCH * (size_t)space->classes * sizeof(float);
    uint8_t *images = malloc(count);
    float *logits = malloc(logit_bytes);
    const int32_t labels[BATCH] = {0};
    const sq_model_batch batch = {images, labels, NULL, BATCH};
    const sq_step step = {0};
    TRY(warm_up(model, path, images, count));
    fill(images, count, 1);
    TRY(sq_model_load(model, &batch));
    TRY(sq_model_set_step(model, &step));
    TRY(sq_model_walk(model, path, SQ_EVALUATE));
    TRY(sq_model_logits(model, logits, BATCH));
    TRY(sq_export_network(model, path, options));
    TRY(dump_layers(model, path, options));
    TRY(write_raw(options->folder, "images.raw", images, count));
    TRY(write_raw(options->folder, "logits.raw", logits, logit_bytes));
    free(images);
    free(logits);
    return SQ_OK;
}

static sq_status run(char **argv)
{
    sq_space *space = NULL;
    sq_backend *backend = NULL;
    sq_model *model = NULL;
    const char *mode = argv[5];
    const sq_model_options how = {.block = {.batch = BATCH,
                                            .is_supernet = true,
                                            .mean = {0.4f, 0.5f, 0.6f},
                                            .deviation = {0.2f, 0.25f, 0.3f},
                                            .is_raw = strcmp(mode, "raw") == 0,
                                            .is_bgr = strcmp(mode, "raw") == 0 || strcmp(mode, "bgr") == 0},
                                  .is_training = true};
    sq_export_options options = {
        .is_folded = strcmp(mode, "unfold") != 0, .opset = atoi(argv[6]), .crop_fraction = 0.875, .accuracy = NAN};
    TRY(sq_space_read(&space, argv[1], atoi(argv[2]), 0));
    TRY(sq_backend_open("cpu", 2, &backend));
    TRY(sq_model_create(&model, backend, space, &how));
    TRY(sq_model_initialize(model, 1));
    for (int i = 0; i < atoi(argv[3]); i++) {
        char folder[4096];
        int path[SQ_MAX_LAYERS];
        sq_rng rng = sq_rng_open(12, SQ_RNG_TEST, (uint64_t)i);
        for (int l = 0; l < space->layer_count; l++)
            path[l] = (int)sq_rng_below(&rng, (uint32_t)space->layers[l].choice_count);
        (void)snprintf(folder, sizeof folder, "%.3000s/%d", argv[4], i);
        options.folder = folder;
        TRY(dump(model, path, &options));
    }
    sq_model_destroy(model);
    sq_backend_close(backend);
    sq_space_free(space);
    return SQ_OK;
}

int main(int argc, char **argv)
{
    if (argc != 7)
        return 2;
    if (run(argv) != SQ_OK) {
        (void)fprintf(stderr, "%s\n", sq_error_text());
        return 1;
    }
    return 0;
}
