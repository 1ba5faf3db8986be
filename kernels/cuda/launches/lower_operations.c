/* Everything that is not a convolution as launches. */
#include "kernels/cuda/launches/launch_list.h"

static void plan_image(sq_cuda_lowering *p)
{
    const sq_op *op = p->op;
    const sq_slot *x = sq_cuda_slot(p, op->x.slot);
    sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_IMAGE);
    launch->args.image = (sq_cuda_image){.images = sq_cuda_address(p, op->x.slot),
                                      .augment = sq_cuda_address(p, op->augment),
                                      .out = sq_cuda_address(p, op->out),
                                      .n = x->n,
                                      .h = x->h,
                                      .w = x->w,
                                      .out_pitch = sq_cuda_slot(p, op->out)->pitch,
                                      .is_raw = op->is_raw,
                                      .is_bgr = op->is_bgr};
    for (int i = 0; i < 3; i++) {
        launch->args.image.mean[i] = op->mean[i];
        launch->args.image.deviation[i] = op->deviation[i];
    }
    launch->bytes = sq_cuda_slot_bytes(p, op->x.slot) + sq_cuda_slot_bytes(p, op->out);
}

/* ---- Joins ---- */

static void plan_join(sq_cuda_lowering *p)
{
    const sq_op *op = p->op;
    const sq_slot *out = sq_cuda_slot(p, op->out);
    const int rows = sq_cuda_row_count(out);
    sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_JOIN);
    launch->args.join = (sq_cuda_join){.x = sq_cuda_view_of(p, op->x),
                                    .y = sq_cuda_view_of(p, op->y),
                                    .has_y = op->y.slot != SQ_NONE,
                                    .out = sq_cuda_address(p, op->out),
                                    .c = out->c,
                                    .pitch = out->pitch,
                                    .rows = rows,
                                    .is_split = out->is_split,
                                    .is_concat = op->join == SQ_JOIN_CONCAT,
                                    .parts = sq_cuda_walk_parts(p, rows, out->c, SQ_CUDA_JOIN_BLOCKS)};
    launch->bytes = sq_cuda_view_bytes(p, op->x) + sq_cuda_view_bytes(p, op->y) + sq_cuda_slot_bytes(p, op->out);
}

static void plan_join_back_one(sq_cuda_lowering *p, sq_view view, int dx, sq_part part, int offset)
{
    const sq_op *op = p->op;
    const sq_slot *grad = sq_cuda_slot(p, op->grad);
    const int rows = sq_cuda_row_count(grad);
    const bool has_sums = view.norm != SQ_NONE && view.gate == SQ_NONE, is_shared = dx == op->grad;
    if (is_shared && !has_sums)
        return; /* the gradient is in its place, and no norm wants sums */
    const sq_cuda_sink sink = sq_cuda_sink_of(p, view, dx, part, SQ_NONE);
    const int width = sq_cuda_padded(sink.c), parts = sq_cuda_walk_parts(p, rows, width, SQ_CUDA_JOIN_BACKWARD_BLOCKS);
    float *partial = sq_cuda_reserve(p, has_sums ? (size_t)parts * 2 * (size_t)width * sizeof(float) : 0);
    sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_JOIN_BACKWARD);
    launch->args.join_backward = (sq_cuda_join_backward){.grad = sq_cuda_address(p, op->grad),
                                              .grad_pitch = grad->pitch,
                                              .grad_c = grad->c,
                                              .offset = offset,
                                              .is_split = grad->is_split,
                                              .sink = sink,
                                              .rows = rows,
                                              .parts = {parts, partial}};
    launch->bytes = (double)rows * sink.c * sizeof(sq_bf16) * (2 - is_shared + has_sums) +
                    (has_sums ? (double)parts * 2 * width * sizeof(float) : 0);
    if (has_sums)
        sq_cuda_append_merge_sums(p, view, partial, parts, width);
}

static void plan_join_back(sq_cuda_lowering *p)
{
    const sq_op *op = p->op;
    const bool is_concat = op->join == SQ_JOIN_CONCAT && op->y.slot != SQ_NONE;
    const int y_channels = is_concat ? sq_view_channels(sq_cuda_slot(p, op->y.slot), op->y.part).c : 0;
    if (op->dx != SQ_NONE)
        plan_join_back_one(p, op->x, op->dx, op->dx_part, y_channels);
    if (op->dy != SQ_NONE)
        plan_join_back_one(p, op->y, op->dy, op->dy_part, 0);
}

/* ---- Means and gates ---- */

static sq_cuda_gate gate_of(const sq_cuda_lowering *p, const sq_op *op)
{
    const sq_slot *pooled = sq_cuda_slot(p, op->pooled), *hidden = sq_cuda_slot(p, op->hidden);
    return (sq_cuda_gate){.pooled = sq_cuda_address(p, op->pooled),
                          .pooled_pitch = pooled->pitch,
                          .n = pooled->n,
                          .c = pooled->c,
                          .hidden_count = hidden->c,
                          .weight = sq_cuda_address(p, op->weight),
                          .bias = sq_cuda_address(p, op->bias),
                          .weight2 = sq_cuda_address(p, op->weight2),
                          .bias2 = sq_cuda_address(p, op->bias2),
                          .hidden = sq_cuda_address(p, op->hidden),
                          .gate = sq_cuda_address(p, op->out),
                          .hidden_pitch = hidden->pitch,
                          .gate_pitch = sq_cuda_slot(p, op->out)->pitch,
                          .activation = (int)op->gate_activation};
}

static void plan_gate(sq_cuda_lowering *p)
{
    const sq_op *op = p->op;
    const sq_slot *pooled = sq_cuda_slot(p, op->pooled);
    sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_POOL);
    launch->args.pool = (sq_cuda_pool){.x = sq_cuda_view_of(p, op->x),
                                    .n = pooled->n,
                                    .out = sq_cuda_address(p, op->pooled),
                                    .out_pitch = pooled->pitch,
                                    .scale = 1 / (float)(sq_cuda_slot(p, op->x.slot)->h * sq_cuda_slot(p, op->x.slot)->w),
                                    .step = sq_cuda_step(p)};
    launch->bytes = sq_cuda_view_bytes(p, op->x);
    launch = sq_cuda_append(p, SQ_CUDA_GATE);
    launch->args.gate = gate_of(p, op);
    launch->bytes = 2 * sq_cuda_slot_bytes(p, op->pooled) + sq_cuda_slot_bytes(p, op->hidden);
    launch->operations = 2.0 * pooled->n * pooled->c * launch->args.gate.hidden_count;
}

/* out (c, k) (+)= d^T in over the images: the gradient of a layer's weights; and of its bias. */
static void plan_layer_gradients(sq_cuda_lowering *p, const float *d, int d_pitch, int c, const float *in, int in_pitch, int k,
                                 int n, float *weight_grad, float *bias_grad)
{
    sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_GEMM);
    launch->args.gemm = (sq_cuda_gemm){.a = d,
                                    .b = in,
                                    .out = weight_grad,
                                    .m = c,
                                    .n = k,
                                    .k = n,
                                    .a_row = 1,
                                    .a_column = d_pitch,
                                    .b_row = in_pitch,
                                    .b_column = 1,
                                    .out_pitch = k,
                                    .step = sq_cuda_step(p)};
    launch->bytes = ((double)n * (c + k) + (double)c * k) * sizeof(float);
    launch->operations = (double)n * c * k;
    if (!bias_grad && p->at)
        return;
    launch = sq_cuda_append(p, SQ_CUDA_COLUMN_SUMS);
    launch->args.column_sums = (sq_cuda_column_sums){d, bias_grad, n, c, d_pitch, sq_cuda_step(p)};
    launch->bytes = (double)n * c * sizeof(float);
}

static void plan_spread_sums(sq_cuda_lowering *p, sq_view view, const sq_cuda_pool_backward *spread, const sq_slot *x)
{
    if (spread->parts.partial || (!p->at && view.norm != SQ_NONE))
        sq_cuda_append_merge_sums(p, view, spread->parts.partial, spread->parts.parts, sq_cuda_padded(x->c));
}

static void plan_gate_back(sq_cuda_lowering *p)
{
    const sq_op *op = p->op;
    const sq_slot *x = sq_cuda_slot(p, op->x.slot), *grad = sq_cuda_slot(p, op->grad);
    const sq_cuda_gate gate = gate_of(p, op);
    const int c_pitch = sq_cuda_padded(gate.c), r_pitch = sq_cuda_padded(gate.hidden_count), rows = sq_cuda_row_count(x);
    const size_t per_channel = (size_t)gate.n * (size_t)c_pitch * sizeof(float);
    float *dg = sq_cuda_reserve(p, per_channel), *dpooled = sq_cuda_reserve(p, per_channel);
    float *dh = sq_cuda_reserve(p, (size_t)gate.n * (size_t)r_pitch * sizeof(float));
    sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_POOL);
    launch->args.pool = (sq_cuda_pool){.x = sq_cuda_view_of(p, op->x),
                                    .factor = sq_cuda_address(p, op->grad),
                                    .factor_pitch = grad->pitch,
                                    .n = gate.n,
                                    .out = dg,
                                    .out_pitch = c_pitch,
                                    .scale = 1,
                                    .step = sq_cuda_step(p)};
    launch->bytes = 2 * sq_cuda_view_bytes(p, op->x);
    launch = sq_cuda_append(p, SQ_CUDA_GATE_BACKWARD);
    launch->args.gate_backward = (sq_cuda_gate_backward){gate, dg, dh, dpooled, c_pitch, r_pitch};
    launch->bytes = 3.0 * (double)per_channel;
    launch->operations = 3.0 * gate.n * gate.c * gate.hidden_count;
    plan_layer_gradients(p, dh, r_pitch, gate.hidden_count, gate.pooled, gate.pooled_pitch, gate.c, gate.n,
                         sq_cuda_address(p, op->weight_grad), sq_cuda_address(p, op->bias_grad));
    plan_layer_gradients(p, dg, c_pitch, gate.c, gate.hidden, gate.hidden_pitch, gate.hidden_count, gate.n,
                         sq_cuda_address(p, op->weight2_grad), sq_cuda_address(p, op->bias2_grad));
    const int parts = sq_cuda_walk_parts(p, rows, x->c, SQ_CUDA_POOL_BACKWARD_BLOCKS);
    float *partial = sq_cuda_reserve(p, op->x.norm == SQ_NONE ? 0 : (size_t)parts * 2 * (size_t)c_pitch * sizeof(float));
    launch = sq_cuda_append(p, SQ_CUDA_POOL_BACKWARD);
    launch->args.pool_backward = (sq_cuda_pool_backward){.grad = sq_cuda_address(p, op->grad),
                                        .grad_pitch = grad->pitch,
                                        .factor = gate.gate,
                                        .factor_pitch = gate.gate_pitch,
                                        .per_image = dpooled,
                                        .image_pitch = c_pitch,
                                        .scale = 1 / (float)(x->h * x->w),
                                        .step = sq_cuda_step(p),
                                        .sink = sq_cuda_sink_of(p, op->x, op->dx, SQ_ALL, SQ_NONE),
                                        .rows = rows,
                                        .pixels = x->h * x->w,
                                        .c = x->c,
                                        .parts = {parts, op->x.norm == SQ_NONE ? NULL : partial}};
    launch->bytes = 3 * sq_cuda_view_bytes(p, op->x);
    const sq_cuda_pool_backward spread = launch->args.pool_backward;
    plan_spread_sums(p, op->x, &spread, x);
}

static void plan_pool(sq_cuda_lowering *p)
{
    const sq_op *op = p->op;
    const sq_slot *x = sq_cuda_slot(p, op->x.slot), *out = sq_cuda_slot(p, op->out);
    sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_POOL);
    launch->args.pool = (sq_cuda_pool){.x = sq_cuda_view_of(p, op->x),
                                    .n = x->n,
                                    .out = sq_cuda_address(p, op->out),
                                    .out_pitch = out->pitch,
                                    .scale = 1 / (float)(x->h * x->w),
                                    .dropout = op->statistics == SQ_STATISTICS_BATCH ? op->dropout : 0,
                                    .step = sq_cuda_step(p)};
    launch->bytes = sq_cuda_view_bytes(p, op->x) + sq_cuda_slot_bytes(p, op->out);
}

static void plan_pool_back(sq_cuda_lowering *p)
{
    const sq_op *op = p->op;
    const sq_slot *x = sq_cuda_slot(p, op->x.slot), *grad = sq_cuda_slot(p, op->grad);
    const int rows = sq_cuda_row_count(x), width = sq_cuda_padded(x->c);
    const int parts = sq_cuda_walk_parts(p, rows, x->c, SQ_CUDA_POOL_BACKWARD_BLOCKS);
    float *partial = sq_cuda_reserve(p, op->x.norm == SQ_NONE ? 0 : (size_t)parts * 2 * (size_t)width * sizeof(float));
    sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_POOL_BACKWARD);
    launch->args.pool_backward = (sq_cuda_pool_backward){.per_image = sq_cuda_address(p, op->grad),
                                        .image_pitch = grad->pitch,
                                        .scale = 1 / (float)(x->h * x->w),
                                        .dropout = op->statistics == SQ_STATISTICS_BATCH ? op->dropout : 0,
                                        .step = sq_cuda_step(p),
                                        .sink = sq_cuda_sink_of(p, op->x, op->dx, op->dx_part, SQ_NONE),
                                        .rows = rows,
                                        .pixels = x->h * x->w,
                                        .c = x->c,
                                        .parts = {parts, op->x.norm == SQ_NONE ? NULL : partial}};
    launch->bytes = sq_cuda_view_bytes(p, op->x) + sq_cuda_slot_bytes(p, op->grad);
    const sq_cuda_pool_backward spread = launch->args.pool_backward;
    plan_spread_sums(p, op->x, &spread, x);
}

/* ---- Classifier, loss, update ---- */

static void plan_linear(sq_cuda_lowering *p)
{
    const sq_op *op = p->op;
    const sq_slot *x = sq_cuda_slot(p, op->x.slot), *out = sq_cuda_slot(p, op->out);
    sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_GEMM);
    launch->args.gemm = (sq_cuda_gemm){.a = sq_cuda_address(p, op->x.slot),
                                    .b = sq_cuda_address(p, op->weight),
                                    .bias = sq_cuda_address(p, op->bias),
                                    .out = sq_cuda_address(p, op->out),
                                    .m = x->n,
                                    .n = out->c,
                                    .k = x->c,
                                    .a_row = x->pitch,
                                    .a_column = 1,
                                    .b_row = 1,
                                    .b_column = x->c,
                                    .out_pitch = out->pitch};
    launch->bytes = sq_cuda_slot_bytes(p, op->x.slot) + sq_cuda_slot_bytes(p, op->weight) + sq_cuda_slot_bytes(p, op->out);
    launch->operations = (double)x->n * x->c * out->c;
}

static void plan_linear_back(sq_cuda_lowering *p)
{
    const sq_op *op = p->op;
    const sq_slot *x = sq_cuda_slot(p, op->x.slot), *grad = sq_cuda_slot(p, op->grad);
    plan_layer_gradients(p, sq_cuda_address(p, op->grad), grad->pitch, grad->c, sq_cuda_address(p, op->x.slot), x->pitch,
                         x->c, x->n, sq_cuda_address(p, op->weight_grad), sq_cuda_address(p, op->bias_grad));
    if (op->dx == SQ_NONE)
        return;
    sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_GEMM);
    launch->args.gemm = (sq_cuda_gemm){.a = sq_cuda_address(p, op->grad),
                                    .b = sq_cuda_address(p, op->weight),
                                    .out = sq_cuda_address(p, op->dx),
                                    .m = x->n,
                                    .n = x->c,
                                    .k = grad->c,
                                    .a_row = grad->pitch,
                                    .a_column = 1,
                                    .b_row = x->c,
                                    .b_column = 1,
                                    .out_pitch = sq_cuda_slot(p, op->dx)->pitch};
    launch->bytes = sq_cuda_slot_bytes(p, op->grad) + sq_cuda_slot_bytes(p, op->weight) + sq_cuda_slot_bytes(p, op->dx);
    launch->operations = (double)x->n * x->c * grad->c;
}

static void plan_loss(sq_cuda_lowering *p)
{
    const sq_op *op = p->op;
    const sq_slot *x = sq_cuda_slot(p, op->x.slot);
    double *losses = sq_cuda_reserve(p, (size_t)x->n * sizeof *losses);
    int32_t *ranks = sq_cuda_reserve(p, (size_t)x->n * sizeof *ranks);
    sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_LOSS);
    launch->args.loss = (sq_cuda_loss){.logits = sq_cuda_address(p, op->x.slot),
                                    .n = x->n,
                                    .classes = x->c,
                                    .pitch = x->pitch,
                                    .labels = sq_cuda_address(p, op->labels),
                                    .gradient = sq_cuda_address(p, op->dx),
                                    .label_smoothing = op->label_smoothing,
                                    .result = sq_cuda_address(p, op->out),
                                    .losses = losses,
                                    .ranks = ranks,
                                    .step = sq_cuda_step(p)};
    launch->bytes = sq_cuda_slot_bytes(p, op->x.slot) * (op->dx == SQ_NONE ? 1 : 2);
}

static void plan_update(sq_cuda_lowering *p)
{
    const sq_op *op = p->op;
    const size_t count = (size_t)sq_cuda_slot(p, op->weight)->c;
    sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_UPDATE);
    launch->args.update = (sq_cuda_update){.weight = sq_cuda_address(p, op->weight),
                                        .momentum = sq_cuda_address(p, op->momentum),
                                        .average = sq_cuda_address(p, op->average),
                                        .gradient = sq_cuda_address(p, op->weight_grad),
                                        .count = count,
                                        .decayed_count = op->decayed_count,
                                        .step = sq_cuda_step(p)};
    launch->bytes = (double)count * sizeof(float) * (op->average == SQ_NONE ? 5 : 7);
}

void sq_cuda_plan_other(sq_cuda_lowering *p)
{
    static void (*const plans[SQ_OP_KINDS])(sq_cuda_lowering *) = {
        [SQ_OP_IMAGE] = plan_image,         [SQ_OP_GATE] = plan_gate,
        [SQ_OP_GATE_BACK] = plan_gate_back, [SQ_OP_JOIN] = plan_join,
        [SQ_OP_JOIN_BACK] = plan_join_back, [SQ_OP_POOL] = plan_pool,
        [SQ_OP_POOL_BACK] = plan_pool_back, [SQ_OP_LINEAR] = plan_linear,
        [SQ_OP_LOSS] = plan_loss,           [SQ_OP_LINEAR_BACK] = plan_linear_back,
        [SQ_OP_UPDATE] = plan_update,
    };
    plans[p->op->kind](p);
}
