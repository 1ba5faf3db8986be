#include "supernet/model/builder.h"

#include "supernet/model/block_layout.h"

static void clear_slots(sq_builder *b)
{
    for (int u = 0; u < SQ_MAX_UNITS; u++) {
        int *const slots = (int *)&b->units[u];
        for (size_t i = 0; i < sizeof b->units[u] / sizeof(int); i++)
            slots[i] = SQ_NONE;
    }
    b->input = b->output = b->input_grad = b->output_grad = SQ_NONE;
    b->linear_weight = b->linear_bias = b->linear_weight_grad = b->linear_bias_grad = SQ_NONE;
    b->pooled = b->pooled_grad = SQ_NONE;
}

sq_builder sq_builder_open(const sq_block_id *block, sq_mode mode, const sq_block_options *options, sq_region *region,
                           sq_graph *graph)
{
    sq_builder b = {.options = options,
                    .id = *block,
                    .space = block->space,
                    .layer = sq_block_layer(block),
                    .mode = mode,
                    .region = region,
                    .graph = graph};
    clear_slots(&b);
    sq_describe_block(block->space, block->layer, block->choice, &b.description);
    return b;
}

bool sq_builder_is_training(const sq_builder *b)
{
    return b->mode == SQ_FORWARD || b->mode == SQ_BACKWARD;
}

/* ---- Slots ---- */

sq_slot sq_builder_tensor(sq_role role, int n, int h, int w, int c)
{
    return (sq_slot){.role = role, .dtype = SQ_F32, .n = n, .h = h, .w = w, .c = c, .pitch = c};
}

sq_slot sq_builder_activation(const sq_builder *b, sq_role role, const sq_unit *unit)
{
    const int pitch = sq_block_aligned(b->options, sq_space_pitch(b->space, unit->c_out));
    sq_slot slot = sq_builder_tensor(role, b->options->batch, unit->h_out, unit->w_out, unit->c_out);
    slot.pitch = pitch;
    slot.dtype = b->options->activation;
    return slot;
}

int sq_builder_allocate(sq_builder *b, sq_slot slot)
{
    enum { ALIGNMENT = 64 };
    slot.offset = b->region->at[slot.role] + b->region->bytes[slot.role];
    b->region->bytes[slot.role] += (sq_slot_bytes(&slot) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return sq_graph_slot(b->graph, slot);
}

/* ---- Views and operations ---- */

sq_view sq_builder_input_view(const sq_builder *b, sq_part part)
{
    return sq_view_plain(b->input, part);
}

sq_view sq_builder_unit_view(const sq_builder *b, int u)
{
    const sq_unit_slots *s = &b->units[u];
    return sq_view_pending(s->z, s->norm, b->description.units[u].activation, s->gate);
}

static sq_view source_view(const sq_builder *b, int u)
{
    const sq_unit *unit = &b->description.units[u];
    return unit->source == SQ_NONE ? sq_builder_input_view(b, unit->part) : sq_builder_unit_view(b, unit->source);
}

sq_statistics sq_builder_statistics(const sq_builder *b)
{
    static const sq_statistics statistics[SQ_MODES] = {
        [SQ_FORWARD] = SQ_STATISTICS_BATCH,   [SQ_BACKWARD] = SQ_STATISTICS_BATCH, [SQ_UPDATE] = SQ_STATISTICS_BATCH,
        [SQ_COLLECT] = SQ_STATISTICS_COLLECT, [SQ_EVALUATE] = SQ_STATISTICS_FIXED,
    };
    return statistics[b->mode];
}

sq_op sq_builder_conv_op(const sq_builder *b, sq_op_kind kind, int u)
{
    const sq_unit *unit = &b->description.units[u];
    sq_op op = sq_op_make(kind);
    op.x = source_view(b, u);
    op.weight = b->units[u].weight;
    op.out_norm = b->units[u].norm;
    op.kernel = unit->kernel;
    op.stride = unit->stride;
    op.is_depthwise = unit->is_depthwise;
    op.statistics = sq_builder_statistics(b);
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
