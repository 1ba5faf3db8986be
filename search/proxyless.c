/* ProxylessNAS's latency tables: a YAML mapping from a described layer to {count, mean, var}. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/base/text.h"
#include "kernels/base/yaml.h"
#include "search/latency_table.h"
#include "supernet/describe.h"

static const char *scalar(yaml_document_t *document, int node)
{
    const yaml_node_t *n = yaml_document_get_node(document, node);
    return n && n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL;
}

/* {count: 949, mean: 4.39, var: 0.156} */
static sq_status read_entry(sq_latency *latency, const char *path, yaml_document_t *document,
                            const yaml_node_pair_t *pair)
{
    const char *key = scalar(document, pair->key);
    const yaml_node_t *value = yaml_document_get_node(document, pair->value);
    double mean = -1, variance = 0;
    const int line = value ? (int)value->start_mark.line : 0;
    if (!key || !value || value->type != YAML_MAPPING_NODE || strlen(key) >= SQ_LATENCY_KEY_BYTES)
        return sq_fail(SQ_INVALID, "%s:%d: wanted '<layer>: {count, mean, var}'", path, line);
    for (const yaml_node_pair_t *p = value->data.mapping.pairs.start; p < value->data.mapping.pairs.top; p++) {
        const char *field = scalar(document, p->key), *text = scalar(document, p->value);
        double *to = !field ? NULL : strcmp(field, "mean") == 0 ? &mean : strcmp(field, "var") == 0 ? &variance : NULL;
        if (to && (!text || !sq_text_double(text, 0, 1e9, to)))
            return sq_fail(SQ_INVALID, "%s:%d: '%s': %s: '%s', wanted a number of milliseconds >= 0", path, line, key,
                           field, text ? text : "");
    }
    if (mean < 0)
        return sq_fail(SQ_INVALID, "%s:%d: '%s': no mean", path, line, key);
    return sq_latency_add(latency, key, mean, sqrt(variance));
}

static sq_status read_document(void *context, const char *path, yaml_document_t *document, const yaml_node_t *root)
{
    sq_latency *latency = context;
    if (!root || root->type != YAML_MAPPING_NODE)
        return sq_fail(SQ_INVALID, "%s: wanted a YAML mapping of layers, or a folder with device.yaml and table.csv",
                       path);
    for (const yaml_node_pair_t *p = root->data.mapping.pairs.start; p < root->data.mapping.pairs.top; p++)
        SQ_TRY(read_entry(latency, path, document, p));
    return sq_latency_sort(latency, path);
}

sq_status sq_latency_read_proxyless(sq_latency *latency, const char *path)
{
    latency->is_proxyless = true;
    if (!latency->info.name[0]) {
        (void)snprintf(latency->info.name, sizeof latency->info.name, "proxyless table");
        latency->info.scale = 1;
        latency->info.batch = 1;
        latency->info.is_measured = true;
    }
    return sq_yaml_visit(path, latency, read_document);
}

sq_status sq_latency_proxyless_key(const sq_space *space, int layer, int choice, char *text, size_t bytes)
{
    const sq_layer *l = &space->layers[layer];
    const sq_choice *c = &space->choices[l->choices[choice]];
    const bool has_residual = l->stride == 1 && l->c_in == l->c_out;
    switch (c->kind) {
    case SQ_BLOCK_CONV:
        (void)snprintf(text, bytes, "%s-input:%dx%dx%d-output:%dx%dx%d", layer == 0 ? "Conv" : "Conv_1", l->h_in,
                       l->w_in, l->c_in, l->h_out, l->w_out, l->c_out);
        return SQ_OK;
    case SQ_BLOCK_MB:
        (void)snprintf(
            text, bytes, "expanded_conv-input:%dx%dx%d-output:%dx%dx%d-expand:%g-kernel:%d-stride:%d-idskip:%d",
            l->h_in, l->w_in, l->c_in, l->h_out, l->w_out, l->c_out, c->expansion, c->kernel, l->stride, has_residual);
        return SQ_OK;
    case SQ_BLOCK_CLASSIFIER:
        (void)snprintf(text, bytes, "Logits-input:%dx%dx%d-output:%d", l->h_in, l->w_in, l->c_in, space->classes);
        return SQ_OK;
    default:
        return sq_fail(SQ_UNSUPPORTED,
                       "layer %d, choice '%s': a ProxylessNAS table knows conv, mb, skip and the classifier, not %s",
                       layer, c->name, sq_block_name(c->kind));
    }
}
