/* Emits the backward operation of the join, then those of the units in reverse order. The operation of a unit writes
 * the gradient of the value that the unit reads, and the sums S1 and S2 of that value's norm (kernels/graph.h). */
#include "supernet/model/block_backward.h"

static int take_unit_grad(sq_builder *b, int u)
{
    const sq_unit *unit = &b->description.units[u];
    return sq_builder_allocate(b, sq_builder_activation(b, SQ_ROLE_SCRATCH, unit));
}

/* Emits the operation that computes the gradients of the join's inputs. If the join is an addition and its output is
 * not stored split (is_shared), the gradient of the main unit's value equals the output's gradient, so the main unit
 * uses the same slot. input_addend then passes on that slot to a residual connection. A side unit always has its own
 * slot. */
static void emit_join_back(sq_builder *b)
{
    const sq_description *d = &b->description;
    const bool is_shared = d->join == SQ_JOIN_ADD && !b->layer->is_split_out;
    sq_op op = sq_op_make(SQ_OP_JOIN_BACK);
    op.grad = b->output_grad;
    op.join = d->join;
    if (d->main == SQ_NONE) {
        op.x = sq_builder_input_view(b, d->pass);
        op.dx = b->input_grad;
        op.dx_part = d->pass;
        sq_graph_op(b->graph, op);
        return;
    }
    op.x = sq_builder_unit_view(b, d->main);
    if (is_shared && op.x.gate != SQ_NONE) { /* GATE_BACK reads output_grad, so JOIN_BACK is not needed */
        b->units[d->main].g = b->output_grad;
        return;
    }
    op.dx = b->units[d->main].g = is_shared ? b->output_grad : take_unit_grad(b, d->main);
    if (d->side != SQ_NONE) {
        op.y = sq_builder_unit_view(b, d->side);
        op.dy = b->units[d->side].g = take_unit_grad(b, d->side);
    } else if (d->has_pass && !is_shared) {
        op.y = sq_builder_input_view(b, d->pass);
        op.dy = b->input_grad;
        op.dy_part = d->pass;
        b->is_input_grad_written = d->pass == SQ_ALL;
    }
    sq_graph_op(b->graph, op);
}

/* Returns the slot that a unit adds to its gradient of the block's input. For the first unit that writes this gradient,
 * that is output_grad if the block has a residual connection, else SQ_NONE. For later units it is input_grad. */
static int input_addend(sq_builder *b)
{
    const sq_description *d = &b->description;
    const bool is_first = !b->is_input_grad_written;
    b->is_input_grad_written = true;
    if (!is_first)
        return b->input_grad;
    const bool has_residual = d->join == SQ_JOIN_ADD && d->has_pass;
    return has_residual ? b->output_grad : SQ_NONE;
}

static void emit_unit_back(sq_builder *b, int u)
{
    const sq_unit *unit = &b->description.units[u];
    sq_unit_slots *s = &b->units[u];
    if (unit->se_channels > 0) {
        sq_op gate = sq_builder_gate_op(b, SQ_OP_GATE_BACK, u);
        gate.grad = s->g;
        gate.dx = s->g == b->output_grad ? take_unit_grad(b, u) : s->g; /* output_grad is read again */
        gate.weight_grad = s->reduce_grad;
        gate.bias_grad = s->reduce_bias_grad;
        gate.weight2_grad = s->expand_grad;
        gate.bias2_grad = s->expand_bias_grad;
        s->g = gate.dx;
        sq_graph_op(b->graph, gate);
    }
    sq_op op = sq_builder_conv_op(b, SQ_OP_CONV_BACK, u);
    op.z = sq_view_pending(s->z, s->norm, unit->activation, SQ_NONE);
    op.grad = s->g;
    op.weight_grad = s->weight_grad;
    if (unit->source != SQ_NONE) {
        op.dx = b->units[unit->source].g = take_unit_grad(b, unit->source);
    } else if (b->id.layer > 0) {
        op.dx = b->input_grad;
        op.dx_part = unit->part;
        op.addend = unit->part == SQ_ALL ? input_addend(b) : SQ_NONE;
    }
    sq_graph_op(b->graph, op);
}

static void emit_classifier_back(sq_builder *b)
{
    b->pooled_grad =
        sq_builder_allocate(b, sq_builder_tensor(SQ_ROLE_SCRATCH, b->options->batch, 1, 1, b->layer->c_in));
    sq_op linear = sq_op_make(SQ_OP_LINEAR_BACK);
    linear.x = sq_view_plain(b->pooled, SQ_ALL);
    linear.weight = b->linear_weight;
    linear.weight_grad = b->linear_weight_grad;
    linear.bias_grad = b->linear_bias_grad;
    linear.grad = b->output_grad;
    linear.dx = b->pooled_grad;
    sq_graph_op(b->graph, linear);
    sq_op pool = sq_op_make(SQ_OP_POOL_BACK);
    pool.x = sq_builder_input_view(b, SQ_ALL);
    pool.grad = b->pooled_grad;
    pool.dx = b->input_grad;
    pool.dropout = b->space->dropout;
    pool.statistics = SQ_STATISTICS_BATCH;
    sq_graph_op(b->graph, pool);
}

void sq_builder_backward(sq_builder *b)
{
    if (b->description.is_classifier) {
        emit_classifier_back(b);
        return;
    }
    emit_join_back(b);
    for (int u = b->description.unit_count; u-- > 0;)
        emit_unit_back(b, u);
}
