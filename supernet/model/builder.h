#ifndef SQ_BUILDER_H
#define SQ_BUILDER_H

#include "supernet/model/block.h"
#include "supernet/space/block_description.h"

/* The state of a block's graph under construction, and functions that all modes use. Internal to supernet/model.
 * block.c calls block_slots.c to allocate tensors, and block_forward.c or block_backward.c to emit operations. */

/* The slots of one unit; SQ_NONE for slots that the unit does not have. */
typedef struct {
    int z, norm, weight, weight_grad;
    int gate, pooled, hidden; /* squeeze-and-excitation */
    int reduce, reduce_bias, expand, expand_bias;
    int reduce_grad, reduce_bias_grad, expand_grad, expand_bias_grad;
    int g; /* gradient of the unit's value (backward) */
} sq_unit_slots;

typedef struct {
    const sq_block_options *options;
    sq_block_id id;
    const sq_space *space; /* of id */
    const sq_layer *layer; /* of id */
    sq_description description;
    sq_mode mode;
    sq_region *region;
    sq_graph *graph;
    sq_unit_slots units[SQ_MAX_UNITS];
    int input, output, input_grad, output_grad; /* boundaries */
    int linear_weight, linear_bias, linear_weight_grad, linear_bias_grad, pooled, pooled_grad;
    bool is_input_grad_written;
    sq_parameter *parameters; /* output of sq_block_parameters; else NULL */
    int parameter_count, parameter_limit;
} sq_builder;

/* Returns a builder that has no slots yet. */
sq_builder sq_builder_open(const sq_block_id *block, sq_mode mode, const sq_block_options *options, sq_region *region,
                           sq_graph *graph);

/* Whether the mode is FORWARD or BACKWARD. FORWARD saves the values that BACKWARD reads. */
bool sq_builder_is_training(const sq_builder *b);

/* ---- Slots ---- */

/* An FP32 tensor of shape (n, h, w, c), without padding. */
sq_slot sq_builder_tensor(sq_role role, int n, int h, int w, int c);
/* A tensor for a unit's raw output, or for the gradient of a unit's value, with the backend's type and pitch. */
sq_slot sq_builder_activation(const sq_builder *b, sq_role role, const sq_unit *unit);
/* Allocates the slot after the block's last allocation in the same role; returns the slot's index. */
int sq_builder_allocate(sq_builder *b, sq_slot slot);

/* ---- Views and operations ---- */

sq_view sq_builder_input_view(const sq_builder *b, sq_part part);
sq_view sq_builder_unit_view(const sq_builder *b, int u);
sq_statistics sq_builder_statistics(const sq_builder *b);
/* An operation of unit u's convolution or gate, with the operands that forward and backward have in common. */
sq_op sq_builder_conv_op(const sq_builder *b, sq_op_kind kind, int u);
sq_op sq_builder_gate_op(const sq_builder *b, sq_op_kind kind, int u);

#endif
