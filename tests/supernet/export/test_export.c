/* Tests names, architecture, input and classes of exported files. check_exports.py checks the logits. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "supernet/export/export.h"
#include "supernet/export/onnx.h"
#include "supernet/export/pixels.h"
#include "supernet/export/safetensors.h"
#include "supernet/model/initialize.h"
#include "tests/support/support.h"

typedef struct {
    sq_space *space;
    sq_backend *backend;
    sq_model *model;
    char *folder;
    int path[SQ_MAX_LAYERS];
} exported;

/* Opens an evaluation model with initial weights, and draws a path with the random number `number`. */
static exported open_exported(const char *space, uint64_t number, const sq_block_options *block)
{
    exported e = {.folder = make_folder()};
    sq_model_options options = {.block = block ? *block : (sq_block_options){.deviation = {1, 1, 1}}};
    options.block.batch = 1;
    options.block.is_supernet = true;
    MUST(sq_space_read(&e.space, space, 0, 0));
    MUST(sq_backend_open("cpu", 1, &e.backend));
    MUST(sq_model_create(&e.model, e.backend, e.space, &options));
    MUST(sq_model_initialize(e.model, 1));
    draw_path(e.space, number, e.path);
    return e;
}

static void close_exported(exported *e)
{
    sq_model_destroy(e->model);
    sq_backend_close(e->backend);
    sq_space_free(e->space);
    drop_folder(e->folder);
}

static sq_export_options options_of(const exported *e)
{
    return (sq_export_options){
        .folder = e->folder, .is_folded = true, .opset = 13, .crop_fraction = 0.875, .accuracy = NAN};
}

/* Returns the path of a file of the export, valid until the next call. */
static const char *file_of(const exported *e, const char *name)
{
    static char path[256];
    (void)snprintf(path, sizeof path, "%.100s/%s", e->folder, name);
    return path;
}

static json_t *read_arch(const exported *e)
{
    json_error_t error;
    json_t *root = json_load_file(file_of(e, "arch.json"), 0, &error);
    cr_assert_not_null(root, "%s", error.text);
    return root;
}

static void same_text(const json_t *object, const char *key, const char *wanted)
{
    const char *found = json_string_value(json_object_get(object, key));
    cr_expect(found && strcmp(found, wanted) == 0, "%s: '%s', wanted '%s'", key, found ? found : "(none)", wanted);
}

/* ---- Weights ---- */

/* Expects that the file has exactly the parameters of the single network, with the network's names and PyTorch's
 * shapes. */
static void check_single_names(const char *space, uint64_t number)
{
    exported e = open_exported(space, number, NULL);
    const sq_export_options options = options_of(&e);
    sq_space *single = NULL;
    sq_safetensors *file = NULL;
    sq_memory_plan plan;
    const sq_block_options block = {.batch = 1};
    MUST(sq_export_network(e.model, e.path, &options));
    MUST(sq_safetensors_open(&file, file_of(&e, "model.safetensors")));
    MUST(sq_space_single(&single, e.space, e.path));
    MUST(sq_memory_plan_make(&plan, single, &block, false, NULL));
    cr_expect_eq(sq_safetensors_count(file), plan.parameter_count, "%s", space);
    for (int i = 0; i < plan.parameter_count; i++) {
        const sq_parameter *p = &plan.parameters[i];
        const sq_tensor *t = sq_safetensors_find(file, p->name);
        cr_assert_not_null(t, "%s: no %s", space, p->name);
        cr_expect(t->dim_count == p->dim_count && memcmp(t->dims, p->dims, sizeof t->dims) == 0, "%s", p->name);
        const bool is_gamma = p->kind == SQ_PARAMETER_GAMMA, is_beta = p->kind == SQ_PARAMETER_BETA;
        for (size_t j = 0; !e.space->is_affine && (is_gamma || is_beta) && j < t->count; j++)
            cr_assert_eq(t->data[j], is_gamma ? 1.0f : 0.0f, "%s", p->name);
    }
    sq_memory_plan_clear(&plan);
    sq_space_free(single);
    sq_safetensors_close(file);
    close_exported(&e);
}

Test(export, weights_carry_exactly_the_single_networks_names_and_shapes)
{
    for (uint64_t number = 0; number < 4; number++) {
        check_single_names(SOURCE("configs/spaces/tiny.yaml"), number);
        check_single_names(SOURCE("tests/fixtures/odd_widths_pad.yaml"), number);
        check_single_names(SOURCE("configs/spaces/samples.yaml"), number);
    }
    check_single_names(SOURCE("configs/spaces/proxyless.yaml"), 0);
}

Test(export, norms_without_gamma_and_beta_get_one_and_zero)
{
    sq_space *space = NULL;
    MUST(sq_space_read(&space, SOURCE("configs/spaces/spos.yaml"), 0, 0));
    cr_assert_not(space->is_affine, "this test needs a space without them");
    sq_space_free(space);
    check_single_names(SOURCE("configs/spaces/spos.yaml"), 0);
}

Test(export, the_supernet_keeps_every_weight_under_its_own_name)
{
    exported e = open_exported(SOURCE("configs/spaces/tiny.yaml"), 0, NULL);
    sq_safetensors *file = NULL;
    int weights = 0;
    MUST(sq_export_supernet(e.model, e.folder));
    MUST(sq_safetensors_open(&file, file_of(&e, "supernet.safetensors")));
    const sq_memory_plan *plan = sq_model_plan(e.model);
    for (int i = 0; i < plan->parameter_count; i++) {
        const sq_parameter *p = &plan->parameters[i];
        if (p->role != SQ_ROLE_WEIGHT)
            continue;
        const sq_tensor *t = sq_safetensors_find(file, p->name);
        float *values = malloc(p->count * sizeof *values);
        weights++;
        cr_assert_not_null(t, "%s", p->name);
        MUST(sq_model_read(e.model, p->role, p->offset, values, p->count * sizeof *values));
        cr_expect_arr_eq(t->data, values, p->count * sizeof *values, "%s", p->name);
        free(values);
    }
    cr_expect_eq(sq_safetensors_count(file), weights);
    sq_safetensors_close(file);
    close_exported(&e);
}

Test(export, the_same_weights_give_the_same_bytes)
{
    void *bytes[2] = {NULL, NULL};
    size_t sizes[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        exported e = open_exported(SOURCE("configs/spaces/tiny.yaml"), 3, NULL);
        const sq_export_options options = options_of(&e);
        MUST(sq_onnx_encode(e.model, e.path, &options, &bytes[i], &sizes[i]));
        close_exported(&e);
    }
    cr_assert_eq(sizes[0], sizes[1]);
    cr_expect_arr_eq(bytes[0], bytes[1], sizes[0]);
    free(bytes[0]);
    free(bytes[1]);
}

/* ---- The contents of arch.json ---- */

Test(export, the_architecture_reads_back)
{
    exported e = open_exported(SOURCE("configs/spaces/tiny.yaml"), 2, NULL);
    const sq_export_options options = options_of(&e);
    int path[SQ_MAX_LAYERS];
    MUST(sq_export_network(e.model, e.path, &options));
    MUST(sq_arch_read(e.space, file_of(&e, "arch.json"), path));
    cr_expect_arr_eq(path, e.path, (size_t)e.space->layer_count * sizeof *path);
    close_exported(&e);
}

Test(export, the_architecture_of_a_network_trained_alone_reads_back_in_its_space)
{
    exported e = open_exported(SOURCE("configs/spaces/tiny.yaml"), 2, NULL);
    const int only[SQ_MAX_LAYERS] = {0};
    sq_space *single = NULL;
    sq_model *model = NULL;
    const sq_model_options how = {.block = {.batch = 1}};
    int path[SQ_MAX_LAYERS];
    MUST(sq_space_single(&single, e.space, e.path));
    MUST(sq_model_create(&model, e.backend, single, &how));
    MUST(sq_model_initialize(model, 1));
    sq_export_options options = options_of(&e);
    options.arch_space = e.space;
    options.arch_path = e.path;
    MUST(sq_export_network(model, only, &options));
    MUST(sq_arch_read(e.space, file_of(&e, "arch.json"), path));
    cr_expect_arr_eq(path, e.path, (size_t)e.space->layer_count * sizeof *path);
    json_t *root = read_arch(&e);
    cr_expect_eq(json_object_size(json_object_get(root, "nni")), (size_t)e.space->searched_count);
    json_decref(root);
    sq_model_destroy(model);
    sq_space_free(single);
    close_exported(&e);
}

Test(export, normalised_blue_green_red_input_lists_means_in_that_order)
{
    const sq_block_options block = {.mean = {0.485f, 0.456f, 0.406f}, .deviation = {0.229f, 0.224f, 0}, .is_bgr = true};
    exported e = open_exported(SOURCE("configs/spaces/tiny.yaml"), 0, &block);
    const sq_export_options options = options_of(&e);
    MUST(sq_export_network(e.model, e.path, &options));
    json_t *root = read_arch(&e), *input = json_object_get(root, "input");
    char *mean = json_dumps(json_object_get(input, "mean"), JSON_REAL_PRECISION(9)),
         *std = json_dumps(json_object_get(input, "std"), JSON_REAL_PRECISION(9));
    same_text(input, "channel_order", "BGR");
    same_text(input, "range", "0..1");
    cr_expect_str_eq(mean, "[0, 0.456, 0.485]", "a deviation of 0 means: not normalised; found %s", mean);
    cr_expect_str_eq(std, "[1, 0.224, 0.229]", "%s", std);
    free(mean);
    free(std);
    json_decref(root);
    close_exported(&e);
}

Test(export, every_class_keeps_its_place_whatever_its_bytes)
{
    const char *const names[] = {"a\"b\\c", "caf\xe9", "na\xc3\xafve", "", "\xff\xfe\x80", "tab\t"};
    const char *const wanted[] = {"a\"b\\c", "caf\xc3\xa9", "na\xc3\xafve", "", "\xc3\xbf\xc3\xbe\xc2\x80", "tab\t"};
    char *text = NULL;
    MUST(sq_export_classes(names, 6, &text));
    json_t *list = json_loads(text, 0, NULL);
    cr_assert_eq(json_array_size(list), 6, "%s", text);
    for (size_t i = 0; i < 6; i++)
        cr_expect_str_eq(json_string_value(json_array_get(list, i)), wanted[i]);
    json_decref(list);
    free(text);
}

/* ---- Failures ---- */

Test(export, rejects_an_operator_set_before_13_and_writes_nothing)
{
    exported e = open_exported(SOURCE("configs/spaces/tiny.yaml"), 0, NULL);
    sq_export_options options = options_of(&e);
    options.opset = 12;
    cr_expect_eq(sq_export_network(e.model, e.path, &options), SQ_INVALID);
    cr_expect_str_eq(sq_error_text(), "export: opset 12, expected 13 or higher");
    cr_expect_not(sq_path_exists(file_of(&e, "model.safetensors")));
    close_exported(&e);
}

Test(export, a_file_that_cannot_be_put_in_place_leaves_no_part_of_it)
{
    exported e = open_exported(SOURCE("configs/spaces/tiny.yaml"), 0, NULL);
    const sq_export_options options = options_of(&e);
    char inside[300];
    (void)snprintf(inside, sizeof inside, "%.200s/model.onnx/x", e.folder);
    cr_assert_eq(mkdir(file_of(&e, "model.onnx"), 0755), 0);
    cr_assert_eq(mkdir(inside, 0755), 0);
    cr_expect_eq(sq_export_network(e.model, e.path, &options), SQ_IO);
    cr_expect_not_null(strstr(sq_error_text(), "model.onnx"), "%s", sq_error_text());
    cr_expect_null(strchr(sq_error_text(), '\n'));
    cr_expect_not(sq_path_exists(file_of(&e, "model.onnx.tmp")));
    close_exported(&e);
}

Test(export, a_file_in_the_folders_place_is_named)
{
    exported e = open_exported(SOURCE("configs/spaces/tiny.yaml"), 0, NULL);
    sq_export_options options = options_of(&e);
    const sq_piece piece = {"x", 1};
    char taken[256];
    (void)snprintf(taken, sizeof taken, "%s", file_of(&e, "taken"));
    MUST(sq_file_replace(taken, &piece, 1));
    options.folder = taken;
    cr_expect_eq(sq_export_network(e.model, e.path, &options), SQ_IO);
    cr_expect_not_null(strstr(sq_error_text(), taken), "%s", sq_error_text());
    close_exported(&e);
}
