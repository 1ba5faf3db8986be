/* Builds the graph of a block in each mode from the block's description. */
#include "supernet/model/block.h"

#include <stdio.h>

#include "supernet/model/block_backward.h"
#include "supernet/model/block_forward.h"
#include "supernet/model/block_slots.h"

const char *sq_mode_name(sq_mode mode)
{
    static const char *const names[SQ_MODES] = {"forward", "backward", "update", "collect", "evaluate"};
    return names[mode];
}

/* Emits one operation that updates all weights of the block. The first decayed_bytes bytes have weight decay. */
static void emit_update(sq_builder *b, size_t decayed_bytes)
{
    const size_t bytes = b->region->bytes[SQ_ROLE_WEIGHT];
    if (bytes == 0)
        return;
    const int count = (int)(bytes / sizeof(float));
    sq_slot range = sq_builder_tensor(SQ_ROLE_WEIGHT, 1, 1, 1, count);
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

sq_status sq_block_build(const sq_block_id *block, sq_mode mode, const sq_block_options *options, sq_region *region,
                         sq_graph *out)
{
    sq_graph graph = {0};
    sq_builder b = sq_builder_open(block, mode, options, region, &graph);
    (void)snprintf(graph.name, sizeof graph.name, "layer %d %s %s", block->layer, sq_block_choice(block)->name,
                   sq_mode_name(mode));
    const size_t decayed_bytes = sq_builder_allocate_all(&b);
    if (mode == SQ_BACKWARD)
        sq_builder_backward(&b);
    else if (mode == SQ_UPDATE)
        emit_update(&b, decayed_bytes);
    else
        sq_builder_forward(&b);
    const sq_status status = sq_graph_check(&graph);
    if (status == SQ_OK)
        *out = graph;
    else
        sq_graph_clear(&graph);
    return status;
}

int sq_block_parameters(const sq_block_id *block, const sq_block_options *options, const sq_region *region,
                        sq_parameter *out, int limit)
{
    sq_graph graph = {0};
    sq_region scratch = *region;
    sq_builder b = sq_builder_open(block, SQ_UPDATE, options, &scratch, &graph);
    b.parameters = out;
    b.parameter_limit = limit;
    (void)sq_builder_allocate_all(&b); /* fills b.parameters; the returned size is not needed */
    sq_graph_clear(&graph);
    return b.parameter_count;
}
