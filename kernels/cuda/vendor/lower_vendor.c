/* The vendor engine: convolutions by cuDNN, pointwise ones and linear layers as products by cuBLASLt. The libraries see
 * plain packed tensors and nothing else, so values of pending views, dZ, moments and sums are passes of their own
 * around them: more traffic than the fused kernels, and the same bits of the operands. The reference on a GPU, and the
 * fallback. */
#include "kernels/cuda/launches/launch_list.h"

/* ---- What the libraries see ---- */

static bool is_linear(const sq_op *op)
{
    return op->kind == SQ_OP_LINEAR || op->kind == SQ_OP_LINEAR_BACK;
}

static bool is_image(const sq_slot *s)
{
    return s->c == 3 && s->pitch == 4;
}

static bool is_product(const sq_cuda_lowering *p, const sq_op *op)
{
    return is_linear(op) ||
           (!op->is_depthwise && op->kernel == 1 && op->stride == 1 && !is_image(sq_cuda_slot(p, op->x.slot)));
}

/* Channels of x and dx in a packed tensor, with the zeros behind them. */
static int width_in(const sq_cuda_lowering *p, const sq_op *op)
{
    const sq_slot *x = sq_cuda_slot(p, op->x.slot);
    return is_image(x) ? x->pitch : sq_cuda_padded(sq_view_channels(x, op->x.part).c);
}

static const sq_slot *output_of(const sq_cuda_lowering *p, const sq_op *op)
{
    return sq_cuda_slot(p, op->kind == SQ_OP_CONV ? op->out : op->z.slot);
}

/* A product takes any pitch, a convolution only packed pixels. */
static bool fits(const sq_cuda_lowering *p, const sq_op *op, int pitch, int step, int first)
{
    return step == 1 && (is_product(p, op) || (pitch == width_in(p, op) && first == 0));
}

static bool is_read_in_place(const sq_cuda_lowering *p, const sq_op *op)
{
    const sq_cuda_view x = sq_cuda_view_of(p, op->x);
    return op->x.norm == SQ_NONE && op->x.gate == SQ_NONE && fits(p, op, x.pitch, x.step, x.first);
}

static bool is_written_in_place(const sq_cuda_lowering *p, const sq_op *op)
{
    const sq_cuda_sink dx = sq_cuda_sink_of(p, op->x, op->dx, op->dx_part, op->addend);
    return op->addend == SQ_NONE && fits(p, op, dx.pitch, dx.step, dx.first);
}

sq_cuda_pack_weights_job sq_cuda_vendor_pack_job(const sq_cuda_lowering *p, const sq_op *op)
{
    const int c_out = output_of(p, op)->c, taps = op->kernel * op->kernel;
    const int c_in = op->is_depthwise ? 1 : sq_view_channels(sq_cuda_slot(p, op->x.slot), op->x.part).c;
    const int pitch = op->is_depthwise ? 1 : width_in(p, op);
    return (sq_cuda_pack_weights_job){.from = sq_cuda_address(p, op->weight),
                              .c_out = c_out,
                              .c_in = c_in,
                              .taps = taps,
                              .input_pitch = pitch,
                              .rows = sq_cuda_padded(c_out),
                              .depth = taps * pitch};
}

static sq_vendor_convolution convolution_of(const sq_cuda_lowering *p, const sq_op *op, sq_vendor_direction direction)
{
    const sq_cuda_geometry at = sq_cuda_geometry_of(p, op);
    const int c_in = width_in(p, op);
    return (sq_vendor_convolution){.direction = (int)direction,
                                   .n = at.n,
                                   .h_in = at.h_in,
                                   .w_in = at.w_in,
                                   .c_in = c_in,
                                   .h_out = at.h_out,
                                   .w_out = at.w_out,
                                   .c_out = sq_cuda_padded(output_of(p, op)->c),
                                   .kernel = at.kernel,
                                   .stride = at.stride,
                                   .groups = op->is_depthwise ? c_in : 1};
}

/* With W (c_out, c_in): Z = X W^T, dX = dZ W, dW = dZ^T X. */
static sq_vendor_product product_of(const sq_cuda_lowering *p, const sq_op *op, sq_vendor_direction direction)
{
    const sq_slot *z = output_of(p, op);
    const int rows = sq_cuda_row_count(z), c_in = width_in(p, op), c_out = sq_cuda_padded(z->c);
    const int x_pitch = is_read_in_place(p, op) ? sq_cuda_slot(p, op->x.slot)->pitch : c_in;
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
                                   .out_pitch = is_written_in_place(p, op) ? sq_cuda_slot(p, op->dx)->pitch : c_in};
    return (sq_vendor_product){.m = c_out,
                               .n = c_in,
                               .k = rows,
                               .first_pitch = c_out,
                               .second_pitch = x_pitch,
                               .out_pitch = c_in,
                               .is_first_transposed = true,
                               .has_f32_result = true};
}

static sq_vendor_product linear_of(const sq_cuda_lowering *p, const sq_op *op, sq_vendor_direction direction)
{
    const sq_slot *x = sq_cuda_slot(p, op->x.slot), *y = sq_cuda_slot(p, op->kind == SQ_OP_LINEAR ? op->out : op->grad);
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
                                   .out_pitch = sq_cuda_slot(p, op->dx)->pitch,
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

static sq_status find_plan(const sq_cuda_lowering *p, const sq_op *op, sq_vendor_direction direction,
                           const sq_vendor_plan **out)
{
    if (is_product(p, op)) {
        const sq_vendor_product shape = is_linear(op) ? linear_of(p, op, direction) : product_of(p, op, direction);
        return sq_vendor_plan_product(p->vendor, &shape, out);
    }
    const sq_slot *z = output_of(p, op);
    const sq_vendor_convolution shape = convolution_of(p, op, direction);
    if (z->pitch != shape.c_out)
        return sq_fail(SQ_UNSUPPORTED, "engine vendor: %s: pitch %d of %d channels, wanted %d", p->graph->name,
                       z->pitch, z->c, shape.c_out);
    return sq_vendor_plan_convolution(p->vendor, &shape, out);
}

sq_status sq_cuda_check_vendor(sq_cuda_lowering *p, const sq_op *op)
{
    const sq_vendor_plan *plan;
    if (op->kind == SQ_OP_CONV || op->kind == SQ_OP_LINEAR)
        return find_plan(p, op, SQ_VENDOR_FORWARD, &plan);
    if (op->kind != SQ_OP_CONV_BACK && op->kind != SQ_OP_LINEAR_BACK)
        return sq_fail(SQ_UNSUPPORTED, "engine vendor: %s: %s is not the libraries'", p->graph->name,
                       sq_op_name(op->kind));
    if (op->dx != SQ_NONE)
        SQ_TRY(find_plan(p, op, SQ_VENDOR_DATA_GRADIENT, &plan));
    return find_plan(p, op, SQ_VENDOR_WEIGHT_GRADIENT, &plan);
}

/* ---- Calls and the passes around them ---- */

/* A launch of the library; bytes and operations are those of the operation itself. */
static void call(sq_cuda_lowering *p, sq_vendor_direction direction, sq_vendor_operands at, double bytes,
                 double operations)
{
    const sq_vendor_plan *plan = NULL;
    sq_status status = find_plan(p, p->op, direction, &plan);
    if (status == SQ_OK) {
        at.workspace = sq_cuda_reserve(p, sq_vendor_workspace(plan));
        sq_cuda_launch *launch =
            sq_cuda_append(p, is_product(p, p->op) ? SQ_CUDA_VENDOR_PRODUCT : SQ_CUDA_VENDOR_CONVOLUTION);
        launch->bytes = bytes;
        launch->operations = operations;
        if (p->at && p->status == SQ_OK)
            status = sq_vendor_bind(plan, &at, &launch->args.vendor);
    }
    p->status = p->status == SQ_OK ? status : p->status;
}

static double operations_of(const sq_cuda_lowering *p, const sq_op *op)
{
    const sq_slot *z = output_of(p, op);
    const int c_in = op->is_depthwise ? 1 : sq_view_channels(sq_cuda_slot(p, op->x.slot), op->x.part).c;
    return (double)sq_cuda_row_count(z) * z->c * c_in * op->kernel * op->kernel;
}

static double packed_bytes(const sq_slot *s, int width)
{
    return (double)sq_cuda_row_count(s) * width * sizeof(sq_bf16);
}

/* The value of x where the library can read it: where it lies, or in the workspace. */
static const sq_bf16 *value_of_x(sq_cuda_lowering *p)
{
    const sq_op *op = p->op;
    const sq_slot *x = sq_cuda_slot(p, op->x.slot);
    const sq_cuda_view view = sq_cuda_view_of(p, op->x);
    if (is_read_in_place(p, op))
        return view.data ? view.data + view.first : NULL;
    const int rows = sq_cuda_row_count(x), width = width_in(p, op);
    sq_bf16 *value = sq_cuda_reserve(p, (size_t)rows * (size_t)width * sizeof *value);
    sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_JOIN);
    launch->args.join = (sq_cuda_join){.x = view,
                                    .out = value,
                                    .c = view.c,
                                    .pitch = width,
                                    .rows = rows,
                                    .parts = sq_cuda_walk_parts(p, rows, width, SQ_CUDA_JOIN_BLOCKS)};
    launch->bytes = sq_cuda_view_bytes(p, op->x) + packed_bytes(x, width);
    return value;
}

static void plan_forward(sq_cuda_lowering *p)
{
    const sq_op *op = p->op;
    const sq_slot *z = sq_cuda_slot(p, op->out);
    const int rows = sq_cuda_row_count(z), width = sq_cuda_padded(z->c);
    const int parts = sq_cuda_walk_parts(p, rows, width, SQ_CUDA_COLUMN_MOMENTS_BLOCKS);
    const sq_vendor_operands at = {
        .first = value_of_x(p), .second = p->packed[op - p->graph->ops], .out = sq_cuda_address(p, op->out)};
    call(p, SQ_VENDOR_FORWARD, at, packed_bytes(sq_cuda_slot(p, op->x.slot), width_in(p, op)) + packed_bytes(z, width),
         operations_of(p, op));
    if (op->statistics == SQ_STATISTICS_FIXED)
        return;
    float *partial = sq_cuda_reserve(p, (size_t)parts * 3 * (size_t)width * sizeof *partial);
    sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_COLUMN_MOMENTS);
    launch->args.column_moments = (sq_cuda_column_moments){
        .z = sq_cuda_address(p, op->out), .c = z->c, .pitch = z->pitch, .rows = rows, .parts = {parts, partial}};
    launch->bytes = packed_bytes(z, width) + (double)parts * 3 * width * sizeof(float);
    sq_cuda_append_merge_moments(p, partial, parts, 0);
}

static const sq_bf16 *gradient_of_z(sq_cuda_lowering *p)
{
    const sq_slot *z = output_of(p, p->op);
    const int rows = sq_cuda_row_count(z), width = sq_cuda_padded(z->c);
    sq_bf16 *dz = sq_cuda_reserve(p, (size_t)rows * (size_t)width * sizeof *dz);
    sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_FORM_GRADIENT);
    launch->args.form_gradient =
        (sq_cuda_form_gradient){.dz = sq_cuda_gradient_of(p, p->op),
                                .out = dz,
                                .rows = rows,
                                .parts = sq_cuda_walk_parts(p, rows, width, SQ_CUDA_FORM_GRADIENT_BLOCKS)};
    launch->bytes = 3 * packed_bytes(z, width);
    return dz;
}

/* From a packed gradient to where it goes: every second channel, or with something added; and its sums. */
static void place_gradient(sq_cuda_lowering *p, const sq_bf16 *from, bool has_sums)
{
    const sq_op *op = p->op;
    const sq_cuda_sink sink = sq_cuda_sink_of(p, op->x, op->dx, op->dx_part, op->addend);
    const int rows = sq_cuda_row_count(sq_cuda_slot(p, op->dx)), width = width_in(p, op),
              parts = sq_cuda_walk_parts(p, rows, width, SQ_CUDA_JOIN_BACKWARD_BLOCKS);
    float *partial = sq_cuda_reserve(p, has_sums ? (size_t)parts * 2 * (size_t)width * sizeof *partial : 0);
    sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_JOIN_BACKWARD);
    launch->args.join_backward = (sq_cuda_join_backward){
        .grad = from, .grad_pitch = width, .grad_c = sink.c, .sink = sink, .rows = rows, .parts = {parts, partial}};
    launch->bytes = (double)rows * sink.c * sizeof(sq_bf16) * (2 + (op->addend != SQ_NONE) + has_sums);
    if (has_sums)
        sq_cuda_append_merge_sums(p, op->x, partial, parts, width);
}

static void plan_data_gradient(sq_cuda_lowering *p, const sq_bf16 *dz)
{
    const sq_op *op = p->op;
    const sq_slot *z = output_of(p, op), *dx = sq_cuda_slot(p, op->dx);
    const sq_cuda_sink sink = sq_cuda_sink_of(p, op->x, op->dx, op->dx_part, op->addend);
    const bool is_direct = is_written_in_place(p, op), wants_sums = op->x.norm != SQ_NONE && op->x.gate == SQ_NONE;
    const int rows = sq_cuda_row_count(dx), width = width_in(p, op);
    sq_bf16 *to = is_direct ? (sink.data ? sink.data + sink.first : NULL)
                            : sq_cuda_reserve(p, (size_t)rows * (size_t)width * sizeof *to);
    const sq_vendor_operands at = {.first = dz, .second = p->packed[op - p->graph->ops], .out = to};
    call(p, SQ_VENDOR_DATA_GRADIENT, at, packed_bytes(z, sq_cuda_padded(z->c)) + packed_bytes(dx, width),
         operations_of(p, op));
    if (!is_direct)
        place_gradient(p, to, wants_sums && op->addend == SQ_NONE);
    if (wants_sums && (is_direct || op->addend != SQ_NONE))
        sq_cuda_append_sums_of_stored(p, op->x, op->dx);
}

static void gather(sq_cuda_lowering *p, sq_cuda_merge_gradient a)
{
    sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_MERGE_GRADIENT);
    a.parts = 1;
    a.weight_grad = sq_cuda_address(p, p->op->weight_grad);
    a.step = sq_cuda_step(p);
    launch->args.merge_gradient = a;
    launch->bytes = (double)a.part_count * sizeof(float) + sq_cuda_slot_bytes(p, p->op->weight_grad);
}

/* The library leaves (padded c_out, k, k, width of x), depthwise (padded c, k, k). */
static void plan_weight_gradient(sq_cuda_lowering *p, const sq_bf16 *dz)
{
    const sq_op *op = p->op;
    const sq_slot *z = output_of(p, op), *x = sq_cuda_slot(p, op->x.slot);
    const int taps = op->kernel * op->kernel, pitch = op->is_depthwise ? 1 : width_in(p, op);
    const size_t count = (size_t)sq_cuda_padded(z->c) * (size_t)(taps * pitch);
    const sq_vendor_plan *plan = NULL;
    const sq_status status = find_plan(p, op, SQ_VENDOR_WEIGHT_GRADIENT, &plan);
    const bool is_bf16 = status == SQ_OK && sq_vendor_leaves_bf16(plan);
    float *wide = sq_cuda_reserve(p, count * sizeof *wide);
    sq_bf16 *narrow = sq_cuda_reserve(p, is_bf16 ? count * sizeof *narrow : 0);
    const sq_vendor_operands at = {
        .first = dz, .second = value_of_x(p), .out = is_bf16 ? (void *)narrow : (void *)wide};
    call(p, SQ_VENDOR_WEIGHT_GRADIENT, at, packed_bytes(z, sq_cuda_padded(z->c)) + packed_bytes(x, width_in(p, op)),
         operations_of(p, op));
    if (is_bf16) {
        sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_CONVERT);
        launch->args.convert = (sq_cuda_convert){narrow, wide, (int)count};
        launch->bytes = (double)count * (sizeof *narrow + sizeof *wide);
    }
    gather(p, (sq_cuda_merge_gradient){.partial = wide,
                                        .part_count = count,
                                        .row_pitch = taps * pitch,
                                        .c_out = z->c,
                                        .c_in = op->is_depthwise ? 1 : sq_view_channels(x, op->x.part).c,
                                        .taps = taps,
                                        .input_pitch = pitch,
                                        .norm = sq_cuda_norm_of(p, op->out_norm)});
}

static void plan_backward(sq_cuda_lowering *p)
{
    const sq_bf16 *dz = gradient_of_z(p);
    if (p->op->dx != SQ_NONE)
        plan_data_gradient(p, dz);
    plan_weight_gradient(p, dz);
}

/* ---- Linear layers, in FP32 ---- */

static double linear_bytes(const sq_cuda_lowering *p, const sq_op *op, int output)
{
    return sq_cuda_slot_bytes(p, op->x.slot) + sq_cuda_slot_bytes(p, op->weight) + sq_cuda_slot_bytes(p, output);
}

static void plan_linear(sq_cuda_lowering *p)
{
    const sq_op *op = p->op;
    const sq_vendor_operands at = {.first = sq_cuda_address(p, op->x.slot),
                                   .second = sq_cuda_address(p, op->weight),
                                   .bias = sq_cuda_address(p, op->bias),
                                   .out = sq_cuda_address(p, op->out)};
    const sq_slot *x = sq_cuda_slot(p, op->x.slot);
    call(p, SQ_VENDOR_FORWARD, at, linear_bytes(p, op, op->out), (double)x->n * x->c * sq_cuda_slot(p, op->out)->c);
}

static void plan_linear_back(sq_cuda_lowering *p)
{
    const sq_op *op = p->op;
    const sq_slot *x = sq_cuda_slot(p, op->x.slot), *grad = sq_cuda_slot(p, op->grad);
    const double operations = (double)x->n * x->c * grad->c, bytes = linear_bytes(p, op, op->grad);
    const size_t count = (size_t)grad->c * (size_t)x->c;
    float *wide = sq_cuda_reserve(p, count * sizeof *wide);
    const sq_vendor_operands weight = {
        .first = sq_cuda_address(p, op->grad), .second = sq_cuda_address(p, op->x.slot), .out = wide};
    call(p, SQ_VENDOR_WEIGHT_GRADIENT, weight, bytes, operations);
    gather(p, (sq_cuda_merge_gradient){
                  .partial = wide, .part_count = count, .row_pitch = x->c, .c_out = grad->c, .c_in = x->c, .taps = 1});
    if (op->bias_grad != SQ_NONE) {
        sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_COLUMN_SUMS);
        launch->args.column_sums = (sq_cuda_column_sums){.a = sq_cuda_address(p, op->grad),
                                                      .out = sq_cuda_address(p, op->bias_grad),
                                                      .rows = x->n,
                                                      .c = grad->c,
                                                      .pitch = grad->pitch,
                                                      .step = sq_cuda_step(p)};
        launch->bytes = sq_cuda_slot_bytes(p, op->grad);
    }
    if (op->dx == SQ_NONE)
        return;
    const sq_vendor_operands data = {.first = sq_cuda_address(p, op->grad),
                                     .second = sq_cuda_address(p, op->weight),
                                     .out = sq_cuda_address(p, op->dx)};
    call(p, SQ_VENDOR_DATA_GRADIENT, data, bytes, operations);
}

void sq_cuda_assign_vendor(sq_cuda_lowering *p, bool where_possible)
{
    static const bool is_theirs[SQ_OP_KINDS] = {
        [SQ_OP_CONV] = true, [SQ_OP_CONV_BACK] = true, [SQ_OP_LINEAR] = true, [SQ_OP_LINEAR_BACK] = true};
    const int limit = (int)(sizeof p->is_vendor / sizeof *p->is_vendor); /* sq_cuda_lower refuses more operations */
    for (int i = 0; i < p->graph->op_count && i < limit; i++) {
        const sq_op *op = &p->graph->ops[i];
        p->is_vendor[i] = is_theirs[op->kind] && (!where_possible || sq_cuda_check_vendor(p, op) == SQ_OK);
    }
}

void sq_cuda_plan_vendor(sq_cuda_lowering *p)
{
    if (p->op->kind == SQ_OP_CONV)
        plan_forward(p);
    else if (p->op->kind == SQ_OP_CONV_BACK)
        plan_backward(p);
    else if (p->op->kind == SQ_OP_LINEAR)
        plan_linear(p);
    else
        plan_linear_back(p);
}
