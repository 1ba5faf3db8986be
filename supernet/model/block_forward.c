#include "supernet/model/block_forward.h"

#include "supernet/model/block_layout.h"

static void emit_image(sq_builder *b)
{
    const sq_input_layout layout = sq_block_input(b->space, b->options->batch);
    sq_slot images = sq_builder_tensor(SQ_ROLE_INPUT, b->options->batch, b->layer->h_in, b->layer->w_in, 3);
    images.dtype = SQ_U8;
    sq_slot augment = sq_builder_tensor(SQ_ROLE_INPUT, b->options->batch, 1, 1, SQ_AUGMENT_COUNT);
    augment.offset = layout.augment;
    sq_op op = sq_op_make(SQ_OP_IMAGE);
    op.x = sq_view_plain(sq_graph_slot(b->graph, images), SQ_ALL);
    op.out = b->input;
    op.augment = b->mode == SQ_FORWARD ? sq_graph_slot(b->graph, augment) : SQ_NONE;
    for (int i = 0; i < 3; i++) {
        const bool is_normalised = b->options->deviation[i] > 0;
        op.mean[i] = is_normalised ? b->options->mean[i] : 0;
        op.deviation[i] = is_normalised ? b->options->deviation[i] : 1;
    }
    op.is_raw = b->options->is_raw;
    op.is_bgr = b->options->is_bgr;
    sq_graph_op(b->graph, op);
}

static void emit_loss(sq_builder *b)
{
    const sq_input_layout layout = sq_block_input(b->space, b->options->batch);
    sq_slot labels = sq_builder_tensor(SQ_ROLE_INPUT, b->options->batch, 1, 1, 1);
    labels.dtype = SQ_I32;
    labels.offset = layout.labels;
    sq_op op = sq_op_make(SQ_OP_LOSS);
    op.x = sq_view_plain(b->output, SQ_ALL);
    op.labels = sq_graph_slot(b->graph, labels);
    op.dx = b->mode == SQ_FORWARD ? b->output_grad : SQ_NONE;
    op.label_smoothing = b->mode == SQ_FORWARD ? b->options->label_smoothing : 0;
    op.statistics = sq_builder_statistics(b);
    op.out = sq_graph_slot(b->graph, (sq_slot){.role = SQ_ROLE_RESULT,
                                               .dtype = SQ_BYTES,
                                               .n = 1,
                                               .h = 1,
                                               .w = 1,
                                               .c = sizeof(sq_result),
                                               .pitch = sizeof(sq_result)});
    sq_graph_op(b->graph, op);
}

static void emit_classifier(sq_builder *b)
{
    sq_op pool = sq_op_make(SQ_OP_POOL);
    pool.x = sq_builder_input_view(b, SQ_ALL);
    pool.out = b->pooled;
    pool.dropout = b->space->dropout;
    pool.statistics = sq_builder_statistics(b);
    sq_graph_op(b->graph, pool);
    sq_op linear = sq_op_make(SQ_OP_LINEAR);
    linear.x = sq_view_plain(b->pooled, SQ_ALL);
    linear.weight = b->linear_weight;
    linear.bias = b->linear_bias;
    linear.out = b->output;
    sq_graph_op(b->graph, linear);
    emit_loss(b);
}

static void emit_join(sq_builder *b)
{
    const sq_description *d = &b->description;
    sq_op op = sq_op_make(SQ_OP_JOIN);
    const sq_view pass = d->has_pass ? sq_builder_input_view(b, d->pass) : sq_view_none();
    op.x = d->main == SQ_NONE ? pass : sq_builder_unit_view(b, d->main);
    if (d->side != SQ_NONE)
        op.y = sq_builder_unit_view(b, d->side);
    else if (d->main != SQ_NONE)
        op.y = pass;
    op.join = d->join;
    op.out = b->output;
    sq_graph_op(b->graph, op);
}

void sq_builder_forward(sq_builder *b)
{
    const sq_description *d = &b->description;
    if (b->id.layer == 0)
        emit_image(b);
    for (int u = 0; u < d->unit_count; u++) {
        sq_op op = sq_builder_conv_op(b, SQ_OP_CONV, u);
        op.out = b->units[u].z;
        sq_graph_op(b->graph, op);
        if (d->units[u].se_channels > 0)
            sq_graph_op(b->graph, sq_builder_gate_op(b, SQ_OP_GATE, u));
    }
    if (d->is_classifier)
        emit_classifier(b);
    else
        emit_join(b);
}
