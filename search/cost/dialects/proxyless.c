/* Reads the tables of ProxylessNAS and once-for-all (OFA). An entry is the description of a layer, then its times.
 *
 *     expanded_conv-input:56x56x24-output:56x56x24-expand:3-kernel:3-stride:1-idskip:1: {count, mean, var} ProxylessNAS
 *     expanded_conv-input:56x56x24-output:56x56x24-expand:72-...-idskip:1-se:0-hs:1: {count, mean, std}        OFA
 *
 * The file is YAML, or CSV with rows "block_name,<columns>". `expand` is a ratio in ProxylessNAS's format and a number
 * of channels in OFA's. Some files mix the two formats, so the largest `expand` of a file decides whether `expand` is a
 * ratio. Sources: mit-han-lab/proxylessnas:search/utils/latency_estimator.py, mit-han-lab/once-for-all:
 * ofa/tutorial/latency_table.py. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/text.h"
#include "kernels/base/yaml.h"
#include "search/cost/dialects/csv.h"

enum { LARGEST_RATIO = 8 /* of `expand` */, KEY_BYTES = 256, TYPE_BYTES = 32, WHERE_BYTES = 1400 };

typedef struct {
    char type[TYPE_BYTES];
    int in[3], out[3]; /* h, w, c; if the key has a single number, it is c, and h = w = 1 */
    double expand;
    int kernel, stride, idskip, se, hs; /* -1: not in the key */
} described;

/* The table has the properties of the whole file. */
typedef struct {
    sq_dialect_input *input;
    bool is_ratio; /* whether `expand` is a ratio */
    bool has_hs;
} table;

/* ---- Keys ---- */

static bool read_shape(char *text, int shape[3])
{
    int count = 0;
    for (char *rest = text, *part; (part = strsep(&rest, "x")); count++) {
        int64_t value;
        if (count == 3 || !sq_text_int(part, 1, 1 << 20, &value))
            return false;
        shape[count] = (int)value;
    }
    if (count == 1) {
        shape[2] = shape[0];
        shape[0] = shape[1] = 1;
    }
    return count == 1 || count == 3;
}

static bool read_field(described *d, const char *name, char *value)
{
    const struct {
        const char *name;
        int *to, most;
    } numbers[] = {{"kernel", &d->kernel, 63},
                   {"stride", &d->stride, 63},
                   {"idskip", &d->idskip, 1},
                   {"se", &d->se, 1},
                   {"hs", &d->hs, 1}};
    int64_t number;
    if (strcmp(name, "input") == 0 || strcmp(name, "output") == 0)
        return read_shape(value, *name == 'i' ? d->in : d->out);
    if (strcmp(name, "expand") == 0)
        return sq_text_double(value, 1e-3, 1 << 20, &d->expand);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(name, numbers[i].name) == 0 && sq_text_int(value, 0, numbers[i].most, &number)) {
            *numbers[i].to = (int)number;
            return true;
        }
    return false;
}

static bool is_whole(const described *d)
{
    const bool is_block = strcmp(d->type, "expanded_conv") == 0;
    return d->in[2] && d->out[2] && (!is_block || (d->expand > 0 && d->kernel > 0 && d->stride > 0 && d->idskip >= 0));
}

static bool read_description(const char *text, described *out)
{
    char copy[KEY_BYTES], *rest = copy;
    described d = {.kernel = -1, .stride = -1, .idskip = -1, .se = -1, .hs = -1};
    if (snprintf(copy, sizeof copy, "%s", text) >= (int)sizeof copy)
        return false;
    (void)snprintf(d.type, sizeof d.type, "%.31s", strsep(&rest, "-"));
    for (char *part; (part = strsep(&rest, "-"));) {
        char *colon = strchr(part, ':');
        if (!colon)
            return false;
        *colon = 0;
        if (!read_field(&d, part, colon + 1))
            return false;
    }
    *out = d;
    return is_whole(&d);
}

/* Fills in the key of an inverted bottleneck. ProxylessNAS's ratio times the input's channels is a whole number in all
 * of its tables. OFA's squeeze has make_divisible(mid / 4) channels (MobileNetV3; ofa/utils/layers.py). */
static sq_status read_block(const table *t, const char *where, const described *d, sq_block_key *key)
{
    const double mid = t->is_ratio ? d->expand * d->in[2] : d->expand;
    const bool fits_skip = d->stride == 1 && d->in[2] == d->out[2];
    if (mid < d->in[2])
        return sq_fail(SQ_INVALID, "%s: expand %g is %s in this file, but the input has %d channels", where, d->expand,
                       t->is_ratio ? "a ratio" : "a number of channels", d->in[2]);
    if (d->idskip == 1 && !fits_skip)
        return sq_fail(SQ_INVALID, "%s: idskip 1, but stride %d and %d to %d channels", where, d->stride, d->in[2],
                       d->out[2]);
    key->kind = SQ_BLOCK_MB;
    key->mid = (int)lround(mid);
    key->kernel = d->kernel;
    key->stride = d->stride;
    key->se = d->se > 0 ? sq_divisible(key->mid / 4.0) : 0;
    key->activation = d->hs < 0 ? SQ_RELU6 : d->hs ? SQ_HSWISH : SQ_RELU;
    return SQ_OK;
}

static bool is_one_of(const char *type, const char *a, const char *b, const char *c)
{
    return strcmp(type, a) == 0 || strcmp(type, b) == 0 || strcmp(type, c) == 0;
}

/* The keys of stem and head have no activation, so h-swish is assumed in files whose blocks have `hs`, and ReLU6 in all
 * other files. */
static sq_status add_described(const table *t, const char *where, const described *d, const sq_block_time *time)
{
    sq_block_key key = {.h = d->in[0],
                        .w = d->in[1],
                        .c_in = d->in[2],
                        .c_out = d->out[2],
                        .kernel = 1,
                        .stride = 1,
                        .activation = t->has_hs ? SQ_HSWISH : SQ_RELU6};
    char kind[TYPE_BYTES + 40];
    (void)snprintf(kind, sizeof kind, "%s", d->type);
    if (strcmp(d->type, "expanded_conv") == 0) {
        SQ_TRY(read_block(t, where, d, &key));
        if (!d->idskip && d->stride == 1 && d->in[2] == d->out[2]) {
            /* Squall's block adds its input for these shapes; the same file may also have the block with idskip 1. */
            sq_dialect_leave_out(t->input, "expanded_conv without its shortcut");
            return SQ_OK;
        }
    } else if (is_one_of(d->type, "Conv", "Conv_1", "Conv_2")) {
        key.kind = SQ_BLOCK_CONV;
        key.kernel = d->type[4] ? 1 : 3;
        key.stride = (int)lround((double)d->in[0] / d->out[0]);
    } else if (strcmp(d->type, "Logits") == 0) {
        key.kind = SQ_BLOCK_CLASSIFIER;
        key.activation = SQ_LINEAR;
    } else {
        sq_dialect_leave_out(t->input, kind);
        return SQ_OK;
    }
    if (key.stride < 1)
        return sq_fail(SQ_INVALID, "%s: %d to %d pixels", where, d->in[0], d->out[0]);
    return sq_dialect_add(t->input, where, &key, time);
}

/* Finds the properties of the whole file. Invalid keys are not reported here but when the rows are read. */
static void survey(table *t, const char *text)
{
    double most = 0;
    for (const char *p = text; (p = strstr(p, "-expand:")); p++)
        most = fmax(most, strtod(p + 8, NULL));
    t->is_ratio = most <= LARGEST_RATIO;
    t->has_hs = strstr(text, "-hs:") != NULL;
}

/* ---- YAML ---- */

static const char *scalar(yaml_document_t *document, int node)
{
    const yaml_node_t *n = yaml_document_get_node(document, node);
    return n && n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL;
}

typedef struct {
    double mean, variance, deviation, count;
} figures;

static sq_status read_figures(const table *t, yaml_document_t *document, const yaml_node_t *value, const char *where,
                              figures *out)
{
    const char *column = t->input->options->column ? t->input->options->column : "mean";
    figures f = {.count = 1};
    for (const yaml_node_pair_t *p = value->data.mapping.pairs.start; p < value->data.mapping.pairs.top; p++) {
        const char *field = scalar(document, p->key), *number = scalar(document, p->value);
        double *to = !field                        ? NULL
                     : strcmp(field, column) == 0  ? &f.mean
                     : strcmp(field, "var") == 0   ? &f.variance
                     : strcmp(field, "std") == 0   ? &f.deviation
                     : strcmp(field, "count") == 0 ? &f.count
                                                   : NULL;
        const double least = to == &f.mean ? 1e-12 : to == &f.count ? 1 : 0;
        if (to && (!number || !sq_text_double(number, least, 1e12, to)))
            return sq_fail(SQ_INVALID, "%s: %s '%s', expected a number%s", where, field, number ? number : "",
                           to == &f.mean    ? " of milliseconds above 0"
                           : to == &f.count ? " from 1"
                                            : " from 0");
    }
    if (f.mean <= 0)
        return sq_fail(SQ_INVALID, "%s: no %s", where, column);
    *out = f;
    return SQ_OK;
}

static sq_status read_entry(const table *t, yaml_document_t *document, const yaml_node_pair_t *pair)
{
    const yaml_node_t *key = yaml_document_get_node(document, pair->key),
                      *value = yaml_document_get_node(document, pair->value);
    const char *text = scalar(document, pair->key);
    char where[WHERE_BYTES];
    described d;
    figures f = {0};
    (void)snprintf(where, sizeof where, "%.1000s:%zu: '%.200s'", t->input->path, key ? key->start_mark.line + 1 : 0,
                   text ? text : "");
    if (!text || !value || value->type != YAML_MAPPING_NODE || !read_description(text, &d))
        return sq_fail(SQ_INVALID, "%s: expected '<layer>: {count, mean, var}' as ProxylessNAS and OFA write it",
                       where);
    SQ_TRY(read_figures(t, document, value, where, &f));
    const bool is_other = t->input->options->column && strcmp(t->input->options->column, "mean") != 0;
    /* Deviation and count describe the column `mean`, so another column has neither. */
    const sq_block_time time =
        is_other ? sq_block_time_of(f.mean, 0, 1)
                 : sq_block_time_of(f.mean, f.deviation > 0 ? f.deviation : sqrt(f.variance), (int64_t)f.count);
    return add_described(t, where, &d, &time);
}

static sq_status read_document(void *context, const char *path, yaml_document_t *document, const yaml_node_t *root)
{
    const table *t = context;
    if (!root || root->type != YAML_MAPPING_NODE)
        return sq_fail(SQ_INVALID, "%s: expected a YAML mapping of layers", path);
    for (const yaml_node_pair_t *p = root->data.mapping.pairs.start; p < root->data.mapping.pairs.top; p++)
        SQ_TRY(read_entry(t, document, p));
    return SQ_OK;
}

/* ---- CSV: [index,]block_name,<columns> ---- */

static const char *const csv_headers[] = {"block_name,", ",block_name,"};

static bool is_csv(const char *text)
{
    return strncmp(text, csv_headers[0], strlen(csv_headers[0])) == 0 ||
           strncmp(text, csv_headers[1], strlen(csv_headers[1])) == 0;
}

static sq_status read_csv(const table *t)
{
    sq_csv csv = sq_csv_open(t->input);
    int column = 0;
    (void)sq_csv_next(&csv); /* is_csv has found the header */
    const int name = csv.fields[0][0] ? 0 : 1, columns = csv.count;
    SQ_TRY(sq_csv_column(&csv, name + 1, &column));
    while (sq_csv_next(&csv)) {
        described d;
        double value;
        SQ_TRY(sq_csv_expect(&csv, columns));
        if (!read_description(csv.fields[name], &d))
            return sq_fail(SQ_INVALID, "%s: '%s', expected a layer as ProxylessNAS and OFA write it", csv.where,
                           csv.fields[name]);
        SQ_TRY(sq_csv_value(&csv, column, &value));
        const sq_block_time time = sq_block_time_of(value, 0, 1);
        SQ_TRY(add_described(t, csv.where, &d, &time));
    }
    return SQ_OK;
}

static sq_status read_table(sq_dialect_input *input)
{
    table t = {.input = input};
    survey(&t, input->text);
    return is_csv(input->text) ? read_csv(&t) : sq_yaml_visit(input->path, &t, read_document);
}

/* ---- Telling the two formats apart: OFA has se and hs in its keys, and a std ---- */

static bool is_ofa(const char *text)
{
    return strstr(text, "-se:") || strstr(text, "-hs:") || strstr(text, "std:");
}

static bool is_described(const char *text)
{
    return *text != '{' && strstr(text, "-input:") && strstr(text, "-output:");
}

static bool fits_proxyless(const char *text)
{
    return is_described(text) && !is_ofa(text);
}

static bool fits_ofa(const char *text)
{
    return is_described(text) && is_ofa(text);
}

const sq_dialect sq_dialect_proxyless = {
    .name = "proxyless",
    .summary =
        "ProxylessNAS: '<layer>-input:..-output:..-expand:3-..: {count, mean, var}' in YAML, or block_name in CSV",
    .fits = fits_proxyless,
    .read = read_table,
};
const sq_dialect sq_dialect_ofa = {
    .name = "ofa",
    .summary = "once-for-all: the same with expand in channels, se and hs, {count, mean, std}",
    .fits = fits_ofa,
    .read = read_table,
};
