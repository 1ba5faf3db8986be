/* What each kind of operation demands of its operands. A graph that passes can be run by any backend without a further
 * look at shapes. */
#include <string.h>

#include "kernels/graph.h"

typedef struct {
    const sq_graph *graph;
    const sq_op *op;
    int index;
} checker;

static sq_status fail(const checker *k, const char *operand, const char *why)
{
    return sq_fail(SQ_INVALID, "%s: operation %d %s: %s: %s", k->graph->name, k->index, sq_op_name(k->op->kind),
                   operand, why);
}

static const sq_slot *slot_of(const checker *k, int slot)
{
    return &k->graph->slots[slot];
}

/* A slot that must be there, or (is_optional) may be SQ_NONE. */
static sq_status check_slot(const checker *k, const char *operand, int slot, bool is_optional)
{
    if (slot == SQ_NONE && is_optional)
        return SQ_OK;
    if (slot == SQ_NONE)
        return fail(k, operand, "absent, wanted a slot");
    return slot >= 0 && slot < k->graph->slot_count ? SQ_OK : fail(k, operand, "no such slot");
}

static sq_status check_shape(const checker *k, const char *operand, int slot, const int want[4], bool is_optional)
{
    SQ_TRY(check_slot(k, operand, slot, is_optional));
    if (slot == SQ_NONE)
        return SQ_OK;
    const sq_slot *s = slot_of(k, slot);
    if (s->n != want[0] || s->h != want[1] || s->w != want[2] || s->c != want[3])
        return sq_fail(SQ_INVALID, "%s: operation %d %s: %s is %dx%dx%dx%d, wanted %dx%dx%dx%d", k->graph->name,
                       k->index, sq_op_name(k->op->kind), operand, s->n, s->h, s->w, s->c, want[0], want[1], want[2],
                       want[3]);
    return SQ_OK;
}

static sq_status check_vector(const checker *k, const char *operand, int slot, int count, bool is_optional)
{
    return check_shape(k, operand, slot, (const int[]){1, 1, 1, count}, is_optional);
}

/* A view and the shape of what it shows. */
static sq_status check_view(const checker *k, const char *operand, sq_view view, int shape[4])
{
    SQ_TRY(check_slot(k, operand, view.slot, false));
    const sq_slot *s = slot_of(k, view.slot);
    const int c = view.part == SQ_ALL ? s->c : s->c / 2;
    if (view.part == SQ_ALL && s->is_split)
        return fail(k, operand, "a split slot is seen by its halves");
    if (view.part != SQ_ALL && (s->c % 2 || view.norm != SQ_NONE || view.gate != SQ_NONE))
        return fail(k, operand, "a part is seen of plain slots with an even number of channels");
    if (view.norm != SQ_NONE && (view.norm < 0 || view.norm >= k->graph->norm_count))
        return fail(k, operand, "no such norm");
    if (view.norm != SQ_NONE && k->graph->norms[view.norm].c != s->c)
        return fail(k, operand, "its norm has another number of channels");
    if (view.norm == SQ_NONE && view.activation != SQ_LINEAR)
        return fail(k, operand, "an activation needs a pending norm");
    if (view.gate != SQ_NONE)
        SQ_TRY(check_shape(k, "gate", view.gate, (const int[]){s->n, 1, 1, s->c}, false));
    memcpy(shape, (const int[]){s->n, s->h, s->w, c}, 4 * sizeof *shape);
    return SQ_OK;
}

static sq_status check_conv(const checker *k)
{
    const sq_op *op = k->op;
    const bool is_back = op->kind == SQ_OP_CONV_BACK;
    const int out_slot = is_back ? op->z.slot : op->out;
    int x[4];
    SQ_TRY(check_view(k, "x", op->x, x));
    SQ_TRY(check_slot(k, is_back ? "z" : "out", out_slot, false));
    if (op->kernel < 1 || op->kernel > 7 || op->kernel % 2 == 0)
        return fail(k, "kernel", "wanted 1, 3, 5 or 7");
    if (op->stride != 1 && op->stride != 2)
        return fail(k, "stride", "wanted 1 or 2");
    const sq_slot *z = slot_of(k, out_slot);
    const int out[4] = {x[0], (x[1] + op->stride - 1) / op->stride, (x[2] + op->stride - 1) / op->stride, z->c};
    if (op->is_depthwise && z->c != x[3])
        return fail(k, "x", "a depthwise convolution keeps the number of channels");
    if (z->is_split)
        return fail(k, "out", "raw outputs are not split");
    SQ_TRY(check_shape(k, is_back ? "z" : "out", out_slot, out, false));
    const int weight[4] = {z->c, op->is_depthwise ? 1 : x[3], op->kernel, op->kernel};
    SQ_TRY(check_shape(k, "weight", op->weight, weight, false));
    if (op->out_norm < 0 || op->out_norm >= k->graph->norm_count || k->graph->norms[op->out_norm].c != z->c)
        return fail(k, "norm", "every convolution has one, with its channels");
    if (!is_back)
        return SQ_OK;
    SQ_TRY(check_shape(k, "grad", op->grad, out, false));
    SQ_TRY(check_shape(k, "weight_grad", op->weight_grad, weight, false));
    SQ_TRY(check_slot(k, "dx", op->dx, true));
    if (op->dx != SQ_NONE) {
        const sq_slot *whole = slot_of(k, op->x.slot);
        const int want[4] = {whole->n, whole->h, whole->w, whole->c};
        SQ_TRY(check_shape(k, "dx", op->dx, want, false));
        SQ_TRY(check_shape(k, "addend", op->addend, want, true));
        if (op->dx_part != op->x.part)
            return fail(k, "dx", "shows another part than x");
    }
    if (op->grad == op->dx)
        return fail(k, "dx", "may not be the incoming gradient");
    return SQ_OK;
}

static sq_status check_gate(const checker *k)
{
    const sq_op *op = k->op;
    int x[4];
    SQ_TRY(check_view(k, "x", op->x, x));
    SQ_TRY(check_slot(k, "hidden", op->hidden, false));
    const int r = slot_of(k, op->hidden)->c;
    const int wide[4] = {x[0], 1, 1, x[3]}, narrow[4] = {x[0], 1, 1, r};
    const int reduce[4] = {r, x[3], 1, 1}, expand[4] = {x[3], r, 1, 1};
    if (op->x.gate != SQ_NONE)
        return fail(k, "x", "has a gate already");
    if (op->gate_activation != SQ_SIGMOID && op->gate_activation != SQ_HSIGMOID)
        return fail(k, "gate activation", "wanted sigmoid or hsigmoid");
    SQ_TRY(check_shape(k, "pooled", op->pooled, wide, false));
    SQ_TRY(check_shape(k, "hidden", op->hidden, narrow, false));
    SQ_TRY(check_shape(k, "out", op->out, wide, false));
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
        return fail(k, "y", "does not fit x");
    const int out[4] = {x[0], x[1], x[2], is_concat ? x[3] + y[3] : x[3]};
    SQ_TRY(check_shape(k, is_back ? "grad" : "out", slot, out, false));
    if (!is_back)
        return SQ_OK;
    const int dx[4] = {x[0], x[1], x[2], op->dx_part == SQ_ALL ? x[3] : 2 * x[3]};
    const int dy[4] = {x[0], x[1], x[2], op->dy_part == SQ_ALL ? y[3] : 2 * y[3]};
    SQ_TRY(check_shape(k, "dx", op->dx, dx, true));
    SQ_TRY(check_shape(k, "dy", op->dy, dy, true));
    if (op->y.slot == SQ_NONE && op->dy != SQ_NONE)
        return fail(k, "dy", "there is no y");
    if ((op->dx == op->grad || op->dy == op->grad) && (is_concat || slot_of(k, op->grad)->is_split))
        return fail(k, "dx", "only an unsplit sum shares its gradient");
    return SQ_OK;
}

static sq_status check_pool(const checker *k)
{
    const sq_op *op = k->op;
    int x[4];
    SQ_TRY(check_view(k, "x", op->x, x));
    if (op->x.part != SQ_ALL || op->x.gate != SQ_NONE)
        return fail(k, "x", "pooling takes all channels, without a gate");
    if (!(op->dropout >= 0 && op->dropout < 1))
        return fail(k, "dropout", "wanted 0 <= dropout < 1");
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
        return fail(k, "x", "wanted plain (n,1,1,c)");
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
        return fail(k, "labels", "wanted 32-bit integers");
    SQ_TRY(check_slot(k, "out", op->out, false));
    if (slot_of(k, op->out)->role != SQ_ROLE_RESULT)
        return fail(k, "out", "wanted the result role");
    if (!(op->label_smoothing >= 0 && op->label_smoothing < 1))
        return fail(k, "label smoothing", "wanted 0 <= smoothing < 1");
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
    return op->decayed_count <= (size_t)count ? SQ_OK : fail(k, "decayed_count", "more than there are");
}

static sq_status check_image(const checker *k)
{
    const sq_op *op = k->op;
    int x[4];
    SQ_TRY(check_view(k, "x", op->x, x));
    if (slot_of(k, op->x.slot)->dtype != SQ_U8 || x[3] != 3)
        return fail(k, "x", "wanted 8-bit images of 3 channels");
    SQ_TRY(check_shape(k, "augment", op->augment, (const int[]){x[0], 1, 1, SQ_AUGMENT_COUNT}, true));
    for (int i = 0; i < 3; i++)
        if (!(op->deviation[i] > 0))
            return fail(k, "deviation", "wanted more than 0");
    return check_shape(k, "out", op->out, x, false);
}

static sq_status check_slots(const sq_graph *graph)
{
    for (int i = 0; i < graph->slot_count; i++) {
        const sq_slot *s = &graph->slots[i];
        if (s->n < 1 || s->h < 1 || s->w < 1 || s->c < 1 || s->pitch < s->c || s->offset % 64)
            return sq_fail(SQ_INVALID, "%s: slot %d: %dx%dx%dx%d, pitch %d, offset %zu: not a tensor", graph->name, i,
                           s->n, s->h, s->w, s->c, s->pitch, s->offset);
        if (s->is_split && (s->c % 2 || s->pitch % 2))
            return sq_fail(SQ_INVALID, "%s: slot %d: split with %d channels, pitch %d, wanted even numbers",
                           graph->name, i, s->c, s->pitch);
    }
    return SQ_OK;
}

sq_status sq_graph_check(const sq_graph *graph)
{
    static sq_status (*const checks[SQ_OP_KINDS])(const checker *) = {
        [SQ_OP_IMAGE] = check_image,    [SQ_OP_CONV] = check_conv,          [SQ_OP_CONV_BACK] = check_conv,
        [SQ_OP_GATE] = check_gate,      [SQ_OP_GATE_BACK] = check_gate,     [SQ_OP_JOIN] = check_join,
        [SQ_OP_JOIN_BACK] = check_join, [SQ_OP_POOL] = check_pool,          [SQ_OP_POOL_BACK] = check_pool,
        [SQ_OP_LINEAR] = check_linear,  [SQ_OP_LINEAR_BACK] = check_linear, [SQ_OP_LOSS] = check_loss,
        [SQ_OP_UPDATE] = check_update,
    };
    if (graph->slot_count < 0 || graph->norm_count < 0 || graph->op_count < 0)
        return sq_fail(SQ_NO_MEMORY, "%s: graph", graph->name);
    SQ_TRY(check_slots(graph));
    for (int i = 0; i < graph->norm_count; i++)
        if (graph->norms[i].live < 0 || graph->norms[i].running_mean < 0 || graph->norms[i].running_variance < 0)
            return sq_fail(SQ_INVALID, "%s: norm %d: without its slots", graph->name, i);
    for (int i = 0; i < graph->op_count; i++) {
        const checker k = {graph, &graph->ops[i], i};
        SQ_TRY(checks[graph->ops[i].kind](&k));
    }
    return SQ_OK;
}
