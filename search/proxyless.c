/* ProxylessNAS's latency tables: a YAML mapping from a described layer to {count, mean, var}. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/base/text.h"
#include "kernels/base/yaml.h"
#include "search/latency_table.h"

static const char *scalar(yaml_document_t *document, int node)
{
    const yaml_node_t *n = yaml_document_get_node(document, node);
    return n && n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL;
}

/* "expanded_conv-input:112x112x16-output:56x56x24-expand:3-kernel:3-stride:2-idskip:0", "Conv-input:..-output:..",
 * "Conv_1-..", "Logits-input:7x7x1280-output:1000". Its networks have ReLU6; a stem halves the sides with 3 x 3. */
static bool read_key(const char *text, sq_block_key *out)
{
    char type[32], tail[8];
    int h, w, c, h_out, w_out, c_out, kernel, stride, skip;
    double expansion;
    *out = (sq_block_key){.activation = SQ_RELU6, .kernel = 1, .stride = 1};
    if (sscanf(text, "%31[^-]-input:%dx%dx%d-output:%dx%dx%d-expand:%lf-kernel:%d-stride:%d-idskip:%d%1s", type, &h, &w,
               &c, &h_out, &w_out, &c_out, &expansion, &kernel, &stride, &skip, tail) == 11 &&
        strcmp(type, "expanded_conv") == 0) {
        out->kind = SQ_BLOCK_MB;
        out->mid = (int)lround(expansion * c);
        out->kernel = kernel;
        out->stride = stride;
    } else if (sscanf(text, "%31[^-]-input:%dx%dx%d-output:%dx%dx%d%1s", type, &h, &w, &c, &h_out, &w_out, &c_out,
                      tail) == 7 &&
               (strcmp(type, "Conv") == 0 || strcmp(type, "Conv_1") == 0)) {
        out->kind = SQ_BLOCK_CONV;
        out->kernel = type[4] ? 1 : 3;
        out->stride = h_out > 0 ? h / h_out : 1;
    } else if (sscanf(text, "%31[^-]-input:%dx%dx%d-output:%d%1s", type, &h, &w, &c, &c_out, tail) == 5 &&
               strcmp(type, "Logits") == 0) {
        out->kind = SQ_BLOCK_CLASSIFIER;
        out->kernel = 0;
        out->activation = SQ_LINEAR;
    } else {
        return false;
    }
    out->h = h, out->w = w, out->c_in = c, out->c_out = c_out;
    return h > 0 && w > 0 && c > 0 && c_out > 0 && out->stride > 0;
}

/* {count: 949, mean: 4.39, var: 0.156} */
static sq_status read_entry(sq_latency *latency, const char *path, yaml_document_t *document,
                            const yaml_node_pair_t *pair)
{
    const char *text = scalar(document, pair->key);
    const yaml_node_t *value = yaml_document_get_node(document, pair->value);
    double mean = 0, variance = 0, count = 1;
    sq_block_key key;
    const int line = value ? (int)value->start_mark.line : 0;
    if (!text || !value || value->type != YAML_MAPPING_NODE || !read_key(text, &key))
        return sq_fail(SQ_INVALID, "%s:%d: '%s': wanted '<layer>: {count, mean, var}' as ProxylessNAS writes it", path,
                       line, text ? text : "");
    for (const yaml_node_pair_t *p = value->data.mapping.pairs.start; p < value->data.mapping.pairs.top; p++) {
        const char *field = scalar(document, p->key), *number = scalar(document, p->value);
        double *to = !field                        ? NULL
                     : strcmp(field, "mean") == 0  ? &mean
                     : strcmp(field, "var") == 0   ? &variance
                     : strcmp(field, "count") == 0 ? &count
                                                   : NULL;
        if (to && (!number || !sq_text_double(number, to == &variance ? 0 : 1e-12, 1e9, to)))
            return sq_fail(SQ_INVALID, "%s:%d: '%s': %s: '%s', wanted a number of milliseconds above 0", path, line,
                           text, field, number ? number : "");
    }
    if (mean <= 0)
        return sq_fail(SQ_INVALID, "%s:%d: '%s': no mean", path, line, text);
    const sq_block_time time = sq_block_time_of(mean, sqrt(variance), (int64_t)count);
    return sq_latency_add(latency, &key, &time);
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
    (void)snprintf(latency->info.name, sizeof latency->info.name, "proxyless table");
    latency->info.is_measured = true;
    return sq_yaml_visit(path, latency, read_document);
}
