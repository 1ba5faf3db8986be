/* From a block's description to the graph of each mode. */
#include "supernet/model/block.h"

#include <stdio.h>
#include <string.h>

#include "supernet/model/builder.h"

const char *sq_mode_name(sq_mode mode)
{
    static const char *const names[SQ_MODES] = {"forward", "backward", "update", "collect", "evaluate"};
    return names[mode];
}

sq_input_layout sq_block_input(const sq_space *space, int batch)
{
    const size_t n = (size_t)batch, side = (size_t)space->resolution;
    sq_input_layout layout = {0};
    layout.labels = (n * side * side * 3 + 63) / 64 * 64;
    layout.augment = layout.labels + (n * sizeof(int32_t) + 63) / 64 * 64;
    layout.bytes = layout.augment + (n * SQ_AUGMENT_COUNT * sizeof(float) + 63) / 64 * 64;
    return layout;
}

sq_dtype sq_block_boundary_dtype(const sq_space *space, const sq_block_options *options, int boundary)
{
    return boundary == space->layer_count ? SQ_F32 : options->activation;
}

int sq_block_boundary_pitch(const sq_space *space, const sq_block_options *options, int boundary)
{
    const bool is_logits = boundary == space->layer_count;
    const sq_layer *l = &space->layers[is_logits ? boundary - 1 : boundary];
    if (is_logits)
        return l->pitch_out;
    if (boundary == 0) /* three channels: padded to 4, not to a whole vector */
        return options->alignment > 1 ? (l->pitch_in + 3) / 4 * 4 : l->pitch_in;
    return l->is_split_in ? 2 * sq_builder_aligned(options, l->pitch_in / 2) : sq_builder_aligned(options, l->pitch_in);
}

/* ---- Views ---- */

sq_view sq_builder_input_view(const sq_builder *b, sq_part part)
{
    return sq_view_plain(b->input, part);
}

sq_view sq_builder_unit_view(const sq_builder *b, int u)
{
    const sq_unit_slots *s = &b->units[u];
    return sq_view_pending(s->z, s->norm, b->description.units[u].activation, s->gate);
}

static sq_view sq_builder_source_view(const sq_builder *b, int u)
{
    const sq_unit *unit = &b->description.units[u];
    return unit->source == SQ_NONE ? sq_builder_input_view(b, unit->part) : sq_builder_unit_view(b, unit->source);
}

static sq_statistics sq_builder_statistics_of(sq_mode mode)
{
    return mode == SQ_COLLECT ? SQ_STATISTICS_COLLECT : mode == SQ_EVALUATE ? SQ_STATISTICS_FIXED : SQ_STATISTICS_BATCH;
}

sq_op sq_builder_conv_op(const sq_builder *b, sq_op_kind kind, int u)
{
    const sq_unit *unit = &b->description.units[u];
    sq_op op = sq_op_make(kind);
    op.x = sq_builder_source_view(b, u);
    op.weight = b->units[u].weight;
    op.out_norm = b->units[u].norm;
    op.kernel = unit->kernel;
    op.stride = unit->stride;
    op.is_depthwise = unit->is_depthwise;
    op.statistics = sq_builder_statistics_of(b->mode);
    return op;
}

sq_op sq_builder_gate_op(const sq_builder *b, sq_op_kind kind, int u)
{
    const sq_unit_slots *s = &b->units[u];
    sq_op op = sq_op_make(kind);
    op.x = sq_view_pending(s->z, s->norm, b->description.units[u].activation, SQ_NONE);
    op.weight = s->reduce;
    op.bias = s->reduce_bias;
    op.weight2 = s->expand;
    op.bias2 = s->expand_bias;
    op.pooled = s->pooled;
    op.hidden = s->hidden;
    op.out = s->gate;
    op.gate_activation = b->description.units[u].gate_activation;
    return op;
}

/* ---- Forward, collect, evaluate ---- */

static void emit_image(sq_builder *b)
{
    const sq_input_layout layout = sq_block_input(b->space, b->options->batch);
    sq_slot images = sq_builder_tensor(SQ_ROLE_INPUT, b->options->batch, b->layer->h_in, b->layer->w_in, 3, 3);
    images.dtype = SQ_U8;
    sq_slot augment = sq_builder_tensor(SQ_ROLE_INPUT, b->options->batch, 1, 1, SQ_AUGMENT_COUNT, SQ_AUGMENT_COUNT);
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
    sq_slot labels = sq_builder_tensor(SQ_ROLE_INPUT, b->options->batch, 1, 1, 1, 1);
    labels.dtype = SQ_I32;
    labels.offset = layout.labels;
    sq_op op = sq_op_make(SQ_OP_LOSS);
    op.x = sq_view_plain(b->output, SQ_ALL);
    op.labels = sq_graph_slot(b->graph, labels);
    op.dx = b->mode == SQ_FORWARD ? b->output_grad : SQ_NONE;
    op.label_smoothing = b->mode == SQ_FORWARD ? b->options->label_smoothing : 0;
    op.statistics = sq_builder_statistics_of(b->mode);
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
    pool.statistics = sq_builder_statistics_of(b->mode);
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

static void emit_forward(sq_builder *b)
{
    const sq_description *d = &b->description;
    if (b->layer == b->space->layers)
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

/* ---- Update ---- */

/* One operation over the block's whole range: weights with decay lie first. */
static void emit_update(sq_builder *b, size_t decayed_bytes)
{
    const size_t bytes = b->region->bytes[SQ_ROLE_WEIGHT];
    if (bytes == 0)
        return;
    const int count = (int)(bytes / sizeof(float));
    sq_slot range = sq_builder_tensor(SQ_ROLE_WEIGHT, 1, 1, 1, count, count);
    range.offset = b->region->at[SQ_ROLE_WEIGHT];
    sq_op op = sq_op_make(SQ_OP_UPDATE);
    op.weight = sq_graph_slot(b->graph, range);
    range.role = SQ_ROLE_WEIGHT_GRAD;
    op.weight_grad = sq_graph_slot(b->graph, range);
    range.role = SQ_ROLE_MOMENTUM;
    op.momentum = sq_graph_slot(b->graph, range);
    range.role = SQ_ROLE_AVERAGE;
    op.average = b->options->has_average ? sq_graph_slot(b->graph, range) : SQ_NONE;
    op.decayed_count = decayed_bytes / sizeof(float);
    sq_graph_op(b->graph, op);
}

/* ---- Public ---- */

static sq_builder open_builder(const sq_space *space, int layer, int choice, sq_mode mode,
                               const sq_block_options *options, sq_region *region, sq_graph *graph)
{
    sq_builder b = {.space = space,
                    .layer = &space->layers[layer],
                    .options = options,
                    .mode = mode,
                    .region = region,
                    .graph = graph,
                    .layer_index = layer,
                    .choice_index = choice};
    sq_builder_clear_slots(&b);
    sq_describe_block(space, layer, choice, &b.description);
    return b;
}

sq_status sq_block_build(const sq_space *space, int layer, int choice, sq_mode mode, const sq_block_options *options,
                         sq_region *region, sq_graph *out)
{
    sq_graph graph = {0};
    sq_builder b = open_builder(space, layer, choice, mode, options, region, &graph);
    (void)snprintf(graph.name, sizeof graph.name, "layer %d %s %s", layer,
                   space->choices[b.layer->choices[choice]].name, sq_mode_name(mode));
    const size_t decayed_bytes = sq_builder_take_all(&b);
    if (mode == SQ_BACKWARD)
        sq_builder_backward(&b);
    else if (mode == SQ_UPDATE)
        emit_update(&b, decayed_bytes);
    else
        emit_forward(&b);
    const sq_status status = sq_graph_check(&graph);
    if (status == SQ_OK)
        *out = graph;
    else
        sq_graph_clear(&graph);
    return status;
}

int sq_block_parameters(const sq_space *space, int layer, int choice, const sq_block_options *options,
                        const sq_region *region, sq_parameter *out, int limit)
{
    sq_graph graph = {0};
    sq_region scratch = *region;
    sq_builder b = open_builder(space, layer, choice, SQ_UPDATE, options, &scratch, &graph);
    b.parameters = out;
    b.parameter_limit = limit;
    (void)sq_builder_take_all(&b); /* only the order counts here */
    sq_graph_clear(&graph);
    return b.parameter_count;
}
