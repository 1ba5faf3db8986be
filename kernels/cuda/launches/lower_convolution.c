/* Convolutions as launches: the choice of the kernel for a shape, and the memory traffic of each launch. */
#include "kernels/cuda/launches/lower_convolution.h"

static bool is_pointwise(const sq_cuda_lowering *l, const sq_op *op)
{
    return !op->is_depthwise && op->kernel == 1 && op->stride == 1 &&
           sq_cuda_slot(l, op->x.slot)->pitch % SQ_CUDA_VECTOR == 0;
}

static const sq_bf16 *packed_weight(const sq_cuda_lowering *l)
{
    return l->packed[l->op - l->graph->ops];
}

sq_cuda_pack_weights_job sq_cuda_weight_matrix(const sq_cuda_lowering *l, const sq_op *op)
{
    const bool is_backward = op->kind == SQ_OP_CONV_BACK;
    const int c_out = sq_cuda_slot(l, is_backward ? op->z.slot : op->out)->c, c_in = sq_cuda_view_channels(l, op->x);
    const int taps = op->kernel * op->kernel;
    return (sq_cuda_pack_weights_job){
        .from = sq_cuda_address(l, op->weight),
        .c_out = c_out,
        .c_in = c_in,
        .taps = taps,
        .input_pitch = c_in,
        .rows = sq_cuda_padded(is_backward ? c_in : c_out),
        .depth = is_backward ? taps * sq_cuda_padded(c_out) : sq_cuda_padded(taps * c_in),
        .is_transposed = is_backward,
    };
}

/* ---- Forward ---- */

static int depthwise_parts(const sq_cuda_lowering *l, const sq_cuda_geometry *at, int c, bool is_backward)
{
    return sq_cuda_parts_for(l, sq_cuda_depthwise_jobs(at, is_backward), (c - 1) / SQ_CUDA_SLAB + 1,
                             is_backward ? SQ_CUDA_DEPTHWISE_BACKWARD_BLOCKS : SQ_CUDA_DEPTHWISE_BLOCKS);
}

static void lower_depthwise(sq_cuda_lowering *l)
{
    const sq_op *op = l->op;
    const sq_slot *z = sq_cuda_slot(l, op->out);
    const sq_cuda_geometry at = sq_cuda_geometry_of(l, op);
    const bool has_moments = op->statistics != SQ_STATISTICS_FIXED;
    const int parts = depthwise_parts(l, &at, z->c, false), width = sq_cuda_padded(z->c);
    const sq_cuda_parts moments = {parts, has_moments ? sq_cuda_reserve_partials(l, parts, 3, width) : NULL};
    sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_DEPTHWISE);
    launch->args.depthwise = (sq_cuda_depthwise){.x = sq_cuda_view_of(l, op->x),
                                                 .at = at,
                                                 .weight = sq_cuda_address(l, op->weight),
                                                 .out = sq_cuda_address(l, op->out),
                                                 .out_pitch = z->pitch,
                                                 .c = z->c,
                                                 .parts = moments};
    launch->bytes = sq_cuda_view_bytes(l, op->x) + sq_cuda_slot_bytes(l, op->out) +
                    sq_cuda_partial_bytes(parts, has_moments ? 3 : 0, width);
    launch->operations = (double)sq_cuda_row_count(z) * z->c * op->kernel * op->kernel;
    if (has_moments)
        sq_cuda_append_merge_moments(l, moments, 0);
}

static int product_parts(const sq_cuda_lowering *l, int rows, int width, bool is_backward)
{
    const sq_cuda_pointwise_shape shape = sq_cuda_pointwise_shape_of(width, is_backward);
    return sq_cuda_parts_for(l, (rows - 1) / shape.rows + 1, (width - 1) / shape.tile + 1, shape.blocks);
}

/* How often a product with `width` outputs reads its rows. */
static int read_count(int width)
{
    return (width - 1) / sq_cuda_pointwise_shape_of(width, false).tile + 1;
}

/* Pointwise and dense convolutions. */
static void lower_product(sq_cuda_lowering *l)
{
    const sq_op *op = l->op;
    const sq_slot *z = sq_cuda_slot(l, op->out);
    const bool has_moments = op->statistics != SQ_STATISTICS_FIXED;
    const sq_cuda_pack_weights_job weight = sq_cuda_weight_matrix(l, op);
    const int rows = sq_cuda_row_count(z), parts = product_parts(l, rows, weight.rows, false);
    const sq_cuda_parts moments = {parts, has_moments ? sq_cuda_reserve_partials(l, parts, 2, weight.rows) : NULL};
    sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_POINTWISE);
    launch->args.pointwise = (sq_cuda_pointwise){.mode = is_pointwise(l, op) ? SQ_CUDA_FORWARD : SQ_CUDA_FORWARD_KXK,
                                                 .x = sq_cuda_view_of(l, op->x),
                                                 .at = sq_cuda_geometry_of(l, op),
                                                 .weight = packed_weight(l),
                                                 .rows = rows,
                                                 .depth = weight.depth,
                                                 .width = weight.rows,
                                                 .out = sq_cuda_address(l, op->out),
                                                 .out_pitch = z->pitch,
                                                 .parts = moments};
    launch->bytes = sq_cuda_view_bytes(l, op->x) * read_count(weight.rows) + sq_cuda_slot_bytes(l, op->out) +
                    sq_cuda_partial_bytes(parts, has_moments ? 2 : 0, weight.rows);
    launch->operations = (double)rows * z->c * weight.c_in * weight.taps;
    if (has_moments)
        sq_cuda_append_merge_moments(l, moments, sq_cuda_pointwise_shape_of(weight.rows, false).rows);
}

void sq_cuda_lower_conv(sq_cuda_lowering *l)
{
    if (l->op->is_depthwise)
        lower_depthwise(l);
    else
        lower_product(l);
}

/* ---- Backward ---- */

static bool needs_sums(const sq_op *op)
{
    return op->dx != SQ_NONE && sq_cuda_view_has_sums(op->x);
}

/* The kernel that stores dx also computes its sums. */
static bool has_sums(const sq_op *op)
{
    return needs_sums(op) && op->addend == SQ_NONE;
}

/* Merges the partial weight gradients: part_count floats per part, row_pitch floats per row. */
static void append_merge_gradient(sq_cuda_lowering *l, sq_cuda_parts gradients, size_t part_count, int row_pitch)
{
    const sq_op *op = l->op;
    sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_MERGE_GRADIENT);
    launch->args.merge_gradient =
        (sq_cuda_merge_gradient){.partial = gradients.partial,
                                 .parts = gradients.parts,
                                 .part_count = part_count,
                                 .row_pitch = row_pitch,
                                 .c_out = sq_cuda_slot(l, op->z.slot)->c,
                                 .c_in = op->is_depthwise ? 1 : sq_cuda_view_channels(l, op->x),
                                 .taps = op->kernel * op->kernel,
                                 .is_depthwise = op->is_depthwise,
                                 .weight_grad = sq_cuda_address(l, op->weight_grad),
                                 .norm = sq_cuda_norm_of(l, op->out_norm),
                                 .step = sq_cuda_step(l)};
    launch->bytes =
        (double)gradients.parts * (double)part_count * sizeof(float) + sq_cuda_slot_bytes(l, op->weight_grad);
}

static void lower_depthwise_backward(sq_cuda_lowering *l)
{
    const sq_op *op = l->op;
    const sq_slot *z = sq_cuda_slot(l, op->z.slot);
    const sq_cuda_geometry at = sq_cuda_geometry_of(l, op);
    const int taps = op->kernel * op->kernel, width = sq_cuda_padded(z->c);
    const int parts = depthwise_parts(l, &at, z->c, true);
    const sq_cuda_parts gradients = {parts, sq_cuda_reserve_partials(l, parts, taps, width)};
    const sq_cuda_parts sums = {parts, sq_cuda_reserve_partials(l, parts, 2, width)};
    sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_DEPTHWISE_BACKWARD);
    launch->args.depthwise_backward = (sq_cuda_depthwise_backward){.x = sq_cuda_view_of(l, op->x),
                                                                   .dz = sq_cuda_gradient_of(l, op),
                                                                   .at = at,
                                                                   .weight = sq_cuda_address(l, op->weight),
                                                                   .c = z->c,
                                                                   .parts = gradients,
                                                                   .sums = sums.partial};
    launch->bytes = sq_cuda_view_bytes(l, op->x) + 2 * sq_cuda_slot_bytes(l, op->z.slot) +
                    sq_cuda_partial_bytes(parts, taps + 2, width);
    launch->operations = 2.0 * sq_cuda_row_count(z) * z->c * taps;
    if (op->dx != SQ_NONE) {
        const sq_cuda_target target = sq_cuda_target_of_x(op);
        launch->args.depthwise_backward.sink = sq_cuda_sink_of(l, &target);
        launch->bytes += sq_cuda_view_bytes(l, op->x) * (op->addend == SQ_NONE ? 1 : 2);
    }
    if (has_sums(op))
        sq_cuda_append_merge_sums(l, op->x, sums, width);
    append_merge_gradient(l, gradients, (size_t)taps * (size_t)width, width);
}

/* The gradient of x of a pointwise or dense convolution. */
static void lower_product_backward(sq_cuda_lowering *l)
{
    const sq_op *op = l->op;
    const sq_cuda_pack_weights_job weight = sq_cuda_weight_matrix(l, op);
    const sq_cuda_target target = sq_cuda_target_of_x(op);
    const int rows = sq_cuda_row_count(sq_cuda_slot(l, op->x.slot)), sum_rows = has_sums(op) ? 2 : 0;
    const int parts = product_parts(l, rows, weight.rows, true);
    const sq_cuda_parts sums = {parts, sq_cuda_reserve_partials(l, parts, sum_rows, weight.rows)};
    sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_POINTWISE);
    launch->args.pointwise = (sq_cuda_pointwise){.mode = is_pointwise(l, op) ? SQ_CUDA_BACKWARD : SQ_CUDA_BACKWARD_KXK,
                                                 .dz = sq_cuda_gradient_of(l, op),
                                                 .at = sq_cuda_geometry_of(l, op),
                                                 .weight = packed_weight(l),
                                                 .rows = rows,
                                                 .depth = weight.depth,
                                                 .width = weight.rows,
                                                 .sink = sq_cuda_sink_of(l, &target),
                                                 .parts = sums};
    launch->bytes = 2 * sq_cuda_slot_bytes(l, op->z.slot) * read_count(weight.rows) +
                    sq_cuda_view_bytes(l, op->x) * (1 + (op->addend != SQ_NONE) + has_sums(op)) +
                    sq_cuda_partial_bytes(parts, sum_rows, weight.rows);
    launch->operations = (double)rows * weight.c_out * weight.c_in * weight.taps / (op->stride * op->stride);
    if (has_sums(op))
        sq_cuda_append_merge_sums(l, op->x, sums, weight.rows);
}

static void lower_weight_gradient(sq_cuda_lowering *l)
{
    const sq_op *op = l->op;
    const sq_slot *z = sq_cuda_slot(l, op->z.slot);
    const int c_in = sq_cuda_view_channels(l, op->x), taps = op->kernel * op->kernel, rows = sq_cuda_row_count(z);
    const int depth = sq_cuda_padded(taps * c_in), outputs = sq_cuda_padded(z->c);
    const sq_cuda_weight_gradient_shape shape = sq_cuda_weight_gradient_shape_of(z->c, depth);
    const int parts = sq_cuda_parts_for(l, (rows - 1) / shape.rows + 1, shape.tiles, shape.blocks);
    const sq_cuda_parts gradients = {parts, sq_cuda_reserve_partials(l, parts, outputs, depth)};
    sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_WEIGHT_GRADIENT);
    launch->args.weight_gradient = (sq_cuda_weight_gradient){.dz = sq_cuda_gradient_of(l, op),
                                                             .x = sq_cuda_view_of(l, op->x),
                                                             .at = sq_cuda_geometry_of(l, op),
                                                             .is_gathered = !is_pointwise(l, op) || shape.tile == 64,
                                                             .rows = rows,
                                                             .depth = depth,
                                                             .parts = gradients};
    const int tiles_k = (depth - 1) / shape.tile + 1, tiles_o = (z->c - 1) / shape.tile + 1;
    launch->bytes = 2 * sq_cuda_slot_bytes(l, op->z.slot) * tiles_k + sq_cuda_view_bytes(l, op->x) * tiles_o +
                    sq_cuda_partial_bytes(parts, outputs, depth);
    launch->operations = (double)rows * z->c * c_in * taps;
    append_merge_gradient(l, gradients, (size_t)outputs * (size_t)depth, depth);
}

/* Both gradients of a pointwise convolution in one pass; false where no kernel exists for the widths. */
static bool lower_fused_backward(sq_cuda_lowering *l)
{
    const sq_op *op = l->op;
    const int c_in = sq_cuda_view_channels(l, op->x), c_out = sq_cuda_slot(l, op->z.slot)->c;
    int row_block, blocks;
    if (op->dx == SQ_NONE || !is_pointwise(l, op) || !sq_cuda_fused_backward_fits(c_in, c_out, &row_block, &blocks))
        return false;
    const sq_cuda_target target = sq_cuda_target_of_x(op);
    const int rows = sq_cuda_row_count(sq_cuda_slot(l, op->x.slot)), sum_rows = has_sums(op) ? 2 : 0;
    const int width = sq_cuda_padded(c_in), outputs = sq_cuda_padded(c_out);
    const int parts = sq_cuda_parts_for(l, (rows - 1) / row_block + 1, 1, blocks);
    const sq_cuda_parts gradients = {parts, sq_cuda_reserve_partials(l, parts, outputs, width)};
    const sq_cuda_parts sums = {parts, sq_cuda_reserve_partials(l, parts, sum_rows, width)};
    sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_FUSED_BACKWARD);
    launch->args.fused_backward = (sq_cuda_fused_backward){.dz = sq_cuda_gradient_of(l, op),
                                                           .x = sq_cuda_view_of(l, op->x),
                                                           .sink = sq_cuda_sink_of(l, &target),
                                                           .weight = packed_weight(l),
                                                           .rows = rows,
                                                           .parts = gradients,
                                                           .sums = sums.partial};
    launch->bytes = 2 * sq_cuda_slot_bytes(l, op->z.slot) +
                    sq_cuda_view_bytes(l, op->x) * (2 + (op->addend != SQ_NONE)) +
                    sq_cuda_partial_bytes(parts, outputs + sum_rows, width);
    launch->operations = 2.0 * rows * c_in * c_out;
    if (has_sums(op))
        sq_cuda_append_merge_sums(l, op->x, sums, width);
    append_merge_gradient(l, gradients, (size_t)outputs * (size_t)width, width);
    return true;
}

void sq_cuda_lower_conv_backward(sq_cuda_lowering *l)
{
    const sq_op *op = l->op;
    if (op->is_depthwise) {
        lower_depthwise_backward(l);
    } else if (!lower_fused_backward(l)) {
        if (op->dx != SQ_NONE)
            lower_product_backward(l);
        lower_weight_gradient(l);
    }
    if (needs_sums(op) && !has_sums(op)) /* with an addend the gradient is complete only after it is stored */
        sq_cuda_append_sums_of_stored(l, op->x, op->dx);
}
