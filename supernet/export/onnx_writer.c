/* Builds ONNX messages with protobuf-c. Their code is generated at build time from Debian's onnx.proto. */
#include "supernet/export/onnx_writer.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "onnx/onnx.pb-c.h"

/* One allocation of a writer. All allocations are in one list, which sq_onnx_close frees. */
typedef struct block {
    struct block *next;
    max_align_t data[];
} block;

struct sq_onnx_writer {
    block *blocks;
    bool is_broken, is_half;
    Onnx__ModelProto model;
    Onnx__GraphProto graph;
    Onnx__OperatorSetIdProto opset, *opsets[1];
    size_t node_limit, initializer_limit, metadata_limit;
};

/* Returns zeroed memory of the writer. On failure, returns NULL and sets is_broken. */
static void *take(sq_onnx_writer *w, size_t bytes)
{
    block *b = calloc(1, sizeof *b + bytes);
    if (!b) {
        w->is_broken = true;
        return NULL;
    }
    b->next = w->blocks;
    w->blocks = b;
    return b->data;
}

static void *copy(sq_onnx_writer *w, const void *from, size_t bytes)
{
    void *to = take(w, bytes ? bytes : 1);
    if (to && bytes)
        memcpy(to, from, bytes);
    return to;
}

static char *text(sq_onnx_writer *w, const char *from)
{
    return copy(w, from, strlen(from) + 1);
}

/* Appends a pointer to an array. A full array is first copied to a larger one, which the writer owns. */
static void append(sq_onnx_writer *w, void ***array, size_t *count, size_t *limit, void *item)
{
    if (*count == *limit) {
        const size_t wanted = *limit ? 2 * *limit : 64;
        void **more = take(w, wanted * sizeof *more);
        if (!more)
            return;
        if (*count)
            memcpy(more, *array, *count * sizeof *more);
        *array = more;
        *limit = wanted;
    }
    if (item)
        (*array)[(*count)++] = item;
}

sq_status sq_onnx_open(sq_onnx_writer **out, const char *graph_name, int opset)
{
    sq_onnx_writer *w = calloc(1, sizeof *w);
    if (!w)
        return sq_fail(SQ_NO_MEMORY, "ONNX: writer");
    onnx__model_proto__init(&w->model);
    onnx__graph_proto__init(&w->graph);
    onnx__operator_set_id_proto__init(&w->opset);
    w->opset.domain = text(w, "");
    w->opset.has_version = 1;
    w->opset.version = opset;
    w->opsets[0] = &w->opset;
    w->model.has_ir_version = 1;
    w->model.ir_version = 7; /* the version that opset 13 requires; every later runtime reads it */
    w->model.n_opset_import = 1;
    w->model.opset_import = w->opsets;
    w->model.producer_name = text(w, "squall");
    w->model.graph = &w->graph;
    w->graph.name = text(w, graph_name);
    *out = w;
    return SQ_OK;
}

void sq_onnx_close(sq_onnx_writer *w)
{
    if (!w)
        return;
    for (block *b = w->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(w);
}

static size_t names(sq_onnx_writer *w, const char *const *from, size_t limit, char ***out)
{
    size_t count = 0;
    *out = take(w, limit * sizeof **out);
    while (*out && count < limit && from[count]) {
        (*out)[count] = text(w, from[count]);
        count++;
    }
    return count;
}

sq_onnx_node *sq_onnx_add(sq_onnx_writer *w, const char *type, const char *const *inputs, const char *const *outputs)
{
    static _Thread_local Onnx__NodeProto nowhere; /* receives the attributes if no node can be allocated */
    Onnx__NodeProto *node = take(w, sizeof *node);
    if (!node) {
        onnx__node_proto__init(&nowhere);
        return &nowhere;
    }
    onnx__node_proto__init(node);
    node->op_type = text(w, type);
    node->n_input = names(w, inputs, 6, &node->input);
    node->n_output = names(w, outputs, 2, &node->output);
    node->name = text(w, outputs[0]);
    append(w, (void ***)&w->graph.node, &w->graph.n_node, &w->node_limit, node);
    return node;
}

static Onnx__AttributeProto *attribute(sq_onnx_writer *w, sq_onnx_node *node, const char *name,
                                       Onnx__AttributeProto__AttributeType type)
{
    Onnx__AttributeProto *a = take(w, sizeof *a);
    Onnx__AttributeProto **more = take(w, (node->n_attribute + 1) * sizeof *more);
    if (!a || !more)
        return NULL;
    onnx__attribute_proto__init(a);
    a->name = text(w, name);
    a->has_type = 1;
    a->type = type;
    if (node->n_attribute)
        memcpy(more, node->attribute, node->n_attribute * sizeof *more);
    more[node->n_attribute++] = a;
    node->attribute = more;
    return a;
}

void sq_onnx_int(sq_onnx_writer *w, sq_onnx_node *node, const char *name, int64_t value)
{
    Onnx__AttributeProto *a = attribute(w, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    if (a) {
        a->has_i = 1;
        a->i = value;
    }
}

void sq_onnx_ints(sq_onnx_writer *w, sq_onnx_node *node, const char *name, const int64_t *values, int count)
{
    Onnx__AttributeProto *a = attribute(w, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    int64_t *kept = copy(w, values, (size_t)count * sizeof *values);
    if (a && kept) {
        a->n_ints = (size_t)count;
        a->ints = kept;
    }
}

void sq_onnx_float(sq_onnx_writer *w, sq_onnx_node *node, const char *name, float value)
{
    Onnx__AttributeProto *a = attribute(w, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    if (a) {
        a->has_f = 1;
        a->f = value;
    }
}

typedef struct {
    int32_t type;
    const void *values;
    size_t bytes;
    int64_t dims[4];
    int dim_count;
} constant;

static void add_initializer(sq_onnx_writer *w, const char *name, const constant *from)
{
    Onnx__TensorProto *t = take(w, sizeof *t);
    if (!t)
        return;
    onnx__tensor_proto__init(t);
    t->name = text(w, name);
    t->has_data_type = 1;
    t->data_type = from->type;
    t->n_dims = (size_t)from->dim_count;
    t->dims = copy(w, from->dims, (size_t)from->dim_count * sizeof *from->dims);
    t->has_raw_data = 1;
    t->raw_data.len = from->bytes;
    t->raw_data.data = copy(w, from->values, from->bytes);
    append(w, (void ***)&w->graph.initializer, &w->graph.n_initializer, &w->initializer_limit, t);
}

void sq_onnx_use_half(sq_onnx_writer *w)
{
    w->is_half = true;
}

/* IEEE 754 binary16, rounded to nearest, ties to even. */
static uint16_t half_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    const int exponent = (int)(magnitude >> 23) - 127 + 15;
    if (magnitude > 0x7f800000)
        return (uint16_t)(sign | 0x7e00); /* NaN */
    if (exponent > 30)
        return (uint16_t)(sign | 0x7c00);
    const uint32_t mantissa = (magnitude & 0x7fffff) | 0x800000;
    const int shift = exponent > 0 ? 13 : 14 - exponent; /* exponent <= 0: the result is subnormal */
    if (shift > 24)
        return (uint16_t)sign;
    const uint32_t kept = mantissa >> shift, rest = mantissa & ((1u << shift) - 1), half = 1u << (shift - 1);
    const uint32_t rounded = kept + (rest > half || (rest == half && (kept & 1)));
    return (uint16_t)(sign | (exponent > 0 ? rounded + ((uint32_t)(exponent - 1) << 10) : rounded));
}

void sq_onnx_floats(sq_onnx_writer *w, const char *name, const float *values, const int *dims, int dim_count)
{
    constant c = {.type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, .values = values, .dim_count = dim_count};
    size_t count = 1;
    for (int i = 0; i < dim_count; i++) {
        c.dims[i] = dims[i];
        count *= (size_t)dims[i];
    }
    c.bytes = count * sizeof *values;
    uint16_t *halves = w->is_half ? take(w, count * sizeof *halves) : NULL;
    for (size_t i = 0; halves && i < count; i++)
        halves[i] = half_of(values[i]);
    if (halves) {
        c.type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16;
        c.values = halves;
        c.bytes = count * sizeof *halves;
    }
    add_initializer(w, name, &c);
}

void sq_onnx_longs(sq_onnx_writer *w, const char *name, const int64_t *values, int count)
{
    const constant c = {.type = ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
                        .values = values,
                        .bytes = (size_t)count * sizeof *values,
                        .dims = {count},
                        .dim_count = 1};
    add_initializer(w, name, &c);
}

static Onnx__TensorShapeProto *shape_of(sq_onnx_writer *w, const int *dims, int dim_count)
{
    Onnx__TensorShapeProto *shape = take(w, sizeof *shape);
    if (!shape)
        return NULL;
    onnx__tensor_shape_proto__init(shape);
    shape->dim = take(w, (size_t)dim_count * sizeof *shape->dim);
    for (int i = 0; shape->dim && i < dim_count; i++) {
        Onnx__TensorShapeProto__Dimension *d = take(w, sizeof *d);
        if (!d)
            return NULL;
        onnx__tensor_shape_proto__dimension__init(d);
        const bool is_free = i == 0 && dims[0] == 0;
        d->value_case = is_free ? ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM
                                : ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        if (is_free)
            d->dim_param = text(w, "batch");
        else
            d->dim_value = dims[i];
        shape->dim[shape->n_dim++] = d;
    }
    return shape;
}

void sq_onnx_value(sq_onnx_writer *w, const char *name, const int *dims, int dim_count, int is_output)
{
    Onnx__ValueInfoProto *value = take(w, sizeof *value), **list = take(w, sizeof *list);
    Onnx__TypeProto *type = take(w, sizeof *type);
    Onnx__TypeProto__Tensor *tensor = take(w, sizeof *tensor);
    if (!value || !list || !type || !tensor)
        return;
    onnx__value_info_proto__init(value);
    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(tensor);
    tensor->has_elem_type = 1;
    tensor->elem_type = w->is_half ? ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16 : ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    tensor->shape = shape_of(w, dims, dim_count);
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    value->name = text(w, name);
    value->type = type;
    list[0] = value;
    if (is_output) {
        w->graph.output = list;
        w->graph.n_output = 1;
    } else {
        w->graph.input = list;
        w->graph.n_input = 1;
    }
}

void sq_onnx_metadata(sq_onnx_writer *w, const char *key, const char *value)
{
    Onnx__StringStringEntryProto *entry = take(w, sizeof *entry);
    if (!entry)
        return;
    onnx__string_string_entry_proto__init(entry);
    entry->key = text(w, key);
    entry->value = text(w, value);
    append(w, (void ***)&w->model.metadata_props, &w->model.n_metadata_props, &w->metadata_limit, entry);
}

sq_status sq_onnx_finish(sq_onnx_writer *w, void **bytes, size_t *size)
{
    if (w->is_broken)
        return sq_fail(SQ_NO_MEMORY, "ONNX: model");
    const size_t wanted = onnx__model_proto__get_packed_size(&w->model);
    uint8_t *packed = malloc(wanted);
    if (!packed)
        return sq_fail(SQ_NO_MEMORY, "ONNX: %zu bytes", wanted);
    *size = onnx__model_proto__pack(&w->model, packed);
    *bytes = packed;
    return SQ_OK;
}
