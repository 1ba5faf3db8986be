/* Writes the three files of an exported network. */
#include "supernet/export/export.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "supernet/export/onnx.h"
#include "supernet/export/pixels.h"
#include "supernet/export/safetensors.h"
#include "supernet/space/cost.h"

enum { BLOCK_PARAMETERS_LIMIT = 128, NNI_BYTES = 64 * SQ_MAX_LAYERS };

typedef struct {
    sq_tensor *tensors;
    char (*names)[128];
    float **values;
    int count, limit;
} tensor_list;

static void clear_list(tensor_list *list)
{
    for (int i = 0; list->values && i < list->count; i++)
        free(list->values[i]);
    free(list->values);
    free(list->names);
    free(list->tensors);
}

static sq_status open_list(tensor_list *list, int limit)
{
    *list = (tensor_list){calloc((size_t)limit, sizeof *list->tensors), calloc((size_t)limit, sizeof *list->names),
                          calloc((size_t)limit, sizeof *list->values), 0, limit};
    if (list->tensors && list->names && list->values)
        return SQ_OK;
    clear_list(list);
    return sq_fail(SQ_NO_MEMORY, "export: %d tensors", limit);
}

/* Adds a tensor with the shape of the parameter under `name`. Every value is *constant; if `constant` is NULL, the
 * values are the model's. */
static sq_status add(tensor_list *list, sq_model *model, const sq_parameter *p, const char *name, const float *constant)
{
    const int i = list->count;
    if (i >= list->limit)
        return sq_fail(SQ_UNSUPPORTED, "export: more than %d tensors", list->limit);
    list->values[i] = malloc(p->count * sizeof(float));
    if (!list->values[i])
        return sq_fail(SQ_NO_MEMORY, "export: %s", name);
    (void)snprintf(list->names[i], sizeof *list->names, "%.127s", name);
    list->tensors[i] =
        (sq_tensor){.name = list->names[i], .dim_count = p->dim_count, .data = list->values[i], .count = p->count};
    memcpy(list->tensors[i].dims, p->dims, sizeof p->dims);
    list->count++;
    for (size_t v = 0; constant && v < p->count; v++)
        list->values[i][v] = *constant;
    return constant ? SQ_OK : sq_model_read(model, p->role, p->offset, list->values[i], p->count * sizeof(float));
}

/* Replaces the last component of a name by `leaf`: "x.running_mean" becomes "x.<leaf>". */
static void rename_leaf(char *out, size_t bytes, const char *name, const char *leaf)
{
    const char *dot = strrchr(name, '.');
    (void)snprintf(out, bytes, "%.*s.%s", (int)(dot - name), name, leaf);
}

/* Adds the parameters of one block under the names that they have in a single-path network. */
static sq_status add_block(tensor_list *list, sq_model *model, int layer, int choice)
{
    static const float one = 1, zero = 0;
    const sq_memory_plan *plan = sq_model_plan(model);
    sq_parameter parameters[BLOCK_PARAMETERS_LIMIT];
    sq_block_options single = plan->options;
    single.is_supernet = false;
    const int count = sq_block_parameters(&(sq_block_id){plan->space, layer, choice}, &single,
                                          &plan->regions[layer][choice], parameters, BLOCK_PARAMETERS_LIMIT);
    for (int i = 0; i < count && i < BLOCK_PARAMETERS_LIMIT; i++) {
        const sq_parameter *p = &parameters[i];
        char name[160];
        if (!plan->space->is_affine && p->kind == SQ_PARAMETER_MEAN) {
            rename_leaf(name, sizeof name, p->name, "weight");
            SQ_TRY(add(list, model, p, name, &one));
            rename_leaf(name, sizeof name, p->name, "bias");
            SQ_TRY(add(list, model, p, name, &zero));
        }
        SQ_TRY(add(list, model, p, p->name, NULL));
    }
    return SQ_OK;
}

/* Reads the file back and compares its tensors with the list. */
static sq_status verify(const char *path, const tensor_list *list)
{
    sq_safetensors *file = NULL;
    SQ_TRY(sq_safetensors_open(&file, path));
    sq_status status = SQ_OK;
    for (int i = 0; status == SQ_OK && i < list->count; i++) {
        const sq_tensor *t = sq_safetensors_find(file, list->names[i]);
        if (!t || t->count != list->tensors[i].count || memcmp(t->data, list->values[i], t->count * sizeof(float)) != 0)
            status = sq_fail(SQ_IO, "%s: '%s' differs when read back", path, list->names[i]);
    }
    sq_safetensors_close(file);
    return status;
}

static sq_status write_list(const char *folder, const char *name, const tensor_list *list, const char *space)
{
    char path[SQ_PATH_BYTES];
    const sq_metadata metadata[] = {{"format", "pt"}, {"producer", "squall"}, {"space", space}};
    SQ_TRY(sq_text_path(path, sizeof path, folder, name));
    SQ_TRY(sq_safetensors_write(path, list->tensors, list->count, metadata, 3));
    return verify(path, list);
}

static sq_status write_weights(sq_model *model, const int *path, const char *folder)
{
    const sq_space *space = sq_model_plan(model)->space;
    tensor_list list;
    SQ_TRY(open_list(&list, BLOCK_PARAMETERS_LIMIT * space->layer_count));
    sq_status status = SQ_OK;
    for (int l = 0; status == SQ_OK && l < space->layer_count; l++)
        status = add_block(&list, model, l, path[l]);
    if (status == SQ_OK)
        status = write_list(folder, "model.safetensors", &list, space->name);
    clear_list(&list);
    return status;
}

sq_status sq_export_supernet(sq_model *model, const char *folder)
{
    const sq_memory_plan *plan = sq_model_plan(model);
    tensor_list list;
    SQ_TRY(sq_folder_make(folder));
    SQ_TRY(open_list(&list, plan->parameter_count));
    sq_status status = SQ_OK;
    for (int i = 0; status == SQ_OK && i < plan->parameter_count; i++)
        if (plan->parameters[i].role == SQ_ROLE_WEIGHT)
            status = add(&list, model, &plan->parameters[i], plan->parameters[i].name, NULL);
    if (status == SQ_OK)
        status = write_list(folder, "supernet.safetensors", &list, plan->space->name);
    clear_list(&list);
    return status;
}

/* ---- arch.json ---- */

static json_t *triple(const float values[3])
{
    char text[128];
    sq_export_triple(values, text, sizeof text);
    return json_loads(text, 0, NULL);
}

/* Converts a name from Latin-1 to UTF-8, where each byte above 127 becomes two bytes. Class names that are not UTF-8
 * are nearly always Latin-1. Returns NULL if an allocation fails. */
static json_t *latin1(const char *name)
{
    char *wide = malloc(2 * strlen(name) + 1), *to = wide;
    if (!wide)
        return NULL;
    for (const unsigned char *from = (const unsigned char *)name; *from; from++)
        if (*from < 0x80) {
            *to++ = (char)*from;
        } else {
            *to++ = (char)(0xC0 | *from >> 6);
            *to++ = (char)(0x80 | (*from & 0x3F));
        }
    *to = 0;
    json_t *string = json_string(wide);
    free(wide);
    return string;
}

sq_status sq_export_classes(const char *const *names, int count, char **json)
{
    json_t *list = json_array();
    bool is_complete = list != NULL;
    for (int i = 0; is_complete && i < count; i++) {
        json_t *name = json_string(names[i]);
        is_complete = json_array_append_new(list, name ? name : latin1(names[i])) == 0;
    }
    char *text = is_complete ? json_dumps(list, JSON_COMPACT) : NULL;
    json_decref(list);
    if (!text)
        return sq_fail(SQ_NO_MEMORY, "export: %d class names", count);
    *json = text;
    return SQ_OK;
}

static json_t *layers_of(const sq_space *space, const int *path)
{
    json_t *list = json_array();
    for (int l = 0; l < space->layer_count; l++) {
        const sq_layer *layer = &space->layers[l];
        json_array_append_new(list, json_pack("{s:s, s:[i,i,i], s:[i,i,i], s:i}", "choice",
                                              space->choices[layer->choices[path[l]]].name, "in", layer->h_in,
                                              layer->w_in, layer->c_in, "out", layer->h_out, layer->w_out, layer->c_out,
                                              "stride", layer->stride));
    }
    return list;
}

/* Adds the choice numbers of the searched layers as a list, as a SPOS tuple and as NNI JSON. Returns false if an
 * allocation fails. */
static bool add_architecture(json_t *root, const sq_space *space, const int *path)
{
    char tuple[1024], *nni = malloc(NNI_BYTES);
    json_t *arch = json_array();
    if (!nni || !arch) {
        free(nni);
        json_decref(arch);
        return false;
    }
    for (int l = 0; l < space->layer_count; l++)
        if (space->layers[l].searched_index != SQ_NONE)
            (void)json_array_append_new(arch, json_integer(path[l])); /* is_complete covers failures */
    (void)sq_arch_print(space, path, tuple, sizeof tuple);
    (void)sq_arch_print_nni(space, path, nni, NNI_BYTES);
    const bool is_complete = (int)json_array_size(arch) == space->searched_count;
    const int failures = json_object_set_new(root, "arch", arch) +
                         json_object_set_new(root, "tuple", json_string(tuple)) +
                         json_object_set_new(root, "nni", json_loads(nni, 0, NULL));
    free(nni);
    return is_complete && failures == 0;
}

static json_t *costs_of(const sq_space *space, const int *path)
{
    const sq_cost cost = sq_cost_path(space, path);
    return json_pack("{s:f, s:f, s:I}", "macs_m", 1e-6 * (double)cost.macs, "parameters_m",
                     1e-6 * (double)(cost.weights + cost.norm_weights), "activation_bytes",
                     (json_int_t)cost.activation_bytes);
}

static json_t *input_of(const sq_memory_plan *plan, double crop_fraction)
{
    const sq_export_pixels pixels = sq_export_pixels_of(&plan->options);
    return json_pack("{s:i, s:f, s:s, s:s, s:o, s:o}", "resolution", plan->space->resolution, "crop_fraction",
                     crop_fraction, "channel_order", pixels.order, "range", pixels.range, "mean", triple(pixels.mean),
                     "std", triple(pixels.deviation));
}

/* Returns the content of arch.json, or NULL if an allocation fails. */
static json_t *describe(const sq_memory_plan *plan, const int *path, const sq_export_options *o)
{
    json_t *root = json_object();
    const bool has_arch_space = o->arch_space != NULL;
    if (!root)
        return NULL;
    bool is_complete =
        add_architecture(root, has_arch_space ? o->arch_space : plan->space, has_arch_space ? o->arch_path : path);
    is_complete &= json_object_set_new(root, "space", json_string(plan->space->name)) == 0;
    is_complete &= json_object_update_new(root, costs_of(plan->space, path)) == 0;
    is_complete &=
        json_object_set_new(root, "top1_acc", isfinite(o->accuracy) ? json_real(o->accuracy) : json_null()) == 0;
    is_complete &= json_object_set_new(root, "input", input_of(plan, o->crop_fraction)) == 0;
    is_complete &=
        json_object_set_new(root, "classes", json_loads(o->classes_json ? o->classes_json : "[]", 0, NULL)) == 0;
    is_complete &= json_object_set_new(root, "layers", layers_of(plan->space, path)) == 0;
    if (is_complete)
        return root;
    json_decref(root);
    return NULL;
}

static sq_status write_arch(const sq_memory_plan *plan, const int *path, const sq_export_options *o)
{
    char file[SQ_PATH_BYTES];
    json_t *root = describe(plan, path, o);
    char *text = root ? json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(root);
    if (!text)
        return sq_fail(SQ_NO_MEMORY, "%s: arch.json", o->folder);
    const sq_piece pieces[2] = {{text, strlen(text)}, {"\n", 1}};
    sq_status status = sq_text_path(file, sizeof file, o->folder, "arch.json");
    if (status == SQ_OK)
        status = sq_file_replace(file, pieces, 2);
    free(text);
    return status;
}

static sq_status write_onnx(sq_model *model, const int *path, const sq_export_options *o)
{
    char file[SQ_PATH_BYTES];
    void *bytes = NULL;
    size_t size = 0;
    SQ_TRY(sq_text_path(file, sizeof file, o->folder, "model.onnx"));
    SQ_TRY(sq_onnx_encode(model, path, o, &bytes, &size));
    const sq_piece piece = {bytes, size};
    const sq_status status = sq_file_replace(file, &piece, 1);
    free(bytes);
    return status;
}

sq_status sq_export_network(sq_model *model, const int *path, const sq_export_options *options)
{
    if (options->opset < SQ_ONNX_LEAST_OPSET)
        return sq_fail(SQ_INVALID, "export: opset %d, expected %d or higher", options->opset, SQ_ONNX_LEAST_OPSET);
    SQ_TRY(sq_folder_make(options->folder));
    SQ_TRY(write_weights(model, path, options->folder));
    SQ_TRY(write_arch(sq_model_plan(model), path, options));
    return write_onnx(model, path, options);
}
