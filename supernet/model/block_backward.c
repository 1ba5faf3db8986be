/* The units in reverse order. Each writes the gradient of the value that it reads, and the sums that the norm of that
 * value needs. */
#include "supernet/model/block_backward.h"

static int take_unit_grad(sq_builder *b, int u)
{
    const sq_unit *unit = &b->description.units[u];
    return sq_builder_allocate(b, sq_builder_activation(b, SQ_ROLE_SCRATCH, unit));
}

/* The gradients of the join's inputs. An addition that is not stored split passes on the output's gradient unchanged.
 */
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
    if (is_shared && op.x.gate != SQ_NONE) { /* the gate's backward reads the output's gradient */
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

/* The slot to which a unit that reads the block's input adds its gradient; SQ_NONE for the first such unit, unless a
 * residual connection passes on the output's gradient. */
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
        gate.dx = s->g == b->output_grad ? take_unit_grad(b, u) : s->g; /* a shared gradient is read again later */
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
