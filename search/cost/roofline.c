/* The roofline model: milliseconds of operations, and the operations of a block. Its files are read by
 * roofline_files.c. */
#include "search/cost/roofline.h"

#include <assert.h>
#include <math.h>

#include "supernet/space/block_description.h"

/* ---- One operation ---- */

/* How much of the work is done for channels that are not there. Source: ANNETTE, formula 3 and
 * base.py:compute_efficiency, efficiency = 1 / (1 - alpha + alpha / utilisation). */
static double waste(int c, int step, double share)
{
    const double rounded = ceil((double)c / step) * step;
    return 1 - share + share * rounded / c;
}

static double values_in(const sq_roofline_operation *o)
{
    return (double)o->h_in * o->w_in * o->c_in;
}

static double values_out(const sq_roofline_operation *o)
{
    return (double)o->h_out * o->w_out * o->c_out;
}

static double weights(const sq_roofline_operation *o)
{
    if (o->kind == SQ_ROOFLINE_LINEAR)
        return values_in(o) * o->c_out;
    if (o->kind == SQ_ROOFLINE_CONV || o->kind == SQ_ROOFLINE_DEPTHWISE)
        return (double)o->kernel * o->kernel * o->c_in / o->groups * o->c_out;
    return 0;
}

static double operations(const sq_roofline_operation *o)
{
    switch (o->kind) {
    case SQ_ROOFLINE_CONV:
    case SQ_ROOFLINE_DEPTHWISE:
        return 2 * weights(o) * o->h_out * o->w_out;
    case SQ_ROOFLINE_LINEAR:
        return 2 * weights(o);
    case SQ_ROOFLINE_POOL:
        return (double)o->kernel * o->kernel * values_out(o);
    case SQ_ROOFLINE_GLOBAL_POOL:
        return values_in(o);
    case SQ_ROOFLINE_CONCAT:
    case SQ_ROOFLINE_SHUFFLE:
        return 0; /* only moved */
    default:
        return values_out(o);
    }
}

/* Values read and written, weights aside. */
static double traffic(const sq_roofline_operation *o)
{
    if (o->kind == SQ_ROOFLINE_ADD)
        return 3 * values_out(o);
    if (o->kind == SQ_ROOFLINE_MULTIPLY)
        return 2 * values_out(o) + o->c_out;
    if (o->kind == SQ_ROOFLINE_CONCAT)
        return 2 * values_out(o);
    return values_in(o) + values_out(o);
}

double sq_roofline_operation_ms(const sq_roofline *roofline, const sq_roofline_operation *operation)
{
    const sq_roofline_rate *rate = &roofline->rates[operation->kind];
    const double lost = waste(operation->c_in / operation->groups, rate->c_in_step, rate->c_in_share) *
                        waste(operation->c_out, rate->c_out_step, rate->c_out_share);
    const double compute = operations(operation) * lost / (rate->gops_per_s * 1e6);
    const double bytes =
        traffic(operation) * roofline->bytes_per_value + weights(operation) * roofline->bytes_per_weight;
    return fmax(compute, bytes / (rate->gb_per_s * 1e6)) + 1e-3 * rate->launch_us;
}

/* ---- A list ---- */

static sq_roofline_class class_of(sq_activation activation)
{
    static const sq_roofline_class classes[SQ_ACTIVATIONS] = {
        [SQ_LINEAR] = SQ_ROOFLINE_CLASSES, [SQ_RELU] = SQ_ROOFLINE_RELU,       [SQ_RELU6] = SQ_ROOFLINE_RELU6,
        [SQ_HSWISH] = SQ_ROOFLINE_HSWISH,  [SQ_SIGMOID] = SQ_ROOFLINE_SIGMOID, [SQ_HSIGMOID] = SQ_ROOFLINE_HSIGMOID,
    };
    return classes[activation];
}

/* What a fused operation still costs: an addition must read the operand that its producer did not make. */
static double fused_ms(const sq_roofline *roofline, const sq_roofline_operation *o)
{
    if (o->kind != SQ_ROOFLINE_ADD)
        return 0;
    return values_out(o) * roofline->bytes_per_value / (roofline->rates[SQ_ROOFLINE_ADD].gb_per_s * 1e6);
}

double sq_roofline_operations_ms(const sq_roofline *roofline, const sq_roofline_operation *operations, size_t count)
{
    sq_roofline_class last = SQ_ROOFLINE_CLASSES; /* the kind of what wrote the tensor that stands there now */
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        const sq_roofline_operation *o = &operations[i];
        const bool is_fused = o->follows && last != SQ_ROOFLINE_CLASSES && roofline->is_fused[last][o->kind];
        sum += is_fused ? fused_ms(roofline, o) : sq_roofline_operation_ms(roofline, o);
        last = o->kind;
        const sq_roofline_class activation = class_of(o->activation);
        if (activation == SQ_ROOFLINE_CLASSES || roofline->is_fused[last][activation])
            continue;
        const sq_roofline_operation alone = {activation, o->h_out, o->w_out, o->c_out, o->h_out,  o->w_out,
                                             o->c_out,   1,        1,        1,        SQ_LINEAR, true};
        sum += sq_roofline_operation_ms(roofline, &alone);
        last = activation;
    }
    return sum;
}

/* ---- Blocks ---- */

typedef struct {
    sq_roofline_operation *operations;
    int count;
} list;

/* An operation that keeps the shape h x w x c. */
static sq_roofline_operation same(sq_roofline_class kind, int h, int w, int c, bool follows)
{
    return (sq_roofline_operation){kind, h, w, c, h, w, c, 1, 1, 1, SQ_LINEAR, follows};
}

static void append(list *l, sq_roofline_operation operation)
{
    assert(l->count < SQ_ROOFLINE_BLOCK_LIMIT);
    l->operations[l->count++] = operation;
}

/* Mean, two 1x1 convolutions on one pixel, product (Hu et al. 2018). */
static void append_gate(list *l, const sq_unit *u)
{
    sq_roofline_operation pool = same(SQ_ROOFLINE_GLOBAL_POOL, u->h_out, u->w_out, u->c_out, false); /* two readers */
    pool.h_out = pool.w_out = 1;
    sq_roofline_operation reduce = same(SQ_ROOFLINE_CONV, 1, 1, u->c_out, true);
    reduce.c_out = u->se_channels;
    reduce.activation = SQ_RELU;
    sq_roofline_operation expand = same(SQ_ROOFLINE_CONV, 1, 1, u->se_channels, true);
    expand.c_out = u->c_out;
    expand.activation = u->gate_activation;
    append(l, pool);
    append(l, reduce);
    append(l, expand);
    append(l, same(SQ_ROOFLINE_MULTIPLY, u->h_out, u->w_out, u->c_out, true));
}

static void append_unit(list *l, const sq_description *d, int index)
{
    const sq_unit *u = &d->units[index];
    const bool is_depthwise = u->is_depthwise;
    append(l, (sq_roofline_operation){.kind = is_depthwise ? SQ_ROOFLINE_DEPTHWISE : SQ_ROOFLINE_CONV,
                                      .h_in = u->h_in,
                                      .w_in = u->w_in,
                                      .c_in = u->c_in,
                                      .h_out = u->h_out,
                                      .w_out = u->w_out,
                                      .c_out = u->c_out,
                                      .kernel = u->kernel,
                                      .stride = u->stride,
                                      .groups = is_depthwise ? u->c_in : 1,
                                      .activation = u->activation,
                                      .follows = index > 0 && u->source == index - 1});
    if (u->se_channels > 0)
        append_gate(l, u);
}

int sq_roofline_list(const sq_space *space, int layer, int choice, sq_roofline_operation *operations)
{
    sq_description d;
    list l = {operations, 0};
    const sq_layer *at = &space->layers[layer];
    sq_describe_block(space, layer, choice, &d);
    if (d.has_pass && d.pass != SQ_ALL) /* halves of the shuffled input */
        append(&l, same(SQ_ROOFLINE_SHUFFLE, at->h_in, at->w_in, at->c_in, false));
    for (int u = 0; u < d.unit_count; u++)
        append_unit(&l, &d, u);
    const int operands = (d.main != SQ_NONE) + (d.side != SQ_NONE) + d.has_pass;
    const sq_roofline_class join = d.join == SQ_JOIN_CONCAT ? SQ_ROOFLINE_CONCAT : SQ_ROOFLINE_ADD;
    if (operands > 1)
        append(&l, same(join, at->h_out, at->w_out, at->c_out, d.main == d.unit_count - 1));
    if (d.is_classifier) {
        sq_roofline_operation pool = same(SQ_ROOFLINE_GLOBAL_POOL, at->h_in, at->w_in, at->c_in, false);
        sq_roofline_operation linear = same(SQ_ROOFLINE_LINEAR, 1, 1, at->c_in, true);
        pool.h_out = pool.w_out = 1;
        linear.c_out = space->classes;
        append(&l, pool);
        append(&l, linear);
    }
    return l.count;
}

sq_status sq_roofline_block(const sq_roofline *roofline, const sq_space *space, int layer, int choice, double *ms)
{
    sq_roofline_operation operations[SQ_ROOFLINE_BLOCK_LIMIT];
    if (layer < 0 || layer >= space->layer_count || choice < 0 || choice >= space->layers[layer].choice_count)
        return sq_fail(SQ_INVALID, "roofline: layer %d, choice %d: not in %s", layer, choice, space->name);
    const int count = sq_roofline_list(space, layer, choice, operations);
    *ms = sq_roofline_operations_ms(roofline, operations, (size_t)count);
    return SQ_OK;
}
