/* The table of operations has one row per kind, with the name and the check of the operands. A graph that passes the
 * checks can run on any backend without further checks of shapes. */
#include "kernels/operation.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernels/graph.h"

typedef struct {
    const sq_graph *graph;
    const sq_op *op;
    int index;
} checker;

/* Fails with the text "graph: operation 3 conv: operand: reason". */
static sq_status __attribute__((format(printf, 3, 4)))
fail(const checker *k, const char *operand, const char *format, ...)
{
    char why[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    return sq_fail(SQ_INVALID, "%s: operation %d %s: %s: %s", k->graph->name, k->index, sq_op_name(k->op->kind),
                   operand, why);
}

static const sq_slot *slot_of(const checker *k, int slot)
{
    return &k->graph->slots[slot];
}

/* Checks the index of a slot. is_optional: SQ_NONE is also accepted. */
static sq_status check_slot(const checker *k, const char *operand, int slot, bool is_optional)
{
    if (slot == SQ_NONE && is_optional)
        return SQ_OK;
    if (slot == SQ_NONE)
        return fail(k, operand, "found no slot, expected one");
    if (slot < 0 || slot >= k->graph->slot_count)
        return fail(k, operand, "found slot %d, expected 0 to %d", slot, k->graph->slot_count - 1);
    return SQ_OK;
}

static sq_status check_shape(const checker *k, const char *operand, int slot, const int want[4], bool is_optional)
{
    SQ_TRY(check_slot(k, operand, slot, is_optional));
    if (slot == SQ_NONE)
        return SQ_OK;
    const sq_slot *s = slot_of(k, slot);
    if (s->n != want[0] || s->h != want[1] || s->w != want[2] || s->c != want[3])
        return fail(k, operand, "found shape %dx%dx%dx%d, expected %dx%dx%dx%d", s->n, s->h, s->w, s->c, want[0],
                    want[1], want[2], want[3]);
    return SQ_OK;
}

static sq_status check_vector(const checker *k, const char *operand, int slot, int count, bool is_optional)
{
    return check_shape(k, operand, slot, (const int[]){1, 1, 1, count}, is_optional);
}

/* Checks a view and writes the shape of the value that the view shows to `shape`. */
static sq_status check_view(const checker *k, const char *operand, sq_view view, int shape[4])
{
    SQ_TRY(check_slot(k, operand, view.slot, false));
    const sq_slot *s = slot_of(k, view.slot);
    const int c = view.part == SQ_ALL ? s->c : s->c / 2;
    if ((unsigned)view.part >= SQ_PARTS)
        return fail(k, operand, "unknown part: found %d, expected 0 to %d", (int)view.part, SQ_PARTS - 1);
    if ((unsigned)view.activation >= SQ_ACTIVATIONS)
        return fail(k, operand, "unknown activation: found %d, expected 0 to %d", (int)view.activation,
                    SQ_ACTIVATIONS - 1);
    if (view.part == SQ_ALL && s->is_split)
        return fail(k, operand, "found all channels of a split slot, expected its even or odd channels");
    if (view.part != SQ_ALL && (s->c % 2 || view.norm != SQ_NONE || view.gate != SQ_NONE))
        return fail(k, operand, "even or odd channels need a slot with an even channel count, without norm and gate");
    if (view.norm != SQ_NONE && (view.norm < 0 || view.norm >= k->graph->norm_count))
        return fail(k, operand, "found norm %d, expected 0 to %d", view.norm, k->graph->norm_count - 1);
    if (view.norm != SQ_NONE && k->graph->norms[view.norm].c != s->c)
        return fail(k, operand, "found a norm of %d channels, expected %d", k->graph->norms[view.norm].c, s->c);
    if (view.norm == SQ_NONE && view.activation != SQ_LINEAR)
        return fail(k, operand, "found activation %s without a pending norm, expected linear",
                    sq_activation_name(view.activation));
    if (view.gate != SQ_NONE)
        SQ_TRY(check_shape(k, "gate", view.gate, (const int[]){s->n, 1, 1, s->c}, false));
    memcpy(shape, (const int[]){s->n, s->h, s->w, c}, 4 * sizeof *shape);
    return SQ_OK;
}

/* The shapes of the input, the raw output and the weights of a convolution. */
typedef struct {
    int x[4], out[4], weight[4];
} conv_shapes;

static sq_status check_conv_shapes(const checker *k, const char *operand, int out_slot, conv_shapes *shapes)
{
    const sq_op *op = k->op;
    SQ_TRY(check_view(k, "x", op->x, shapes->x));
    SQ_TRY(check_slot(k, operand, out_slot, false));
    if (op->kernel < 1 || op->kernel > 7 || op->kernel % 2 == 0)
        return fail(k, "kernel", "found %d, expected 1, 3, 5 or 7", op->kernel);
    if (op->stride != 1 && op->stride != 2)
        return fail(k, "stride", "found %d, expected 1 or 2", op->stride);
    const sq_slot *z = slot_of(k, out_slot);
    const int *x = shapes->x;
    const int out[4] = {x[0], (x[1] + op->stride - 1) / op->stride, (x[2] + op->stride - 1) / op->stride, z->c};
    const int weight[4] = {z->c, op->is_depthwise ? 1 : x[3], op->kernel, op->kernel};
    if (op->is_depthwise && z->c != x[3])
        return fail(k, operand, "found %d channels, expected %d as in x (depthwise)", z->c, x[3]);
    if (z->is_split)
        return fail(k, operand, "found a split slot, expected raw outputs in one piece");
    memcpy(shapes->out, out, sizeof out);
    memcpy(shapes->weight, weight, sizeof weight);
    SQ_TRY(check_shape(k, operand, out_slot, out, false));
    SQ_TRY(check_shape(k, "weight", op->weight, weight, false));
    if (op->out_norm < 0 || op->out_norm >= k->graph->norm_count)
        return fail(k, "norm", "found norm %d, expected 0 to %d", op->out_norm, k->graph->norm_count - 1);
    if (k->graph->norms[op->out_norm].c != z->c)
        return fail(k, "norm", "found %d channels, expected %d", k->graph->norms[op->out_norm].c, z->c);
    return SQ_OK;
}

static sq_status check_conv(const checker *k)
{
    conv_shapes shapes;
    return check_conv_shapes(k, "out", k->op->out, &shapes);
}

static sq_status check_conv_back(const checker *k)
{
    const sq_op *op = k->op;
    conv_shapes shapes;
    int z[4];
    SQ_TRY(check_conv_shapes(k, "z", op->z.slot, &shapes));
    SQ_TRY(check_view(k, "z", op->z, z));
    if (op->z.norm != op->out_norm)
        return fail(k, "z", "found pending norm %d, expected out_norm %d", op->z.norm, op->out_norm);
    SQ_TRY(check_shape(k, "grad", op->grad, shapes.out, false));
    SQ_TRY(check_shape(k, "weight_grad", op->weight_grad, shapes.weight, false));
    SQ_TRY(check_slot(k, "dx", op->dx, true));
    if (op->dx != SQ_NONE) {
        const sq_slot *whole = slot_of(k, op->x.slot);
        const int want[4] = {whole->n, whole->h, whole->w, whole->c};
        SQ_TRY(check_shape(k, "dx", op->dx, want, false));
        SQ_TRY(check_shape(k, "addend", op->addend, want, true));
        if (op->dx_part != op->x.part)
            return fail(k, "dx", "found part %d, expected part %d as in x", (int)op->dx_part, (int)op->x.part);
    }
    if (op->grad == op->dx)
        return fail(k, "dx", "found the slot of grad, expected another slot");
    return SQ_OK;
}

static sq_status check_gate(const checker *k)
{
    const sq_op *op = k->op;
    int x[4];
    SQ_TRY(check_view(k, "x", op->x, x));
    SQ_TRY(check_slot(k, "hidden", op->hidden, false));
    const int r = slot_of(k, op->hidden)->c;
    const int per_channel[4] = {x[0], 1, 1, x[3]}, reduced[4] = {x[0], 1, 1, r};
    const int reduce[4] = {r, x[3], 1, 1}, expand[4] = {x[3], r, 1, 1};
    if (op->x.gate != SQ_NONE)
        return fail(k, "x", "found a view with a gate, expected one without");
    if (op->gate_activation != SQ_SIGMOID && op->gate_activation != SQ_HSIGMOID)
        return fail(k, "gate activation", "found %s, expected sigmoid or hsigmoid",
                    sq_activation_name(op->gate_activation));
    SQ_TRY(check_shape(k, "pooled", op->pooled, per_channel, false));
    SQ_TRY(check_shape(k, "hidden", op->hidden, reduced, false));
    SQ_TRY(check_shape(k, "out", op->out, per_channel, false));
    SQ_TRY(check_shape(k, "weight", op->weight, reduce, false));
    SQ_TRY(check_shape(k, "weight2", op->weight2, expand, false));
    SQ_TRY(check_vector(k, "bias", op->bias, r, false));
    SQ_TRY(check_vector(k, "bias2", op->bias2, x[3], false));
    if (op->kind == SQ_OP_GATE)
        return SQ_OK;
    SQ_TRY(check_shape(k, "grad", op->grad, x, false));
    SQ_TRY(check_shape(k, "dx", op->dx, x, false));
    SQ_TRY(check_shape(k, "weight_grad", op->weight_grad, reduce, false));
    SQ_TRY(check_shape(k, "weight2_grad", op->weight2_grad, expand, false));
    SQ_TRY(check_vector(k, "bias_grad", op->bias_grad, r, false));
    return check_vector(k, "bias2_grad", op->bias2_grad, x[3], false);
}

static sq_status check_join(const checker *k)
{
    const sq_op *op = k->op;
    const bool is_back = op->kind == SQ_OP_JOIN_BACK;
    const int slot = is_back ? op->grad : op->out;
    int x[4], y[4] = {0, 0, 0, 0};
    SQ_TRY(check_view(k, "x", op->x, x));
    if (op->y.slot != SQ_NONE)
        SQ_TRY(check_view(k, "y", op->y, y));
    const bool is_concat = op->join == SQ_JOIN_CONCAT;
    if (op->y.slot != SQ_NONE && (y[0] != x[0] || y[1] != x[1] || y[2] != x[2] || (!is_concat && y[3] != x[3])))
        return fail(k, "y", "found %dx%dx%dx%d, expected the shape of x, %dx%dx%dx%d%s", y[0], y[1], y[2], y[3], x[0],
                    x[1], x[2], x[3], is_concat ? " (any channel count)" : "");
    const int out[4] = {x[0], x[1], x[2], is_concat ? x[3] + y[3] : x[3]};
    SQ_TRY(check_shape(k, is_back ? "grad" : "out", slot, out, false));
    if (!is_back)
        return SQ_OK;
    const int dx[4] = {x[0], x[1], x[2], op->dx_part == SQ_ALL ? x[3] : 2 * x[3]};
    const int dy[4] = {x[0], x[1], x[2], op->dy_part == SQ_ALL ? y[3] : 2 * y[3]};
    SQ_TRY(check_shape(k, "dx", op->dx, dx, true));
    SQ_TRY(check_shape(k, "dy", op->dy, dy, true));
    if (op->y.slot == SQ_NONE && op->dy != SQ_NONE)
        return fail(k, "dy", "found a slot, expected none without y");
    if ((op->dx == op->grad || op->dy == op->grad) && (is_concat || slot_of(k, op->grad)->is_split))
        return fail(k, "dx", "found the slot of grad, which only ADD without a split gradient may share");
    return SQ_OK;
}

static sq_status check_pool(const checker *k)
{
    const sq_op *op = k->op;
    int x[4];
    SQ_TRY(check_view(k, "x", op->x, x));
    if (op->x.part != SQ_ALL || op->x.gate != SQ_NONE)
        return fail(k, "x", "found a part or a gate, expected a view of all channels without gate");
    if (!(op->dropout >= 0 && op->dropout < 1))
        return fail(k, "dropout", "found %g, expected 0 <= dropout < 1", (double)op->dropout);
    const int pooled[4] = {x[0], 1, 1, x[3]};
    if (op->kind == SQ_OP_POOL)
        return check_shape(k, "out", op->out, pooled, false);
    SQ_TRY(check_shape(k, "grad", op->grad, pooled, false));
    return check_shape(k, "dx", op->dx, x, false);
}

static sq_status check_linear(const checker *k)
{
    const sq_op *op = k->op;
    const int out_slot = op->kind == SQ_OP_LINEAR ? op->out : op->grad;
    int x[4];
    SQ_TRY(check_view(k, "x", op->x, x));
    SQ_TRY(check_slot(k, "out", out_slot, false));
    const int c_out = slot_of(k, out_slot)->c;
    const int weight[4] = {c_out, x[3], 1, 1};
    if (x[1] != 1 || x[2] != 1 || op->x.norm != SQ_NONE)
        return fail(k, "x", "found %dx%dx%dx%d%s, expected (n,1,1,c) without norm", x[0], x[1], x[2], x[3],
                    op->x.norm != SQ_NONE ? " with a norm" : "");
    SQ_TRY(check_shape(k, "out", out_slot, (const int[]){x[0], 1, 1, c_out}, false));
    SQ_TRY(check_shape(k, "weight", op->weight, weight, false));
    SQ_TRY(check_vector(k, "bias", op->bias, c_out, true));
    if (op->kind == SQ_OP_LINEAR)
        return SQ_OK;
    SQ_TRY(check_shape(k, "weight_grad", op->weight_grad, weight, false));
    SQ_TRY(check_vector(k, "bias_grad", op->bias_grad, c_out, true));
    return check_shape(k, "dx", op->dx, x, true);
}

static sq_status check_loss(const checker *k)
{
    const sq_op *op = k->op;
    int x[4];
    SQ_TRY(check_view(k, "x", op->x, x));
    SQ_TRY(check_shape(k, "labels", op->labels, (const int[]){x[0], 1, 1, 1}, false));
    if (slot_of(k, op->labels)->dtype != SQ_I32)
        return fail(k, "labels", "expected 32-bit integers");
    SQ_TRY(check_slot(k, "out", op->out, false));
    if (slot_of(k, op->out)->role != SQ_ROLE_RESULT)
        return fail(k, "out", "found role %d, expected SQ_ROLE_RESULT", (int)slot_of(k, op->out)->role);
    if (!(op->label_smoothing >= 0 && op->label_smoothing < 1))
        return fail(k, "label smoothing", "found %g, expected 0 <= smoothing < 1", (double)op->label_smoothing);
    return check_shape(k, "dx", op->dx, x, true);
}

static sq_status check_update(const checker *k)
{
    const sq_op *op = k->op;
    SQ_TRY(check_slot(k, "weight", op->weight, false));
    const int count = slot_of(k, op->weight)->c;
    SQ_TRY(check_vector(k, "weight", op->weight, count, false));
    SQ_TRY(check_vector(k, "weight_grad", op->weight_grad, count, false));
    SQ_TRY(check_vector(k, "momentum", op->momentum, count, false));
    SQ_TRY(check_vector(k, "average", op->average, count, true));
    if (op->decayed_count > (size_t)count)
        return fail(k, "decayed_count", "found %zu, expected at most %d", op->decayed_count, count);
    return SQ_OK;
}

static sq_status check_image(const checker *k)
{
    const sq_op *op = k->op;
    int x[4];
    SQ_TRY(check_view(k, "x", op->x, x));
    if (slot_of(k, op->x.slot)->dtype != SQ_U8 || x[3] != 3)
        return fail(k, "x", "found %d channels, expected 8-bit images of 3 channels", x[3]);
    SQ_TRY(check_shape(k, "augment", op->augment, (const int[]){x[0], 1, 1, SQ_AUGMENT_COUNT}, true));
    for (int i = 0; i < 3; i++)
        if (!(op->deviation[i] > 0))
            return fail(k, "deviation", "found %g, expected more than 0", (double)op->deviation[i]);
    return check_shape(k, "out", op->out, x, false);
}

/* Modes select code in every backend, so values outside the enumerations are refused for all kinds. */
static sq_status check_modes(const checker *k)
{
    const sq_op *op = k->op;
    if ((unsigned)op->statistics >= SQ_STATISTICS_MODES)
        return fail(k, "statistics", "unknown mode: found %d, expected 0 to %d", (int)op->statistics,
                    SQ_STATISTICS_MODES - 1);
    if ((unsigned)op->join >= SQ_JOIN_MODES)
        return fail(k, "join", "unknown mode: found %d, expected 0 to %d", (int)op->join, SQ_JOIN_MODES - 1);
    if ((unsigned)op->dx_part >= SQ_PARTS || (unsigned)op->dy_part >= SQ_PARTS)
        return fail(k, "dx_part, dy_part", "unknown part: found %d and %d, expected 0 to %d", (int)op->dx_part,
                    (int)op->dy_part, SQ_PARTS - 1);
    return SQ_OK;
}

typedef struct {
    const char *name;
    sq_status (*check)(const checker *k);
} kind_row;

static const kind_row kinds[] = {
    [SQ_OP_IMAGE] = {"image", check_image},
    [SQ_OP_CONV] = {"conv", check_conv},
    [SQ_OP_CONV_BACK] = {"conv_back", check_conv_back},
    [SQ_OP_GATE] = {"gate", check_gate},
    [SQ_OP_GATE_BACK] = {"gate_back", check_gate},
    [SQ_OP_JOIN] = {"join", check_join},
    [SQ_OP_JOIN_BACK] = {"join_back", check_join},
    [SQ_OP_POOL] = {"pool", check_pool},
    [SQ_OP_POOL_BACK] = {"pool_back", check_pool},
    [SQ_OP_LINEAR] = {"linear", check_linear},
    [SQ_OP_LINEAR_BACK] = {"linear_back", check_linear},
    [SQ_OP_LOSS] = {"loss", check_loss},
    [SQ_OP_UPDATE] = {"update", check_update},
};
_Static_assert(sizeof kinds / sizeof *kinds == SQ_OP_KINDS, "one row per kind of operation");

const char *sq_op_name(sq_op_kind kind)
{
    return (unsigned)kind < SQ_OP_KINDS ? kinds[kind].name : "unknown";
}

sq_status sq_op_check(const sq_graph *graph, int index)
{
    const checker k = {graph, &graph->ops[index], index};
    if ((unsigned)k.op->kind >= SQ_OP_KINDS)
        return sq_fail(SQ_INVALID, "%s: operation %d: unknown kind: found %d, expected 0 to %d", graph->name, index,
                       (int)k.op->kind, SQ_OP_KINDS - 1);
    SQ_TRY(check_modes(&k));
    return kinds[k.op->kind].check(&k);
}

sq_op sq_op_make(sq_op_kind kind)
{
    return (sq_op){
        .kind = kind,
        .x = sq_view_none(),
        .y = sq_view_none(),
        .z = sq_view_none(),
        .weight = SQ_NONE,
        .bias = SQ_NONE,
        .weight2 = SQ_NONE,
        .bias2 = SQ_NONE,
        .weight_grad = SQ_NONE,
        .bias_grad = SQ_NONE,
        .weight2_grad = SQ_NONE,
        .bias2_grad = SQ_NONE,
        .out = SQ_NONE,
        .out_norm = SQ_NONE,
        .grad = SQ_NONE,
        .dx = SQ_NONE,
        .dy = SQ_NONE,
        .addend = SQ_NONE,
        .augment = SQ_NONE,
        .pooled = SQ_NONE,
        .hidden = SQ_NONE,
        .labels = SQ_NONE,
        .momentum = SQ_NONE,
        .average = SQ_NONE,
        .kernel = 1,
        .stride = 1,
    };
}
