/* Translates the evaluate graph of each layer, operation by operation, so a new block kind needs no code here. The ONNX
 * model has channels in logical order, regardless of the order in which boundaries are stored (sq_slot.is_split). */
#include "supernet/export/onnx.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supernet/export/onnx_writer.h"
#include "supernet/export/pixels.h"

enum { NAME = 96, MOST_SLOTS = 128 };
#define COUNT(array) (sizeof(array) / sizeof *(array))
#define INPUTS(...)  ((const char *const[]){__VA_ARGS__, NULL})

typedef struct {
    sq_model *model;
    const sq_export_options *options;
    sq_onnx_writer *writer;
    const sq_graph *graph;
    const sq_op *op;
    int layer, serial;
    char boundary[SQ_MAX_LAYERS + 1][NAME];
    char halves[2][NAME];         /* even and odd channels of the layer's input; "" before split_input */
    char slots[MOST_SLOTS][NAME]; /* name of each slot's value: output of a convolution, gate, pooled vector */
    bool has_bounds;              /* the constants 0 and 6 of relu6 have been added */
    sq_status status;
} encoder;

static void name_new(encoder *e, char *out, const char *what)
{
    (void)snprintf(out, NAME, "layer%d_%s_%d", e->layer, what, e->serial++);
}

static sq_onnx_node *node(encoder *e, const char *type, char *out, const char *const *inputs)
{
    const char *const outputs[] = {out, NULL};
    name_new(e, out, type);
    return sq_onnx_add(e->writer, type, inputs, outputs);
}

static const sq_slot *slot_of(const encoder *e, int slot)
{
    return &e->graph->slots[slot];
}

/* ---- Values of the model ---- */

/* Returns the first `count` floats of a slot (a weight or a statistic), or `count` times `constant` for slot SQ_NONE.
 * The caller frees them. Returns NULL if the allocation fails. */
static float *read_slot(encoder *e, int slot, size_t count, float constant)
{
    float *values = malloc((count ? count : 1) * sizeof *values);
    if (!values) {
        e->status = sq_fail(SQ_NO_MEMORY, "ONNX: %zu values", count);
        return NULL;
    }
    for (size_t i = 0; slot == SQ_NONE && i < count; i++)
        values[i] = constant;
    if (slot != SQ_NONE && e->status == SQ_OK)
        e->status =
            sq_model_read(e->model, slot_of(e, slot)->role, slot_of(e, slot)->offset, values, count * sizeof *values);
    return values;
}

static void put_weight(encoder *e, char *out, const char *what, int slot)
{
    const sq_slot *s = slot_of(e, slot);
    const size_t count = sq_slot_count(s);
    float *values = read_slot(e, slot, count, 0);
    const int vector[] = {s->c}, dims[] = {s->n, s->h, s->w, s->c};
    name_new(e, out, what);
    if (values && s->n == 1 && s->h == 1 && s->w == 1)
        sq_onnx_floats(e->writer, out, values, vector, 1);
    else if (values)
        sq_onnx_floats(e->writer, out, values, dims, 4);
    free(values);
}

/* ---- Views ---- */

/* Splits the layer's input into even and odd channels: a Reshape, a Transpose and a Reshape (ShuffleNet's channel
 * shuffle) order the channels, then a Split separates them. The batch size remains free. */
static void split_input(encoder *e)
{
    const sq_layer *l = &sq_model_plan(e->model)->space->layers[e->layer];
    const int64_t apart[] = {-1, l->c_in / 2, 2, l->h_in, l->w_in}, together[] = {-1, l->c_in, l->h_in, l->w_in};
    const int64_t order[] = {0, 2, 1, 3, 4}, sizes[] = {l->c_in / 2, l->c_in / 2};
    char shape[NAME], a[NAME], b[NAME], c[NAME];
    name_new(e, shape, "shape");
    sq_onnx_longs(e->writer, shape, apart, 5);
    (void)node(e, "Reshape", a, INPUTS(e->boundary[e->layer], shape));
    sq_onnx_ints(e->writer, node(e, "Transpose", b, INPUTS(a)), "perm", order, 5);
    name_new(e, shape, "shape");
    sq_onnx_longs(e->writer, shape, together, 4);
    (void)node(e, "Reshape", c, INPUTS(b, shape));
    name_new(e, shape, "split");
    sq_onnx_longs(e->writer, shape, sizes, 2);
    name_new(e, e->halves[0], "even");
    name_new(e, e->halves[1], "odd");
    const char *inputs[] = {c, shape, NULL}, *outputs[] = {e->halves[0], e->halves[1], NULL};
    sq_onnx_int(e->writer, sq_onnx_add(e->writer, "Split", inputs, outputs), "axis", 1);
}

static void clip_to_6(encoder *e, char *out, const char *in)
{
    static const float zero = 0, six = 6;
    if (!e->has_bounds) {
        sq_onnx_floats(e->writer, "zero", &zero, NULL, 0);
        sq_onnx_floats(e->writer, "six", &six, NULL, 0);
        e->has_bounds = true;
    }
    (void)node(e, "Clip", out, INPUTS(in, "zero", "six"));
}

static void hard_sigmoid(encoder *e, char *out, const char *in)
{
    sq_onnx_node *n = node(e, "HardSigmoid", out, INPUTS(in));
    sq_onnx_float(e->writer, n, "alpha", 1.0f / 6);
    sq_onnx_float(e->writer, n, "beta", 0.5f);
}

static void activate(encoder *e, char *out, const char *in, sq_activation activation)
{
    char gate[NAME];
    switch (activation) {
    case SQ_LINEAR:
        (void)snprintf(out, NAME, "%s", in);
        return;
    case SQ_RELU:
        (void)node(e, "Relu", out, INPUTS(in));
        return;
    case SQ_RELU6:
        clip_to_6(e, out, in);
        return;
    case SQ_SIGMOID:
        (void)node(e, "Sigmoid", out, INPUTS(in));
        return;
    case SQ_HSIGMOID:
        hard_sigmoid(e, out, in);
        return;
    case SQ_HSWISH:
        hard_sigmoid(e, gate, in);
        (void)node(e, "Mul", out, INPUTS(in, gate));
        return;
    case SQ_ACTIVATIONS:
        break;
    }
    e->status = sq_fail(SQ_UNSUPPORTED, "ONNX: layer %d: unknown activation %d", e->layer, (int)activation);
    *out = 0;
}

static void view(encoder *e, sq_view v, char *out)
{
    char value[NAME];
    const sq_slot *s = slot_of(e, v.slot);
    if (s->role == SQ_ROLE_BOUNDARY) {
        if (v.part != SQ_ALL && !e->halves[0][0])
            split_input(e);
        (void)snprintf(out, NAME, "%s", v.part == SQ_ALL ? e->boundary[e->layer] : e->halves[v.part == SQ_ODD]);
        return;
    }
    activate(e, value, e->slots[v.slot], v.activation);
    if (v.gate != SQ_NONE)
        (void)node(e, "Mul", out, INPUTS(value, e->slots[v.gate]));
    else
        (void)snprintf(out, NAME, "%s", value);
}

/* ---- Operations ---- */

static void conv_attributes(encoder *e, sq_onnx_node *n, int kernel, int stride, int64_t group)
{
    const int64_t kernels[] = {kernel, kernel}, strides[] = {stride, stride};
    const int64_t pads[] = {kernel / 2, kernel / 2, kernel / 2, kernel / 2};
    sq_onnx_ints(e->writer, n, "kernel_shape", kernels, 2);
    sq_onnx_ints(e->writer, n, "strides", strides, 2);
    sq_onnx_ints(e->writer, n, "pads", pads, 4);
    sq_onnx_int(e->writer, n, "group", group);
}

/* Encodes a convolution with its batch norm folded in. At fixed statistics a batch norm is a scale and a shift: the
 * weights are multiplied by the scale, and the shift becomes the bias. */
static void folded(encoder *e, const sq_norm *norm, const char *x, char *out)
{
    const sq_slot *w = slot_of(e, e->op->weight);
    const size_t c = (size_t)norm->c, each = sq_slot_count(w) / c;
    const int dims[] = {w->n, w->h, w->w, w->c};
    float *weight = read_slot(e, e->op->weight, c * each, 0), *gamma = read_slot(e, norm->gamma, c, 1),
          *beta = read_slot(e, norm->beta, c, 0);
    float *mean = read_slot(e, norm->running_mean, c, 0), *variance = read_slot(e, norm->running_variance, c, 1);
    char weight_name[NAME], bias_name[NAME];
    if (weight && gamma && beta && mean && variance) {
        for (size_t o = 0; o < c; o++) {
            const double scale = gamma[o] / sqrt((double)variance[o] + norm->epsilon);
            for (size_t i = 0; i < each; i++)
                weight[o * each + i] = (float)(weight[o * each + i] * scale);
            beta[o] = (float)(beta[o] - mean[o] * scale);
        }
        name_new(e, weight_name, "weight");
        name_new(e, bias_name, "bias");
        sq_onnx_floats(e->writer, weight_name, weight, dims, 4);
        sq_onnx_floats(e->writer, bias_name, beta, &norm->c, 1);
        conv_attributes(e, node(e, "Conv", out, INPUTS(x, weight_name, bias_name)), e->op->kernel, e->op->stride,
                        e->op->is_depthwise ? norm->c : 1);
    }
    free(weight);
    free(gamma);
    free(beta);
    free(mean);
    free(variance);
}

/* Adds a vector of the convolution's norm. For slot SQ_NONE, every element is `constant`. */
static void put_vector(encoder *e, char *out, const char *what, int slot, float constant)
{
    const int c = e->graph->norms[e->op->out_norm].c;
    float *values = read_slot(e, slot, (size_t)c, constant);
    name_new(e, out, what);
    if (values)
        sq_onnx_floats(e->writer, out, values, &c, 1);
    free(values);
}

static void unfolded(encoder *e, const sq_norm *norm, const char *x, char *out)
{
    char raw[NAME], weight[NAME], gamma[NAME], beta[NAME], mean[NAME], variance[NAME];
    put_weight(e, weight, "weight", e->op->weight);
    conv_attributes(e, node(e, "Conv", raw, INPUTS(x, weight)), e->op->kernel, e->op->stride,
                    e->op->is_depthwise ? norm->c : 1);
    put_vector(e, gamma, "gamma", norm->gamma, 1);
    put_vector(e, beta, "beta", norm->beta, 0);
    put_vector(e, mean, "mean", norm->running_mean, 0);
    put_vector(e, variance, "variance", norm->running_variance, 1);
    sq_onnx_node *n = node(e, "BatchNormalization", out, INPUTS(raw, gamma, beta, mean, variance));
    sq_onnx_float(e->writer, n, "epsilon", norm->epsilon);
}

static void encode_conv(encoder *e)
{
    char x[NAME];
    const sq_norm *norm = &e->graph->norms[e->op->out_norm];
    view(e, e->op->x, x);
    (e->options->is_folded ? folded : unfolded)(e, norm, x, e->slots[e->op->out]);
}

static void encode_gate(encoder *e)
{
    char x[NAME], pooled[NAME], hidden[NAME], rectified[NAME], wide[NAME], weight[NAME], bias[NAME];
    view(e, e->op->x, x);
    (void)node(e, "GlobalAveragePool", pooled, INPUTS(x));
    put_weight(e, weight, "weight", e->op->weight);
    put_weight(e, bias, "bias", e->op->bias);
    conv_attributes(e, node(e, "Conv", hidden, INPUTS(pooled, weight, bias)), 1, 1, 1);
    activate(e, rectified, hidden, SQ_RELU);
    put_weight(e, weight, "weight", e->op->weight2);
    put_weight(e, bias, "bias", e->op->bias2);
    conv_attributes(e, node(e, "Conv", wide, INPUTS(rectified, weight, bias)), 1, 1, 1);
    activate(e, e->slots[e->op->out], wide, e->op->gate_activation);
}

static void encode_join(encoder *e)
{
    char x[NAME], y[NAME], *out = e->boundary[e->layer + 1];
    view(e, e->op->x, x);
    if (e->op->y.slot == SQ_NONE) {
        (void)snprintf(out, NAME, "%s", x);
        return;
    }
    view(e, e->op->y, y);
    if (e->op->join == SQ_JOIN_ADD)
        (void)node(e, "Add", out, INPUTS(x, y));
    else
        sq_onnx_int(e->writer, node(e, "Concat", out, INPUTS(y, x)), "axis", 1);
}

static void encode_pool(encoder *e)
{
    char x[NAME], pooled[NAME];
    view(e, e->op->x, x);
    (void)node(e, "GlobalAveragePool", pooled, INPUTS(x));
    sq_onnx_int(e->writer, node(e, "Flatten", e->slots[e->op->out], INPUTS(pooled)), "axis", 1);
}

static void encode_linear(encoder *e)
{
    const sq_slot *w = slot_of(e, e->op->weight);
    const int dims[] = {w->n, w->h};
    char weight[NAME], bias[NAME];
    float *values = read_slot(e, e->op->weight, sq_slot_count(w), 0);
    name_new(e, weight, "weight");
    if (values)
        sq_onnx_floats(e->writer, weight, values, dims, 2);
    free(values);
    if (e->op->bias != SQ_NONE)
        put_weight(e, bias, "bias", e->op->bias);
    const char *inputs[] = {e->slots[e->op->x.slot], weight, e->op->bias == SQ_NONE ? NULL : bias, NULL},
               *outputs[] = {"output", NULL};
    sq_onnx_int(e->writer, sq_onnx_add(e->writer, "Gemm", inputs, outputs), "transB", 1);
}

/* Adds nothing, because the user of the exported network normalises the images, and an exported network has no loss. */
static void encode_nothing(encoder *e)
{
    (void)e;
}

/* NULL: the operation has no translation, because it occurs in no evaluate graph. */
static void (*const encoders[])(encoder *) = {
    [SQ_OP_IMAGE] = encode_nothing, [SQ_OP_CONV] = encode_conv, [SQ_OP_CONV_BACK] = NULL,
    [SQ_OP_GATE] = encode_gate,     [SQ_OP_GATE_BACK] = NULL,   [SQ_OP_JOIN] = encode_join,
    [SQ_OP_JOIN_BACK] = NULL,       [SQ_OP_POOL] = encode_pool, [SQ_OP_POOL_BACK] = NULL,
    [SQ_OP_LINEAR] = encode_linear, [SQ_OP_LINEAR_BACK] = NULL, [SQ_OP_LOSS] = encode_nothing,
    [SQ_OP_UPDATE] = NULL,
};
_Static_assert(COUNT(encoders) == SQ_OP_KINDS, "one row per operation");

sq_status sq_onnx_check_graph(const sq_graph *graph)
{
    for (int i = 0; i < graph->op_count; i++) {
        const sq_op_kind kind = graph->ops[i].kind;
        if ((unsigned)kind >= COUNT(encoders))
            return sq_fail(SQ_UNSUPPORTED, "ONNX: %s: unknown operation %d", graph->name, (int)kind);
        if (!encoders[kind])
            return sq_fail(SQ_UNSUPPORTED, "ONNX: %s: operation '%s' has no translation", graph->name,
                           sq_op_name(kind));
    }
    if (graph->slot_count > MOST_SLOTS)
        return sq_fail(SQ_UNSUPPORTED, "ONNX: %s: %d tensors, expected at most %d", graph->name, graph->slot_count,
                       MOST_SLOTS);
    return SQ_OK;
}

static sq_status encode_layer(encoder *e, int choice)
{
    const sq_memory_plan *plan = sq_model_plan(e->model);
    const sq_block_id block = {plan->space, e->layer, choice};
    sq_region region = plan->regions[e->layer][choice];
    sq_graph graph = {0};
    SQ_TRY(sq_block_build(&block, SQ_EVALUATE, &plan->options, &region, &graph));
    e->graph = &graph;
    e->halves[0][0] = 0;
    e->status = sq_onnx_check_graph(&graph);
    for (int i = 0; e->status == SQ_OK && i < graph.op_count; i++) {
        e->op = &graph.ops[i];
        encoders[e->op->kind](e);
    }
    sq_graph_clear(&graph);
    return e->status;
}

/* ---- The whole model ---- */

static void add_metadata(encoder *e, const int *path)
{
    const sq_export_options *o = e->options;
    const sq_memory_plan *plan = sq_model_plan(e->model);
    const sq_space *space = plan->space;
    const sq_export_pixels pixels = sq_export_pixels_of(&plan->options);
    char text[1024];
    (void)sq_arch_print(o->arch_space ? o->arch_space : space, o->arch_space ? o->arch_path : path, text, sizeof text);
    sq_onnx_metadata(e->writer, "arch", text);
    sq_onnx_metadata(e->writer, "space", space->name);
    sq_onnx_metadata(e->writer, "classes", o->classes_json ? o->classes_json : "[]");
    sq_onnx_metadata(e->writer, "channel_order", pixels.order);
    sq_onnx_metadata(e->writer, "input_range", pixels.range);
    sq_export_triple(pixels.mean, text, sizeof text);
    sq_onnx_metadata(e->writer, "mean", text);
    sq_export_triple(pixels.deviation, text, sizeof text);
    sq_onnx_metadata(e->writer, "std", text);
    (void)snprintf(text, sizeof text, "%d", space->resolution);
    sq_onnx_metadata(e->writer, "resolution", text);
    (void)snprintf(text, sizeof text, "%.9g", o->crop_fraction);
    sq_onnx_metadata(e->writer, "crop_fraction", text);
    if (isfinite(o->accuracy)) {
        (void)snprintf(text, sizeof text, "%.6f", o->accuracy);
        sq_onnx_metadata(e->writer, "top1_acc", text);
    }
}

/* Writes the shape of the tensor that layer `boundary` reads, (batch, c, h, w). For boundary == layer_count, the tensor
 * is the logits, (batch, classes). Returns the number of dimensions. */
static int boundary_shape(const sq_space *space, int boundary, int batch, int dims[4])
{
    const bool is_input = boundary < space->layer_count;
    const sq_layer *l = &space->layers[is_input ? boundary : space->layer_count - 1];
    dims[0] = batch;
    dims[1] = is_input ? l->c_in : space->classes;
    dims[2] = l->h_in;
    dims[3] = l->w_in;
    return is_input ? 4 : 2;
}

sq_status sq_onnx_encode_layers(sq_model *model, const int *path, const sq_onnx_range *range, void **bytes,
                                size_t *size)
{
    const sq_space *space = sq_model_plan(model)->space;
    const sq_export_options options = {.is_folded = true};
    int dims[4];
    encoder *e = calloc(1, sizeof *e);
    if (!e)
        return sq_fail(SQ_NO_MEMORY, "ONNX: encoder");
    e->model = model;
    e->options = &options;
    sq_status status = sq_onnx_open(&e->writer, space->name, range->opset);
    if (status == SQ_OK) {
        if (range->is_half)
            sq_onnx_use_half(e->writer);
        (void)snprintf(e->boundary[range->first], NAME, "input");
        const int count = boundary_shape(space, range->first, range->batch, dims);
        sq_onnx_value(e->writer, "input", dims, count, 0);
    }
    for (e->layer = range->first; status == SQ_OK && e->layer < range->last; e->layer++)
        status = encode_layer(e, path[e->layer]);
    if (status == SQ_OK) {
        const int count = boundary_shape(space, range->last, range->batch, dims);
        sq_onnx_value(e->writer, count == 2 ? "output" : e->boundary[range->last], dims, count, 1);
        status = sq_onnx_finish(e->writer, bytes, size);
    }
    sq_onnx_close(e->writer);
    free(e);
    return status;
}

sq_status sq_onnx_encode(sq_model *model, const int *path, const sq_export_options *options, void **bytes, size_t *size)
{
    const sq_space *space = sq_model_plan(model)->space;
    const int in[] = {0, 3, space->resolution, space->resolution}, out[] = {0, space->classes};
    encoder *e = calloc(1, sizeof *e);
    if (!e)
        return sq_fail(SQ_NO_MEMORY, "ONNX: encoder");
    e->model = model;
    e->options = options;
    sq_status status = sq_onnx_open(&e->writer, space->name, options->opset);
    if (status == SQ_OK) {
        (void)snprintf(e->boundary[0], NAME, "input");
        sq_onnx_value(e->writer, "input", in, 4, 0);
        sq_onnx_value(e->writer, "output", out, 2, 1);
        add_metadata(e, path);
    }
    for (e->layer = 0; status == SQ_OK && e->layer < space->layer_count; e->layer++)
        status = encode_layer(e, path[e->layer]);
    if (status == SQ_OK)
        status = sq_onnx_finish(e->writer, bytes, size);
    sq_onnx_close(e->writer);
    free(e);
    return status;
}
