/* The vendor engine: cuDNN computes convolutions; cuBLASLt computes pointwise convolutions and linear layers as matrix
 * products. The libraries accept plain packed tensors only. Separate passes compute the values of pending views, dZ,
 * moments and sums. This moves more memory than the fused kernels do, but the operands have the same bits. The engine
 * is the reference on a GPU, and the fallback. */
#include "kernels/cuda/vendor/lower_vendor.h"

/* ---- The operands of the libraries ---- */

static bool is_linear(const sq_op *op)
{
    return op->kind == SQ_OP_LINEAR || op->kind == SQ_OP_LINEAR_BACK;
}

static bool is_image(const sq_slot *s)
{
    return s->c == 3 && s->pitch == 4;
}

/* A matrix product for cuBLASLt, not a convolution for cuDNN. */
static bool is_product(const sq_cuda_lowering *l, const sq_op *op)
{
    return is_linear(op) ||
           (!op->is_depthwise && op->kernel == 1 && op->stride == 1 && !is_image(sq_cuda_slot(l, op->x.slot)));
}

/* Channels of x and dx in a packed tensor, including the zero padding. */
static int width_in(const sq_cuda_lowering *l, const sq_op *op)
{
    const sq_slot *x = sq_cuda_slot(l, op->x.slot);
    return is_image(x) ? x->pitch : sq_cuda_padded(sq_view_channels(x, op->x.part).c);
}

/* Input channels that one output channel reads. */
static int c_in_of(const sq_cuda_lowering *l, const sq_op *op)
{
    return op->is_depthwise ? 1 : sq_cuda_view_channels(l, op->x);
}

static const sq_slot *output_of(const sq_cuda_lowering *l, const sq_op *op)
{
    return sq_cuda_slot(l, op->kind == SQ_OP_CONV ? op->out : op->z.slot);
}

/* A product accepts any pitch, a convolution only packed pixels. */
static bool fits(const sq_cuda_lowering *l, const sq_op *op, int pitch, int step, int first)
{
    return step == 1 && (is_product(l, op) || (pitch == width_in(l, op) && first == 0));
}

static bool is_read_in_place(const sq_cuda_lowering *l, const sq_op *op)
{
    const sq_cuda_view x = sq_cuda_view_of(l, op->x);
    return op->x.norm == SQ_NONE && op->x.gate == SQ_NONE && fits(l, op, x.pitch, x.step, x.first);
}

static sq_cuda_sink sink_of_x(const sq_cuda_lowering *l, const sq_op *op)
{
    const sq_cuda_target target = sq_cuda_target_of_x(op);
    return sq_cuda_sink_of(l, &target);
}

static bool is_written_in_place(const sq_cuda_lowering *l, const sq_op *op)
{
    const sq_cuda_sink dx = sink_of_x(l, op);
    return op->addend == SQ_NONE && fits(l, op, dx.pitch, dx.step, dx.first);
}

sq_cuda_pack_weights_job sq_cuda_vendor_weight_matrix(const sq_cuda_lowering *l, const sq_op *op)
{
    const int c_out = output_of(l, op)->c, taps = op->kernel * op->kernel;
    const int pitch = op->is_depthwise ? 1 : width_in(l, op);
    return (sq_cuda_pack_weights_job){.from = sq_cuda_address(l, op->weight),
                                      .c_out = c_out,
                                      .c_in = c_in_of(l, op),
                                      .taps = taps,
                                      .input_pitch = pitch,
                                      .rows = sq_cuda_padded(c_out),
                                      .depth = taps * pitch};
}

static sq_vendor_convolution convolution_of(const sq_cuda_lowering *l, const sq_op *op, sq_vendor_direction direction)
{
    const sq_cuda_geometry at = sq_cuda_geometry_of(l, op);
    const int c_in = width_in(l, op);
    return (sq_vendor_convolution){.direction = (int)direction,
                                   .n = at.n,
                                   .h_in = at.h_in,
                                   .w_in = at.w_in,
                                   .c_in = c_in,
                                   .h_out = at.h_out,
                                   .w_out = at.w_out,
                                   .c_out = sq_cuda_padded(output_of(l, op)->c),
                                   .kernel = at.kernel,
                                   .stride = at.stride,
                                   .groups = op->is_depthwise ? c_in : 1};
}

/* With W (c_out, c_in): Z = X W^T, dX = dZ W, dW = dZ^T X. */
static sq_vendor_product product_of(const sq_cuda_lowering *l, const sq_op *op, sq_vendor_direction direction)
{
    const sq_slot *z = output_of(l, op);
    const int rows = sq_cuda_row_count(z), c_in = width_in(l, op), c_out = sq_cuda_padded(z->c);
    const int x_pitch = is_read_in_place(l, op) ? sq_cuda_slot(l, op->x.slot)->pitch : c_in;
    if (direction == SQ_VENDOR_FORWARD)
        return (sq_vendor_product){.m = rows,
                                   .n = c_out,
                                   .k = c_in,
                                   .first_pitch = x_pitch,
                                   .second_pitch = c_in,
                                   .out_pitch = z->pitch,
                                   .is_second_transposed = true};
    if (direction == SQ_VENDOR_DATA_GRADIENT)
        return (sq_vendor_product){.m = rows,
                                   .n = c_in,
                                   .k = c_out,
                                   .first_pitch = c_out,
                                   .second_pitch = c_in,
                                   .out_pitch = is_written_in_place(l, op) ? sq_cuda_slot(l, op->dx)->pitch : c_in};
    return (sq_vendor_product){.m = c_out,
                               .n = c_in,
                               .k = rows,
                               .first_pitch = c_out,
                               .second_pitch = x_pitch,
                               .out_pitch = c_in,
                               .is_first_transposed = true,
                               .has_f32_result = true};
}

static sq_vendor_product linear_of(const sq_cuda_lowering *l, const sq_op *op, sq_vendor_direction direction)
{
    const sq_slot *x = sq_cuda_slot(l, op->x.slot), *y = sq_cuda_slot(l, op->kind == SQ_OP_LINEAR ? op->out : op->grad);
    if (direction == SQ_VENDOR_FORWARD)
        return (sq_vendor_product){.m = x->n,
                                   .n = y->c,
                                   .k = x->c,
                                   .first_pitch = x->pitch,
                                   .second_pitch = x->c,
                                   .out_pitch = y->pitch,
                                   .is_second_transposed = true,
                                   .is_f32 = true,
                                   .has_bias = op->bias != SQ_NONE};
    if (direction == SQ_VENDOR_DATA_GRADIENT)
        return (sq_vendor_product){.m = x->n,
                                   .n = x->c,
                                   .k = y->c,
                                   .first_pitch = y->pitch,
                                   .second_pitch = x->c,
                                   .out_pitch = sq_cuda_slot(l, op->dx)->pitch,
                                   .is_f32 = true};
    return (sq_vendor_product){.m = y->c,
                               .n = x->c,
                               .k = x->n,
                               .first_pitch = y->pitch,
                               .second_pitch = x->pitch,
                               .out_pitch = x->c,
                               .is_first_transposed = true,
                               .is_f32 = true};
}

/* The library's execution plan for one direction of the operation; made at the first request. */
static sq_status find_vendor_plan(const sq_cuda_lowering *l, const sq_op *op, sq_vendor_direction direction,
                                  const sq_vendor_plan **out)
{
    if (is_product(l, op)) {
        const sq_vendor_product shape = is_linear(op) ? linear_of(l, op, direction) : product_of(l, op, direction);
        return sq_vendor_plan_product(l->vendor, &shape, out);
    }
    const sq_slot *z = output_of(l, op);
    const sq_vendor_convolution shape = convolution_of(l, op, direction);
    if (z->pitch != shape.c_out)
        return sq_fail(SQ_UNSUPPORTED, "engine vendor: %s: %d channels: found pitch %d, expected %d", l->graph->name,
                       z->c, z->pitch, shape.c_out);
    return sq_vendor_plan_convolution(l->vendor, &shape, out);
}

sq_status sq_cuda_check_vendor(sq_cuda_lowering *l, const sq_op *op)
{
    const sq_vendor_plan *plan;
    if (op->kind == SQ_OP_CONV || op->kind == SQ_OP_LINEAR)
        return find_vendor_plan(l, op, SQ_VENDOR_FORWARD, &plan);
    if (op->dx != SQ_NONE)
        SQ_TRY(find_vendor_plan(l, op, SQ_VENDOR_DATA_GRADIENT, &plan));
    return find_vendor_plan(l, op, SQ_VENDOR_WEIGHT_GRADIENT, &plan);
}

/* ---- Calls and the passes around them ---- */

/* Memory traffic and multiply-adds of the operation itself, without the passes around it. */
typedef struct {
    double bytes, operations;
} cost;

static void append_call(sq_cuda_lowering *l, sq_vendor_direction direction, sq_vendor_operands at, cost work)
{
    const sq_vendor_plan *plan = NULL;
    sq_status status = find_vendor_plan(l, l->op, direction, &plan);
    if (status == SQ_OK) {
        at.workspace = sq_cuda_reserve(l, sq_vendor_workspace(plan));
        sq_cuda_launch *launch =
            sq_cuda_append(l, is_product(l, l->op) ? SQ_CUDA_VENDOR_PRODUCT : SQ_CUDA_VENDOR_CONVOLUTION);
        launch->bytes = work.bytes;
        launch->operations = work.operations;
        if (l->at && l->status == SQ_OK)
            status = sq_vendor_bind(plan, &at, &launch->args.vendor);
    }
    l->status = l->status == SQ_OK ? status : l->status;
}

static double packed_bytes(const sq_slot *s, int width)
{
    return (double)sq_cuda_row_count(s) * width * sizeof(sq_bf16);
}

/* Of a convolution in any direction: x or its gradient, and the output or its gradient, are moved once. */
static cost cost_of(const sq_cuda_lowering *l, const sq_op *op)
{
    const sq_slot *x = sq_cuda_slot(l, op->x.slot), *z = output_of(l, op);
    return (cost){.bytes = packed_bytes(x, width_in(l, op)) + packed_bytes(z, sq_cuda_padded(z->c)),
                  .operations = (double)sq_cuda_row_count(z) * z->c * c_in_of(l, op) * op->kernel * op->kernel};
}

/* The value of x as a tensor that the library can read: in its slot, or computed into the workspace. */
static const sq_bf16 *value_of_x(sq_cuda_lowering *l)
{
    const sq_op *op = l->op;
    const sq_slot *x = sq_cuda_slot(l, op->x.slot);
    const sq_cuda_view view = sq_cuda_view_of(l, op->x);
    if (is_read_in_place(l, op))
        return view.data ? view.data + view.first : NULL;
    const int rows = sq_cuda_row_count(x), width = width_in(l, op);
    sq_bf16 *value = sq_cuda_reserve(l, (size_t)rows * (size_t)width * sizeof *value);
    sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_JOIN);
    launch->args.join = (sq_cuda_join){.x = view,
                                       .out = value,
                                       .c = view.c,
                                       .pitch = width,
                                       .rows = rows,
                                       .parts = sq_cuda_walk_parts(l, rows, width, SQ_CUDA_JOIN_BLOCKS)};
    launch->bytes = sq_cuda_view_bytes(l, op->x) + packed_bytes(x, width);
    return value;
}

void sq_cuda_lower_vendor_conv(sq_cuda_lowering *l)
{
    const sq_op *op = l->op;
    const sq_slot *z = sq_cuda_slot(l, op->out);
    const int rows = sq_cuda_row_count(z), width = sq_cuda_padded(z->c);
    const int parts = sq_cuda_walk_parts(l, rows, width, SQ_CUDA_COLUMN_MOMENTS_BLOCKS);
    const sq_vendor_operands at = {
        .first = value_of_x(l), .second = l->packed[op - l->graph->ops], .out = sq_cuda_address(l, op->out)};
    append_call(l, SQ_VENDOR_FORWARD, at, cost_of(l, op));
    if (op->statistics == SQ_STATISTICS_FIXED)
        return;
    const sq_cuda_parts moments = {parts, sq_cuda_reserve_partials(l, parts, 3, width)};
    sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_COLUMN_MOMENTS);
    launch->args.column_moments = (sq_cuda_column_moments){
        .z = sq_cuda_address(l, op->out), .c = z->c, .pitch = z->pitch, .rows = rows, .parts = moments};
    launch->bytes = packed_bytes(z, width) + sq_cuda_partial_bytes(parts, 3, width);
    sq_cuda_append_merge_moments(l, moments, 0);
}

static const sq_bf16 *gradient_of_z(sq_cuda_lowering *l)
{
    const sq_slot *z = output_of(l, l->op);
    const int rows = sq_cuda_row_count(z), width = sq_cuda_padded(z->c);
    sq_bf16 *dz = sq_cuda_reserve(l, (size_t)rows * (size_t)width * sizeof *dz);
    sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_FORM_GRADIENT);
    launch->args.form_gradient =
        (sq_cuda_form_gradient){.dz = sq_cuda_gradient_of(l, l->op),
                                .out = dz,
                                .rows = rows,
                                .parts = sq_cuda_walk_parts(l, rows, width, SQ_CUDA_FORM_GRADIENT_BLOCKS)};
    launch->bytes = 3 * packed_bytes(z, width);
    return dz;
}

/* Copies a packed gradient to the slot of dx: to every second channel, or plus the addend; computes its sums. */
static void append_copy_to_dx(sq_cuda_lowering *l, const sq_bf16 *from, bool has_sums)
{
    const sq_op *op = l->op;
    const sq_cuda_sink sink = sink_of_x(l, op);
    const int rows = sq_cuda_row_count(sq_cuda_slot(l, op->dx)), width = width_in(l, op);
    const int parts = sq_cuda_walk_parts(l, rows, width, SQ_CUDA_JOIN_BACKWARD_BLOCKS);
    const sq_cuda_parts sums = {parts, sq_cuda_reserve_partials(l, parts, has_sums ? 2 : 0, width)};
    sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_JOIN_BACKWARD);
    launch->args.join_backward = (sq_cuda_join_backward){
        .grad = from, .grad_pitch = width, .grad_c = sink.c, .sink = sink, .rows = rows, .parts = sums};
    launch->bytes = (double)rows * sink.c * sizeof(sq_bf16) * (2 + (op->addend != SQ_NONE) + has_sums);
    if (has_sums)
        sq_cuda_append_merge_sums(l, op->x, sums, width);
}

static void lower_data_gradient(sq_cuda_lowering *l, const sq_bf16 *dz)
{
    const sq_op *op = l->op;
    const sq_cuda_sink sink = sink_of_x(l, op);
    const bool is_direct = is_written_in_place(l, op), needs_sums = sq_cuda_view_has_sums(op->x);
    const int rows = sq_cuda_row_count(sq_cuda_slot(l, op->dx)), width = width_in(l, op);
    sq_bf16 *to = is_direct ? (sink.data ? sink.data + sink.first : NULL)
                            : sq_cuda_reserve(l, (size_t)rows * (size_t)width * sizeof *to);
    const sq_vendor_operands at = {.first = dz, .second = l->packed[op - l->graph->ops], .out = to};
    append_call(l, SQ_VENDOR_DATA_GRADIENT, at, cost_of(l, op));
    if (!is_direct)
        append_copy_to_dx(l, to, needs_sums && op->addend == SQ_NONE);
    if (needs_sums && (is_direct || op->addend != SQ_NONE))
        sq_cuda_append_sums_of_stored(l, op->x, op->dx);
}

/* Moves the gradient that the library wrote, and those of gamma and beta, to the slots of the gradients. */
static void append_merge_gradient(sq_cuda_lowering *l, sq_cuda_merge_gradient a)
{
    sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_MERGE_GRADIENT);
    a.parts = 1;
    a.weight_grad = sq_cuda_address(l, l->op->weight_grad);
    a.step = sq_cuda_step(l);
    launch->args.merge_gradient = a;
    launch->bytes = (double)a.part_count * sizeof(float) + sq_cuda_slot_bytes(l, l->op->weight_grad);
}

/* The library writes (padded c_out, k, k, width of x), or for a depthwise convolution (padded c, k, k). */
static void lower_weight_gradient(sq_cuda_lowering *l, const sq_bf16 *dz)
{
    const sq_op *op = l->op;
    const sq_slot *z = output_of(l, op);
    const int taps = op->kernel * op->kernel, pitch = op->is_depthwise ? 1 : width_in(l, op);
    const size_t count = (size_t)sq_cuda_padded(z->c) * (size_t)(taps * pitch);
    const sq_vendor_plan *plan = NULL;
    const sq_status status = find_vendor_plan(l, op, SQ_VENDOR_WEIGHT_GRADIENT, &plan);
    const bool is_bf16 = status == SQ_OK && sq_vendor_leaves_bf16(plan);
    float *gradient = sq_cuda_reserve(l, count * sizeof *gradient);
    sq_bf16 *rounded = sq_cuda_reserve(l, is_bf16 ? count * sizeof *rounded : 0);
    const sq_vendor_operands at = {
        .first = dz, .second = value_of_x(l), .out = is_bf16 ? (void *)rounded : (void *)gradient};
    append_call(l, SQ_VENDOR_WEIGHT_GRADIENT, at, cost_of(l, op));
    if (is_bf16) {
        sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_CONVERT);
        launch->args.convert = (sq_cuda_convert){.from = rounded, .to = gradient, .count = (int)count};
        launch->bytes = (double)count * (sizeof *rounded + sizeof *gradient);
    }
    append_merge_gradient(l, (sq_cuda_merge_gradient){.partial = gradient,
                                                      .part_count = count,
                                                      .row_pitch = taps * pitch,
                                                      .c_out = z->c,
                                                      .c_in = c_in_of(l, op),
                                                      .taps = taps,
                                                      .input_pitch = pitch,
                                                      .norm = sq_cuda_norm_of(l, op->out_norm)});
}

void sq_cuda_lower_vendor_conv_backward(sq_cuda_lowering *l)
{
    const sq_bf16 *dz = gradient_of_z(l);
    if (l->op->dx != SQ_NONE)
        lower_data_gradient(l, dz);
    lower_weight_gradient(l, dz);
}

/* ---- Linear layers, in FP32 ---- */

static cost linear_cost(const sq_cuda_lowering *l, const sq_op *op, int output)
{
    const sq_slot *x = sq_cuda_slot(l, op->x.slot);
    return (cost){.bytes = sq_cuda_slot_bytes(l, op->x.slot) + sq_cuda_slot_bytes(l, op->weight) +
                           sq_cuda_slot_bytes(l, output),
                  .operations = (double)x->n * x->c * sq_cuda_slot(l, output)->c};
}

void sq_cuda_lower_vendor_linear(sq_cuda_lowering *l)
{
    const sq_op *op = l->op;
    const sq_vendor_operands at = {.first = sq_cuda_address(l, op->x.slot),
                                   .second = sq_cuda_address(l, op->weight),
                                   .bias = sq_cuda_address(l, op->bias),
                                   .out = sq_cuda_address(l, op->out)};
    append_call(l, SQ_VENDOR_FORWARD, at, linear_cost(l, op, op->out));
}

void sq_cuda_lower_vendor_linear_backward(sq_cuda_lowering *l)
{
    const sq_op *op = l->op;
    const sq_slot *x = sq_cuda_slot(l, op->x.slot), *grad = sq_cuda_slot(l, op->grad);
    const size_t count = (size_t)grad->c * (size_t)x->c;
    float *gradient = sq_cuda_reserve(l, count * sizeof *gradient);
    const sq_vendor_operands weight = {
        .first = sq_cuda_address(l, op->grad), .second = sq_cuda_address(l, op->x.slot), .out = gradient};
    append_call(l, SQ_VENDOR_WEIGHT_GRADIENT, weight, linear_cost(l, op, op->grad));
    append_merge_gradient(
        l, (sq_cuda_merge_gradient){
               .partial = gradient, .part_count = count, .row_pitch = x->c, .c_out = grad->c, .c_in = x->c, .taps = 1});
    if (op->bias_grad != SQ_NONE) {
        sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_COLUMN_SUMS);
        launch->args.column_sums = (sq_cuda_column_sums){.a = sq_cuda_address(l, op->grad),
                                                         .out = sq_cuda_address(l, op->bias_grad),
                                                         .rows = x->n,
                                                         .c = grad->c,
                                                         .pitch = grad->pitch,
                                                         .step = sq_cuda_step(l)};
        launch->bytes = sq_cuda_slot_bytes(l, op->grad);
    }
    if (op->dx == SQ_NONE)
        return;
    const sq_vendor_operands data = {.first = sq_cuda_address(l, op->grad),
                                     .second = sq_cuda_address(l, op->weight),
                                     .out = sq_cuda_address(l, op->dx)};
    append_call(l, SQ_VENDOR_DATA_GRADIENT, data, linear_cost(l, op, op->grad));
}
