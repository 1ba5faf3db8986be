#ifndef SQ_BUILDER_H
#define SQ_BUILDER_H

#include "supernet/space/describe.h"

/* How a block's graph is put together: internal to block.c (what both directions share, forward, update), block_slots.c
 * (where everything lies) and block_backward.c. */

/* The slots of one unit; SQ_NONE where it has none. */
typedef struct {
    int z, norm, weight, weight_grad;
    int gate, pooled, hidden; /* SE */
    int reduce, reduce_bias, expand, expand_bias;
    int reduce_grad, reduce_bias_grad, expand_grad, expand_bias_grad;
    int g; /* gradient of the unit's value (backward) */
} sq_unit_slots;

typedef struct {
    const sq_space *space;
    const sq_layer *layer;
    const sq_block_options *options;
    sq_description description;
    sq_mode mode;
    sq_region *region;
    sq_graph *graph;
    sq_unit_slots units[SQ_MAX_UNITS];
    int input, output, input_grad, output_grad; /* boundaries */
    int linear_weight, linear_bias, linear_weight_grad, linear_bias_grad, pooled, pooled_grad;
    bool is_input_grad_written;
    int layer_index, choice_index;
    sq_parameter *parameters; /* where sq_block_parameters collects them; NULL: nobody asks */
    int parameter_count, parameter_limit;
} sq_builder;

/* ---- block_slots.c ---- */

void sq_builder_clear_slots(sq_builder *b);
/* Takes everything that has a place, in the same order in every mode; returns the bytes of weights that have decay. */
size_t sq_builder_take_all(sq_builder *b);
/* Takes the next bytes of a role for the slot and returns its index. */
int sq_builder_take(sq_builder *b, sq_slot slot);
sq_slot sq_builder_tensor(sq_role role, int n, int h, int w, int c, int pitch);
/* What a unit makes, or its gradient: dtype and pitch as the backend wants them. */
sq_slot sq_builder_activation(const sq_builder *b, sq_role role, const sq_unit *unit);
int sq_builder_aligned(const sq_block_options *options, int c);
/* FORWARD or BACKWARD: what forward leaves is read again. */
bool sq_builder_is_trained(const sq_builder *b);

/* ---- block.c ---- */

sq_view sq_builder_input_view(const sq_builder *b, sq_part part);
sq_view sq_builder_unit_view(const sq_builder *b, int u);
/* A convolution's or gate's operands, alike in both directions. */
sq_op sq_builder_conv_op(const sq_builder *b, sq_op_kind kind, int u);
sq_op sq_builder_gate_op(const sq_builder *b, sq_op_kind kind, int u);

/* ---- block_backward.c ---- */

void sq_builder_backward(sq_builder *b);

#endif
