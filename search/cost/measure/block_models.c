/* Writes the ONNX files to measure. */
#include "search/cost/measure/block_models.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/rng.h"
#include "kernels/base/text.h"
#include "supernet/export/export.h"
#include "supernet/export/onnx.h"

enum { ARCH_BYTES = 1024, TRIES = 1000 };

struct sq_block_models {
    sq_block_models_options options;
    sq_backend *backend;
    sq_model *model;
};

/* Draws weights from N(0, 2 / fan-in), so that the output of a convolution has about the magnitude of its input (He et
 * al. 2015, eq. 10). Gammas and variances are 1, all other parameters 0, so norms change nothing. */
static void draw(const sq_parameter *p, uint64_t seed, float *values)
{
    const bool is_weight =
        p->kind == SQ_PARAMETER_CONV || p->kind == SQ_PARAMETER_DEPTHWISE || p->kind == SQ_PARAMETER_LINEAR;
    const float constant = p->kind == SQ_PARAMETER_GAMMA || p->kind == SQ_PARAMETER_VARIANCE ? 1.0f : 0.0f;
    double fan_in = 1;
    for (int i = 1; i < p->dim_count; i++)
        fan_in *= p->dims[i];
    const double deviation = sqrt(2 / fan_in);
    sq_rng rng = sq_rng_open(seed, SQ_RNG_WEIGHTS, sq_hash(SQ_HASH_START, p->name, strlen(p->name)));
    for (size_t i = 0; i < p->count; i++)
        values[i] = is_weight ? (float)(deviation * sq_rng_normal(&rng)) : constant;
}

static sq_status draw_all(sq_model *model, uint64_t seed)
{
    const sq_memory_plan *plan = sq_model_plan(model);
    sq_status status = SQ_OK;
    for (int i = 0; status == SQ_OK && i < plan->parameter_count; i++) {
        const sq_parameter *p = &plan->parameters[i];
        float *values = malloc((p->count + 1) * sizeof *values);
        if (!values)
            return sq_fail(SQ_NO_MEMORY, "weights: %zu values", p->count);
        draw(p, seed, values);
        status = sq_model_write(model, p->role, p->offset, values, p->count * sizeof *values);
        free(values);
    }
    return status;
}

sq_status sq_block_models_open(sq_block_models **out, const sq_space *space, const sq_block_models_options *options)
{
    const sq_model_options model = {.block = {.batch = 1}};
    sq_block_models *m = calloc(1, sizeof *m);
    if (!m)
        return sq_fail(SQ_NO_MEMORY, "%s: models", space->name);
    m->options = *options;
    sq_status status = sq_backend_open("reference", 1, &m->backend);
    if (status == SQ_OK)
        status = sq_model_create(&m->model, m->backend, space, &model);
    if (status == SQ_OK)
        status = draw_all(m->model, options->seed);
    if (status == SQ_OK)
        *out = m;
    else
        sq_block_models_close(m);
    return status;
}

void sq_block_models_close(sq_block_models *m)
{
    if (!m)
        return;
    sq_model_destroy(m->model);
    sq_backend_close(m->backend);
    free(m);
}

static sq_status write_layers(sq_block_models *m, const int *path, int first, int last, const char *file)
{
    const sq_onnx_range range = {first, last, m->options.batch, m->options.opset, m->options.is_half};
    void *bytes = NULL;
    size_t size = 0;
    SQ_TRY(sq_onnx_encode_layers(m->model, path, &range, &bytes, &size));
    const sq_piece piece = {bytes, size};
    const sq_status status = sq_file_replace(file, &piece, 1);
    free(bytes);
    return status;
}

sq_status sq_block_models_write_block(sq_block_models *m, int layer, int choice, const char *file)
{
    int path[SQ_MAX_LAYERS] = {0};
    path[layer] = choice;
    return write_layers(m, path, layer, layer + 1, file);
}

sq_status sq_block_models_write_path(sq_block_models *m, const int *path, const char *file)
{
    return write_layers(m, path, 0, sq_model_plan(m->model)->space->layer_count, file);
}

/* ---- Whole paths ---- */

static bool is_known(const sq_path_list *list, const int *path, int layers)
{
    for (int i = 0; i < list->count; i++)
        if (memcmp(list->paths[i], path, (size_t)layers * sizeof *path) == 0)
            return true;
    return false;
}

sq_status sq_path_list_draw(sq_path_list *out, const sq_space *space, uint64_t seed, int count)
{
    sq_path_list list = {calloc((size_t)count + 1, sizeof *list.paths), 0};
    uint64_t number = UINT64_C(1) << 60; /* random streams that no candidate of a search uses */
    if (!list.paths)
        return sq_fail(SQ_NO_MEMORY, "%s: %d paths", space->name, count);
    for (int tries = 0; list.count < count; tries++) {
        int *path = list.paths[list.count];
        sq_rng rng = sq_rng_open(seed, SQ_RNG_SEARCH, number++);
        for (int l = 0; l < space->layer_count; l++)
            path[l] = (int)sq_rng_below(&rng, (uint32_t)space->layers[l].choice_count);
        if (tries < TRIES && is_known(&list, path, space->layer_count))
            continue;
        list.count++;
        tries = 0;
    }
    *out = list;
    return SQ_OK;
}

void sq_path_list_clear(sq_path_list *list)
{
    free(list->paths);
    *list = (sq_path_list){0};
}

/* ---- All files ---- */

sq_status sq_block_models_name(const sq_block_list *blocks, const char *folder, int index, char *path, size_t bytes)
{
    char name[32];
    const bool is_block = index < blocks->count;
    (void)snprintf(name, sizeof name, "%s_%04d.onnx", is_block ? "block" : "network",
                   is_block ? index : index - blocks->count);
    return sq_text_path(path, bytes, folder, name);
}

static void print_blocks(FILE *file, const sq_block_list *blocks)
{
    (void)fprintf(file, "%s,model\n", SQ_BLOCK_KEY_COLUMNS);
    for (int i = 0; i < blocks->count; i++) {
        char key[SQ_BLOCK_KEY_BYTES];
        (void)sq_block_key_print(&blocks->blocks[i].key, key, sizeof key);
        (void)fprintf(file, "%s,block_%04d.onnx\n", key, i);
    }
}

static void print_networks(FILE *file, const sq_space *space, const sq_block_list *blocks, const sq_path_list *paths)
{
    (void)fprintf(file, "arch,model,blocks\n");
    for (int i = 0; i < paths->count; i++) {
        char arch[ARCH_BYTES];
        const char *gap = "";
        (void)sq_arch_print(space, paths->paths[i], arch, sizeof arch);
        (void)fprintf(file, "\"%s\",network_%04d.onnx,", arch, i);
        for (int l = 0; l < space->layer_count; l++) {
            const sq_block_key key = sq_block_key_of(space, l, paths->paths[i][l]);
            const int block = sq_block_list_find(blocks, &key);
            if (block != SQ_NONE)
                (void)fprintf(file, "%sblock_%04d.onnx", gap, block);
            gap = block != SQ_NONE ? " " : gap;
        }
        (void)fputc('\n', file);
    }
}

static sq_status write_lists(const sq_space *space, const sq_block_list *blocks, const sq_path_list *paths,
                             const char *folder)
{
    char first[SQ_PATH_BYTES], second[SQ_PATH_BYTES];
    sq_file_writer w;
    SQ_TRY(sq_text_path(first, sizeof first, folder, "blocks.csv"));
    SQ_TRY(sq_text_path(second, sizeof second, folder, "networks.csv"));
    SQ_TRY(sq_file_begin(&w, first));
    print_blocks(w.stream, blocks);
    SQ_TRY(sq_file_finish(&w, first));
    SQ_TRY(sq_file_begin(&w, second));
    print_networks(w.stream, space, blocks, paths);
    return sq_file_finish(&w, second);
}

sq_status sq_block_models_write_all(sq_block_models *m, const sq_block_list *blocks, const sq_path_list *paths,
                                    const char *folder)
{
    SQ_TRY(sq_folder_make(folder));
    for (int i = 0; i < blocks->count + paths->count; i++) {
        char path[SQ_PATH_BYTES];
        SQ_TRY(sq_block_models_name(blocks, folder, i, path, sizeof path));
        SQ_TRY(i < blocks->count
                   ? sq_block_models_write_block(m, blocks->blocks[i].layer, blocks->blocks[i].choice, path)
                   : sq_block_models_write_path(m, paths->paths[i - blocks->count], path));
    }
    return write_lists(sq_model_plan(m->model)->space, blocks, paths, folder);
}
