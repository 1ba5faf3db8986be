/* Converts layers and operators with their costs, and their latency on devices, into JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "search/cost/roofline_file.h"
#include "search/cost/fit/measured.h"
#include "search/cost/latency_table.h"
#include "supernet/model/block.h"
#include "supernet/space/block_kinds.h"
#include "supernet/space/cost.h"
#include "tools/report/report.h"
#include "tools/run/share_folder.h"

enum { LARGEST_HEADER = 1 << 26, MOST_PARAMETERS = 8, MOST_NETWORKS = 2000 };

/* ---- The space that a run was trained in ---- */

/* Returns the number of classes, which is the number of rows of the classifier's weights in the newest checkpoint; 0:
 * unknown. Reads only the header of the checkpoint. */
static int count_classes(const char *folder, const sq_space *space)
{
    char path[SQ_PATH_BYTES], *header = NULL;
    unsigned char length[8];
    uint64_t bytes = 0;
    const sq_block_options options = {.batch = 1};
    const sq_region region = {0};
    sq_parameter parameters[MOST_PARAMETERS];
    if (sq_text_path(path, sizeof path, folder, "last/model.safetensors") != SQ_OK ||
        sq_block_parameters(&(sq_block_id){space, space->layer_count - 1, 0}, &options, &region, parameters,
                            MOST_PARAMETERS) < 1)
        return 0;
    FILE *file = fopen(path, "rb");
    if (file && fread(length, 1, sizeof length, file) == sizeof length)
        for (int i = 7; i >= 0; i--)
            bytes = bytes << 8 | length[i];
    if (bytes > 0 && bytes < LARGEST_HEADER)
        header = malloc(bytes);
    json_t *root = header && fread(header, 1, bytes, file) == bytes ? json_loadb(header, bytes, 0, NULL) : NULL;
    const json_t *tensor = json_object_get(root, parameters[0].name);
    const int classes = (int)json_integer_value(json_array_get(json_object_get(tensor, "shape"), 0));
    json_decref(root);
    free(header);
    if (file)
        (void)fclose(file); /* opened for reading, so closing cannot lose data */
    return classes;
}

/* Returns the file `named`, which config.yaml names, or the file of the same name in configs/spaces of the share
 * folder. A run that was moved needs the second one. */
static const char *find_space(char *out, size_t bytes, const char *named)
{
    char beside[512];
    if (sq_path_exists(named))
        return named;
    const char *base = strrchr(named, '/');
    (void)snprintf(beside, sizeof beside, "configs/spaces/%.400s", base ? base + 1 : named);
    if (sq_share_path(out, bytes, beside))
        return out;
    return named; /* opening the missing file fails and reports the path */
}

sq_space *sq_report_space(const char *folder, const json_t *settings, json_t *notes)
{
    char shared[SQ_PATH_BYTES];
    sq_space *space = NULL;
    int64_t resolution = 0, classes = 0;
    const char *named = sq_report_setting(settings, "space");
    if (!*named)
        return NULL;
    const char *file = find_space(shared, sizeof shared, named);
    (void)sq_text_int(sq_report_setting(settings, "data.resolution"), 0, 4096, &resolution); /* unset: the space's */
    (void)sq_text_int(sq_report_setting(settings, "data.classes"), 0, 1000000, &classes);
    sq_status status = sq_space_read(&space, file, (int)resolution, (int)classes);
    const int trained = status == SQ_OK ? count_classes(folder, space) : 0;
    if (trained > 0 && trained != space->classes) {
        sq_space_free(space);
        space = NULL;
        status = sq_space_read(&space, file, (int)resolution, trained);
    }
    if (status != SQ_OK)
        sq_report_note(notes, "no picture of networks: %s", sq_error_text());
    return space;
}

static json_t *operator_object(const sq_choice *c)
{
    return json_pack("{s:o, s:s, s:i, s:o, s:b}", "name", sq_report_text(c->name), "kind", sq_block_name(c->kind),
                     "kernel", sq_block_shows_kernel(c) ? c->kernel : 0, "expansion",
                     sq_block_shows_expansion(c) ? json_real(c->expansion) : json_null(), "se", c->has_se);
}

static json_t *layer_object(const sq_space *space, int l)
{
    const sq_layer *layer = &space->layers[l];
    json_t *choices = json_array(), *macs = json_array(), *parameters = json_array();
    for (int c = 0; c < layer->choice_count; c++) {
        const sq_cost cost = sq_cost_block(space, l, c);
        json_array_append_new(choices, json_integer(layer->choices[c]));
        json_array_append_new(macs, json_real(1e-6 * (double)cost.macs));
        json_array_append_new(parameters, json_real(1e-6 * (double)(cost.weights + cost.norm_weights)));
    }
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:o, s:o, s:o}", "h", layer->h_out, "w", layer->w_out, "c_in",
                     layer->c_in, "c_out", layer->c_out, "stride", layer->stride, "searched",
                     layer->searched_index == SQ_NONE ? -1 : layer->searched_index, "choices", choices, "macs", macs,
                     "parameters", parameters);
}

json_t *sq_report_network(const sq_space *space)
{
    json_t *operators = json_array(), *layers = json_array();
    for (int c = 0; c < space->choice_count; c++)
        json_array_append_new(operators, operator_object(&space->choices[c]));
    for (int l = 0; l < space->layer_count; l++)
        json_array_append_new(layers, layer_object(space, l));
    return json_pack("{s:o, s:o, s:i, s:i, s:o, s:o}", "name", sq_report_text(space->name), "source",
                     sq_report_text(space->source), "resolution", space->resolution, "classes", space->classes,
                     "operators", operators, "layers", layers);
}

/* ---- A device ---- */

static json_t *networks_of(const sq_measured *m, const sq_space *space, const sq_latency_cache *cache)
{
    int path[SQ_MAX_LAYERS];
    char text[1024];
    json_t *list = json_array();
    const size_t stride = (m->count + MOST_NETWORKS - 1) / MOST_NETWORKS;
    for (size_t i = 0; i < m->count; i += stride) {
        if (sq_arch_path(space, m->paths + i * (size_t)m->layers, path) != SQ_NONE)
            continue; /* the network belongs to another space */
        (void)sq_arch_print(space, path, text, sizeof text);
        json_array_append_new(list, json_pack("[f, f, f, s]", m->ms[i], m->deviation[i],
                                              sq_latency_predict(cache, space, path).ms, text));
    }
    return list;
}

/* Adds the networks that were measured on the device, from measured.csv in its folder. */
static void put_measured(json_t *out, const char *device, const sq_space *space, const sq_latency_cache *cache,
                         json_t *notes)
{
    char path[SQ_PATH_BYTES];
    sq_measured *m = NULL;
    if (!sq_path_find(path, sizeof path, device, "measured.csv"))
        return;
    if (sq_measured_read(&m, path, NULL) != SQ_OK)
        sq_report_note(notes, "no measured networks: %s", sq_error_text());
    else if (m->layers != space->searched_count)
        sq_report_note(notes, "no measured networks: %s: architectures of %d numbers, %s has %d searched layers", path,
                       m->layers, space->name, space->searched_count);
    else {
        json_object_set_new(out, "networks", networks_of(m, space, cache));
        json_object_set_new(out, "network_count", json_integer((json_int_t)m->count));
    }
    sq_measured_free(m);
}

static json_t *blocks_of(const sq_space *space, const sq_latency_cache *cache)
{
    json_t *layers = json_array();
    double deviation; /* required by the call, but unused */
    for (int l = 0; l < space->layer_count; l++) {
        json_t *row = json_array();
        for (int c = 0; c < space->layers[l].choice_count; c++)
            json_array_append_new(row, json_real(sq_latency_block_ms(cache, l, c, &deviation)));
        json_array_append_new(layers, row);
    }
    return layers;
}

/* Adds published measurements of whole networks on a modelled device, from checks.csv in the device's folder. */
static void put_checks(json_t *out, const char *device, const sq_latency *latency, json_t *notes)
{
    char path[SQ_PATH_BYTES];
    sq_roofline_check *checks = NULL;
    size_t count = 0;
    const sq_device_info *info = &latency->info;
    if (!latency->has_roofline || !sq_path_find(path, sizeof path, device, "checks.csv"))
        return;
    if (sq_roofline_checks(&latency->roofline, path, &checks, &count) != SQ_OK) {
        sq_report_note(notes, "no check points: %s", sq_error_text());
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("[f, f, o]", checks[i].measured,
                                              info->base_ms + info->scale * checks[i].predicted,
                                              sq_report_text(checks[i].network)));
    json_object_set_new(out, "checks", list);
    free(checks);
}

/* Prepares the latencies of all blocks. If entries are missing, takes their times from similar blocks, or else from the
 * device's roofline. */
static sq_status look_up(sq_latency_cache *out, const sq_latency *latency, const sq_space *space)
{
    static const sq_fill fills[] = {SQ_FILL_NONE, SQ_FILL_INTERPOLATE, SQ_FILL_ROOFLINE};
    sq_status status = SQ_INVALID;
    for (size_t i = 0; status != SQ_OK && i < sizeof fills / sizeof *fills; i++)
        status = sq_latency_prepare(out, latency, space, fills[i]);
    return status;
}

static json_t *device_object(const sq_latency_cache *cache, const sq_space *space)
{
    const sq_device_info *info = &cache->info;
    return json_pack("{s:o, s:b, s:o, s:o, s:o, s:i, s:f, s:f, s:f, s:i, s:o}", "name", sq_report_text(info->name),
                     "measured", info->is_measured, "runtime", sq_report_text(info->runtime), "dtype",
                     sq_report_text(info->dtype), "date", sq_report_text(info->date), "batch", info->batch, "base_ms",
                     info->base_ms, "scale", info->scale, "residual_ms", info->residual_ms, "filled",
                     cache->filled_count, "ms", blocks_of(space, cache));
}

json_t *sq_report_device(const sq_space *space, const char *device, json_t *notes)
{
    sq_latency *latency = NULL;
    sq_latency_cache cache = {0};
    json_t *out = NULL;
    sq_status status = sq_latency_open(&latency, device);
    if (status == SQ_OK)
        status = look_up(&cache, latency, space);
    if (status == SQ_OK) {
        out = device_object(&cache, space);
        put_measured(out, device, space, &cache, notes);
        put_checks(out, device, latency, notes);
    } else
        sq_report_note(notes, "no latency by layer: %s", sq_error_text());
    sq_latency_cache_clear(&cache);
    sq_latency_close(latency);
    return out;
}
