/* Computes the milliseconds of operations with the roofline model, and lists the operations of a block. */
#include "search/cost/roofline.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "supernet/space/block_description.h"

#define PER_MS 1e6 /* converts 10^9 per second to units per millisecond */

/* Returns the factor by which rounding channels up to a multiple of `step` increases the work. Source: ANNETTE, formula
 * 3 and base.py:compute_efficiency, efficiency = 1 / (1 - alpha + alpha / utilisation). */
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

/* ---- One row per class ---- */

static double no_values(const sq_roofline_operation *o)
{
    (void)o;
    return 0;
}

static double conv_weights(const sq_roofline_operation *o)
{
    return (double)o->kernel * o->kernel * o->c_in / o->groups * o->c_out;
}

static double linear_weights(const sq_roofline_operation *o)
{
    return values_in(o) * o->c_out;
}

static double conv_operations(const sq_roofline_operation *o)
{
    return 2 * conv_weights(o) * o->h_out * o->w_out;
}

static double linear_operations(const sq_roofline_operation *o)
{
    return 2 * linear_weights(o);
}

static double pool_operations(const sq_roofline_operation *o)
{
    return (double)o->kernel * o->kernel * values_out(o);
}

static double read_and_write(const sq_roofline_operation *o)
{
    return values_in(o) + values_out(o);
}

static double add_traffic(const sq_roofline_operation *o)
{
    return 3 * values_out(o);
}

static double multiply_traffic(const sq_roofline_operation *o)
{
    return 2 * values_out(o) + o->c_out;
}

static double concat_traffic(const sq_roofline_operation *o)
{
    return 2 * values_out(o);
}

typedef struct {
    const char *name;
    sq_roofline_class stand_in; /* class whose rates apply if a file has none; the class itself: its rates are
                                 * required */
    double (*weights)(const sq_roofline_operation *o);
    double (*operations)(const sq_roofline_operation *o); /* NULL: the class only has rates */
    double (*traffic)(const sq_roofline_operation *o);    /* values read and written, without weights */
} class_row;

#define ELEMENTWISE SQ_ROOFLINE_ELEMENTWISE
#define ACTIVATION  SQ_ROOFLINE_ACTIVATION
static const class_row classes[] = {
    [SQ_ROOFLINE_CONV] = {"conv", SQ_ROOFLINE_CONV, conv_weights, conv_operations, read_and_write},
    [SQ_ROOFLINE_DEPTHWISE] = {"depthwise", SQ_ROOFLINE_DEPTHWISE, conv_weights, conv_operations, read_and_write},
    [SQ_ROOFLINE_LINEAR] = {"linear", SQ_ROOFLINE_LINEAR, linear_weights, linear_operations, read_and_write},
    [SQ_ROOFLINE_POOL] = {"pool", SQ_ROOFLINE_POOL, no_values, pool_operations, read_and_write},
    [SQ_ROOFLINE_ELEMENTWISE] = {"elementwise", SQ_ROOFLINE_ELEMENTWISE, NULL, NULL, NULL},
    [SQ_ROOFLINE_ACTIVATION] = {"activation", SQ_ROOFLINE_ACTIVATION, NULL, NULL, NULL},
    [SQ_ROOFLINE_GLOBAL_POOL] = {"global_pool", SQ_ROOFLINE_POOL, no_values, values_in, read_and_write},
    [SQ_ROOFLINE_ADD] = {"add", ELEMENTWISE, no_values, values_out, add_traffic},
    [SQ_ROOFLINE_MULTIPLY] = {"multiply", ELEMENTWISE, no_values, values_out, multiply_traffic},
    [SQ_ROOFLINE_CONCAT] = {"concat", ELEMENTWISE, no_values, no_values, concat_traffic},
    [SQ_ROOFLINE_SHUFFLE] = {"shuffle", ELEMENTWISE, no_values, no_values, read_and_write},
    [SQ_ROOFLINE_RELU] = {"relu", ACTIVATION, no_values, values_out, read_and_write},
    [SQ_ROOFLINE_RELU6] = {"relu6", ACTIVATION, no_values, values_out, read_and_write},
    [SQ_ROOFLINE_HSWISH] = {"hswish", ACTIVATION, no_values, values_out, read_and_write},
    [SQ_ROOFLINE_SIGMOID] = {"sigmoid", ACTIVATION, no_values, values_out, read_and_write},
    [SQ_ROOFLINE_HSIGMOID] = {"hsigmoid", ACTIVATION, no_values, values_out, read_and_write},
};
_Static_assert(sizeof classes / sizeof *classes == SQ_ROOFLINE_CLASSES, "one row per class");

const char *sq_roofline_name(sq_roofline_class kind)
{
    return classes[kind].name;
}

sq_roofline_class sq_roofline_find(const char *name)
{
    int i = 0;
    while (i < SQ_ROOFLINE_CLASSES && strcmp(classes[i].name, name) != 0)
        i++;
    return (sq_roofline_class)i;
}

bool sq_roofline_is_operation(sq_roofline_class kind)
{
    return classes[kind].operations != NULL;
}

sq_roofline_class sq_roofline_stand_in(sq_roofline_class kind)
{
    return classes[kind].stand_in;
}

/* ---- One operation ---- */

double sq_roofline_operation_ms(const sq_roofline *roofline, const sq_roofline_operation *operation)
{
    const class_row *row = &classes[operation->kind];
    const sq_roofline_rate *rate = &roofline->rates[operation->kind];
    assert(row->operations); /* sq_roofline_is_operation */
    const double lost = waste(operation->c_in / operation->groups, rate->c_in_step, rate->c_in_share) *
                        waste(operation->c_out, rate->c_out_step, rate->c_out_share);
    const double compute = row->operations(operation) * lost / (rate->gops_per_s * PER_MS);
    const double bytes =
        row->traffic(operation) * roofline->bytes_per_value + row->weights(operation) * roofline->bytes_per_weight;
    return fmax(compute, bytes / (rate->gb_per_s * PER_MS)) + 1e-3 * rate->launch_us;
}

/* ---- A sequence of operations ---- */

static sq_roofline_class class_of(sq_activation activation)
{
    static const sq_roofline_class of_activation[SQ_ACTIVATIONS] = {
        [SQ_LINEAR] = SQ_ROOFLINE_CLASSES, [SQ_RELU] = SQ_ROOFLINE_RELU,       [SQ_RELU6] = SQ_ROOFLINE_RELU6,
        [SQ_HSWISH] = SQ_ROOFLINE_HSWISH,  [SQ_SIGMOID] = SQ_ROOFLINE_SIGMOID, [SQ_HSIGMOID] = SQ_ROOFLINE_HSIGMOID,
    };
    return of_activation[activation];
}

/* Returns the remaining cost of a fused operation. An addition still reads the operand that its producer did not write;
 * all other fused operations cost nothing. */
static double fused_ms(const sq_roofline *roofline, const sq_roofline_operation *o)
{
    if (o->kind != SQ_ROOFLINE_ADD)
        return 0;
    return values_out(o) * roofline->bytes_per_value / (roofline->rates[SQ_ROOFLINE_ADD].gb_per_s * PER_MS);
}

double sq_roofline_operations_ms(const sq_roofline *roofline, const sq_roofline_operation *operations, size_t count)
{
    sq_roofline_class last = SQ_ROOFLINE_CLASSES; /* class of the previous operation */
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

/* Returns an operation whose input and output have the shape h x w x c. */
static sq_roofline_operation same(sq_roofline_class kind, int h, int w, int c, bool follows)
{
    return (sq_roofline_operation){kind, h, w, c, h, w, c, 1, 1, 1, SQ_LINEAR, follows};
}

static void append(list *l, sq_roofline_operation operation)
{
    assert(l->count < SQ_ROOFLINE_BLOCK_LIMIT);
    l->operations[l->count++] = operation;
}

/* Appends squeeze-and-excitation: mean, two 1x1 convolutions on one pixel, product (Hu et al. 2018). */
static void append_gate(list *l, const sq_unit *u)
{
    sq_roofline_operation pool =
        same(SQ_ROOFLINE_GLOBAL_POOL, u->h_out, u->w_out, u->c_out, false); /* does not follow: the unit's output has
                                                                             * two readers */
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
    if (d.has_pass && d.pass != SQ_ALL) /* the block splits its shuffled input into halves */
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
        return sq_fail(SQ_INVALID, "roofline: layer %d, choice %d: not in space %s", layer, choice, space->name);
    const int count = sq_roofline_list(space, layer, choice, operations);
    *ms = sq_roofline_operations_ms(roofline, operations, (size_t)count);
    return SQ_OK;
}
