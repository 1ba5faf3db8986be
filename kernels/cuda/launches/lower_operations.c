/* Everything except convolutions as launches. */
#include "kernels/cuda/launches/lower_operations.h"

void sq_cuda_lower_image(sq_cuda_lowering *l)
{
    const sq_op *op = l->op;
    const sq_slot *x = sq_cuda_slot(l, op->x.slot);
    sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_IMAGE);
    launch->args.image = (sq_cuda_image){.images = sq_cuda_address(l, op->x.slot),
                                         .augment = sq_cuda_address(l, op->augment),
                                         .out = sq_cuda_address(l, op->out),
                                         .n = x->n,
                                         .h = x->h,
                                         .w = x->w,
                                         .out_pitch = sq_cuda_slot(l, op->out)->pitch,
                                         .is_raw = op->is_raw,
                                         .is_bgr = op->is_bgr};
    for (int i = 0; i < 3; i++) {
        launch->args.image.mean[i] = op->mean[i];
        launch->args.image.deviation[i] = op->deviation[i];
    }
    launch->bytes = sq_cuda_slot_bytes(l, op->x.slot) + sq_cuda_slot_bytes(l, op->out);
}

/* ---- Joins ---- */

void sq_cuda_lower_join(sq_cuda_lowering *l)
{
    const sq_op *op = l->op;
    const sq_slot *out = sq_cuda_slot(l, op->out);
    const int rows = sq_cuda_row_count(out);
    sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_JOIN);
    launch->args.join = (sq_cuda_join){.x = sq_cuda_view_of(l, op->x),
                                       .y = sq_cuda_view_of(l, op->y),
                                       .has_y = op->y.slot != SQ_NONE,
                                       .out = sq_cuda_address(l, op->out),
                                       .c = out->c,
                                       .pitch = out->pitch,
                                       .rows = rows,
                                       .is_split = out->is_split,
                                       .is_concat = op->join == SQ_JOIN_CONCAT,
                                       .parts = sq_cuda_walk_parts(l, rows, out->c, SQ_CUDA_JOIN_BLOCKS)};
    launch->bytes = sq_cuda_view_bytes(l, op->x) + sq_cuda_view_bytes(l, op->y) + sq_cuda_slot_bytes(l, op->out);
}

/* The gradient of one operand, whose first channel is channel `offset` of the output. */
static void lower_operand_backward(sq_cuda_lowering *l, const sq_cuda_target *target, int offset)
{
    const sq_op *op = l->op;
    const sq_slot *grad = sq_cuda_slot(l, op->grad);
    const bool has_sums = sq_cuda_view_has_sums(target->view), is_shared = target->dx == op->grad;
    if (is_shared && !has_sums)
        return; /* the output's gradient is the operand's, and no norm needs sums */
    const sq_cuda_sink sink = sq_cuda_sink_of(l, target);
    const int rows = sq_cuda_row_count(grad), width = sq_cuda_padded(sink.c), sum_rows = has_sums ? 2 : 0;
    const int parts = sq_cuda_walk_parts(l, rows, width, SQ_CUDA_JOIN_BACKWARD_BLOCKS);
    const sq_cuda_parts sums = {parts, sq_cuda_reserve_partials(l, parts, sum_rows, width)};
    sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_JOIN_BACKWARD);
    launch->args.join_backward = (sq_cuda_join_backward){.grad = sq_cuda_address(l, op->grad),
                                                         .grad_pitch = grad->pitch,
                                                         .grad_c = grad->c,
                                                         .offset = offset,
                                                         .is_split = grad->is_split,
                                                         .sink = sink,
                                                         .rows = rows,
                                                         .parts = sums};
    launch->bytes = (double)rows * sink.c * sizeof(sq_bf16) * (2 - is_shared + has_sums) +
                    sq_cuda_partial_bytes(parts, sum_rows, width);
    if (has_sums)
        sq_cuda_append_merge_sums(l, target->view, sums, width);
}

void sq_cuda_lower_join_backward(sq_cuda_lowering *l)
{
    const sq_op *op = l->op;
    const bool is_concat = op->join == SQ_JOIN_CONCAT && op->y.slot != SQ_NONE;
    const sq_cuda_target x = {.view = op->x, .dx = op->dx, .part = op->dx_part, .addend = SQ_NONE};
    const sq_cuda_target y = {.view = op->y, .dx = op->dy, .part = op->dy_part, .addend = SQ_NONE};
    if (op->dx != SQ_NONE)
        lower_operand_backward(l, &x, is_concat ? sq_cuda_view_channels(l, op->y) : 0);
    if (op->dy != SQ_NONE)
        lower_operand_backward(l, &y, 0);
}

/* ---- Means and gates ---- */

/* Factor of the mean over an image's pixels. */
static float mean_scale(const sq_slot *x)
{
    return 1 / (float)(x->h * x->w);
}

static float dropout_of(const sq_op *op)
{
    return op->statistics == SQ_STATISTICS_BATCH ? op->dropout : 0;
}

static sq_cuda_gate gate_of(const sq_cuda_lowering *l, const sq_op *op)
{
    const sq_slot *pooled = sq_cuda_slot(l, op->pooled), *hidden = sq_cuda_slot(l, op->hidden);
    return (sq_cuda_gate){.pooled = sq_cuda_address(l, op->pooled),
                          .pooled_pitch = pooled->pitch,
                          .n = pooled->n,
                          .c = pooled->c,
                          .hidden_count = hidden->c,
                          .weight = sq_cuda_address(l, op->weight),
                          .bias = sq_cuda_address(l, op->bias),
                          .weight2 = sq_cuda_address(l, op->weight2),
                          .bias2 = sq_cuda_address(l, op->bias2),
                          .hidden = sq_cuda_address(l, op->hidden),
                          .gate = sq_cuda_address(l, op->out),
                          .hidden_pitch = hidden->pitch,
                          .gate_pitch = sq_cuda_slot(l, op->out)->pitch,
                          .activation = (int)op->gate_activation};
}

void sq_cuda_lower_gate(sq_cuda_lowering *l)
{
    const sq_op *op = l->op;
    const sq_slot *pooled = sq_cuda_slot(l, op->pooled);
    sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_POOL);
    launch->args.pool = (sq_cuda_pool){.x = sq_cuda_view_of(l, op->x),
                                       .n = pooled->n,
                                       .out = sq_cuda_address(l, op->pooled),
                                       .out_pitch = pooled->pitch,
                                       .scale = mean_scale(sq_cuda_slot(l, op->x.slot)),
                                       .step = sq_cuda_step(l)};
    launch->bytes = sq_cuda_view_bytes(l, op->x);
    launch = sq_cuda_append(l, SQ_CUDA_GATE);
    launch->args.gate = gate_of(l, op);
    launch->bytes = 2 * sq_cuda_slot_bytes(l, op->pooled) + sq_cuda_slot_bytes(l, op->hidden);
    launch->operations = 2.0 * pooled->n * pooled->c * launch->args.gate.hidden_count;
}

/* A matrix of FP32: `width` columns, `pitch` floats from one row to the next. */
typedef struct {
    const float *values;
    int width, pitch;
} matrix;

/* The gradients of a linear layer whose input and output gradient have one row per image:
 * weight_grad (d.width, in.width) (+)= d^T in, bias_grad (+)= sum over the images of d, unless it is SQ_NONE. */
typedef struct {
    matrix d, in;
    int n;
    int weight_grad, bias_grad; /* slots */
} layer_gradients;

static void append_layer_gradients(sq_cuda_lowering *l, const layer_gradients *g)
{
    const int c = g->d.width, k = g->in.width;
    sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_GEMM);
    launch->args.gemm = (sq_cuda_gemm){.a = g->d.values,
                                       .b = g->in.values,
                                       .out = sq_cuda_address(l, g->weight_grad),
                                       .m = c,
                                       .n = k,
                                       .k = g->n,
                                       .a_row = 1,
                                       .a_column = g->d.pitch,
                                       .b_row = g->in.pitch,
                                       .b_column = 1,
                                       .out_pitch = k,
                                       .step = sq_cuda_step(l)};
    launch->bytes = ((double)g->n * (c + k) + (double)c * k) * sizeof(float);
    launch->operations = (double)g->n * c * k;
    if (g->bias_grad == SQ_NONE)
        return;
    launch = sq_cuda_append(l, SQ_CUDA_COLUMN_SUMS);
    launch->args.column_sums = (sq_cuda_column_sums){.a = g->d.values,
                                                     .out = sq_cuda_address(l, g->bias_grad),
                                                     .rows = g->n,
                                                     .c = c,
                                                     .pitch = g->d.pitch,
                                                     .step = sq_cuda_step(l)};
    launch->bytes = (double)g->n * c * sizeof(float);
}

/* Workspace of a gate's backward pass, one row per image. */
typedef struct {
    float *dg, *dh, *dpooled; /* as in sq_cuda_gate_backward */
    int c_pitch, r_pitch;
} gate_workspace;

/* The gradients of the gate's two layers, down to the pooled input. */
static void append_gate_backward(sq_cuda_lowering *l, const sq_cuda_gate *gate, const gate_workspace *w)
{
    const sq_op *op = l->op;
    sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_POOL); /* dg = sum over the pixels of grad x */
    launch->args.pool = (sq_cuda_pool){.x = sq_cuda_view_of(l, op->x),
                                       .factor = sq_cuda_address(l, op->grad),
                                       .factor_pitch = sq_cuda_slot(l, op->grad)->pitch,
                                       .n = gate->n,
                                       .out = w->dg,
                                       .out_pitch = w->c_pitch,
                                       .scale = 1,
                                       .step = sq_cuda_step(l)};
    launch->bytes = 2 * sq_cuda_view_bytes(l, op->x);
    launch = sq_cuda_append(l, SQ_CUDA_GATE_BACKWARD);
    launch->args.gate_backward = (sq_cuda_gate_backward){
        .gate = *gate, .dg = w->dg, .dh = w->dh, .dpooled = w->dpooled, .c_pitch = w->c_pitch, .r_pitch = w->r_pitch};
    launch->bytes = 3.0 * sq_cuda_partial_bytes(gate->n, 1, w->c_pitch);
    launch->operations = 3.0 * gate->n * gate->c * gate->hidden_count;
    const layer_gradients first = {.d = {w->dh, gate->hidden_count, w->r_pitch},
                                   .in = {gate->pooled, gate->c, gate->pooled_pitch},
                                   .n = gate->n,
                                   .weight_grad = op->weight_grad,
                                   .bias_grad = op->bias_grad};
    const layer_gradients second = {.d = {w->dg, gate->c, w->c_pitch},
                                    .in = {gate->hidden, gate->hidden_count, gate->hidden_pitch},
                                    .n = gate->n,
                                    .weight_grad = op->weight2_grad,
                                    .bias_grad = op->bias2_grad};
    append_layer_gradients(l, &first);
    append_layer_gradients(l, &second);
}

/* Appends the launch and completes what follows from x: sink, parts and sums. */
static void append_pool_backward(sq_cuda_lowering *l, sq_cuda_pool_backward args, double bytes)
{
    const sq_op *op = l->op;
    const sq_slot *x = sq_cuda_slot(l, op->x.slot);
    const sq_cuda_target target = {.view = op->x, .dx = op->dx, .part = op->dx_part, .addend = SQ_NONE};
    const int rows = sq_cuda_row_count(x), width = sq_cuda_padded(x->c);
    const int parts = sq_cuda_walk_parts(l, rows, x->c, SQ_CUDA_POOL_BACKWARD_BLOCKS);
    const bool has_sums = sq_cuda_view_has_sums(op->x);
    const sq_cuda_parts sums = {parts, has_sums ? sq_cuda_reserve_partials(l, parts, 2, width) : NULL};
    args.scale = mean_scale(x);
    args.step = sq_cuda_step(l);
    args.sink = sq_cuda_sink_of(l, &target);
    args.rows = rows;
    args.pixels = x->h * x->w;
    args.c = x->c;
    args.parts = sums;
    sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_POOL_BACKWARD);
    launch->args.pool_backward = args;
    launch->bytes = bytes;
    if (has_sums)
        sq_cuda_append_merge_sums(l, op->x, sums, width);
}

void sq_cuda_lower_gate_backward(sq_cuda_lowering *l)
{
    const sq_op *op = l->op;
    const sq_cuda_gate gate = gate_of(l, op);
    gate_workspace w = {.c_pitch = sq_cuda_padded(gate.c), .r_pitch = sq_cuda_padded(gate.hidden_count)};
    w.dg = sq_cuda_reserve_partials(l, gate.n, 1, w.c_pitch);
    w.dpooled = sq_cuda_reserve_partials(l, gate.n, 1, w.c_pitch);
    w.dh = sq_cuda_reserve_partials(l, gate.n, 1, w.r_pitch);
    append_gate_backward(l, &gate, &w);
    append_pool_backward(l,
                         (sq_cuda_pool_backward){.grad = sq_cuda_address(l, op->grad),
                                                 .grad_pitch = sq_cuda_slot(l, op->grad)->pitch,
                                                 .factor = gate.gate,
                                                 .factor_pitch = gate.gate_pitch,
                                                 .per_image = w.dpooled,
                                                 .image_pitch = w.c_pitch},
                         3 * sq_cuda_view_bytes(l, op->x));
}

void sq_cuda_lower_pool(sq_cuda_lowering *l)
{
    const sq_op *op = l->op;
    const sq_slot *x = sq_cuda_slot(l, op->x.slot);
    sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_POOL);
    launch->args.pool = (sq_cuda_pool){.x = sq_cuda_view_of(l, op->x),
                                       .n = x->n,
                                       .out = sq_cuda_address(l, op->out),
                                       .out_pitch = sq_cuda_slot(l, op->out)->pitch,
                                       .scale = mean_scale(x),
                                       .dropout = dropout_of(op),
                                       .step = sq_cuda_step(l)};
    launch->bytes = sq_cuda_view_bytes(l, op->x) + sq_cuda_slot_bytes(l, op->out);
}

void sq_cuda_lower_pool_backward(sq_cuda_lowering *l)
{
    const sq_op *op = l->op;
    append_pool_backward(l,
                         (sq_cuda_pool_backward){.per_image = sq_cuda_address(l, op->grad),
                                                 .image_pitch = sq_cuda_slot(l, op->grad)->pitch,
                                                 .dropout = dropout_of(op)},
                         sq_cuda_view_bytes(l, op->x) + sq_cuda_slot_bytes(l, op->grad));
}

/* ---- Classifier, loss, update ---- */

void sq_cuda_lower_linear(sq_cuda_lowering *l)
{
    const sq_op *op = l->op;
    const sq_slot *x = sq_cuda_slot(l, op->x.slot), *out = sq_cuda_slot(l, op->out);
    sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_GEMM);
    launch->args.gemm = (sq_cuda_gemm){.a = sq_cuda_address(l, op->x.slot),
                                       .b = sq_cuda_address(l, op->weight),
                                       .bias = sq_cuda_address(l, op->bias),
                                       .out = sq_cuda_address(l, op->out),
                                       .m = x->n,
                                       .n = out->c,
                                       .k = x->c,
                                       .a_row = x->pitch,
                                       .a_column = 1,
                                       .b_row = 1,
                                       .b_column = x->c,
                                       .out_pitch = out->pitch};
    launch->bytes =
        sq_cuda_slot_bytes(l, op->x.slot) + sq_cuda_slot_bytes(l, op->weight) + sq_cuda_slot_bytes(l, op->out);
    launch->operations = (double)x->n * x->c * out->c;
}

void sq_cuda_lower_linear_backward(sq_cuda_lowering *l)
{
    const sq_op *op = l->op;
    const sq_slot *x = sq_cuda_slot(l, op->x.slot), *grad = sq_cuda_slot(l, op->grad);
    const layer_gradients layer = {.d = {sq_cuda_address(l, op->grad), grad->c, grad->pitch},
                                   .in = {sq_cuda_address(l, op->x.slot), x->c, x->pitch},
                                   .n = x->n,
                                   .weight_grad = op->weight_grad,
                                   .bias_grad = op->bias_grad};
    append_layer_gradients(l, &layer);
    if (op->dx == SQ_NONE)
        return;
    sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_GEMM);
    launch->args.gemm = (sq_cuda_gemm){.a = sq_cuda_address(l, op->grad),
                                       .b = sq_cuda_address(l, op->weight),
                                       .out = sq_cuda_address(l, op->dx),
                                       .m = x->n,
                                       .n = x->c,
                                       .k = grad->c,
                                       .a_row = grad->pitch,
                                       .a_column = 1,
                                       .b_row = x->c,
                                       .b_column = 1,
                                       .out_pitch = sq_cuda_slot(l, op->dx)->pitch};
    launch->bytes = sq_cuda_slot_bytes(l, op->grad) + sq_cuda_slot_bytes(l, op->weight) + sq_cuda_slot_bytes(l, op->dx);
    launch->operations = (double)x->n * x->c * grad->c;
}

void sq_cuda_lower_loss(sq_cuda_lowering *l)
{
    const sq_op *op = l->op;
    const sq_slot *x = sq_cuda_slot(l, op->x.slot);
    double *losses = sq_cuda_reserve(l, (size_t)x->n * sizeof *losses);
    int32_t *ranks = sq_cuda_reserve(l, (size_t)x->n * sizeof *ranks);
    sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_LOSS);
    launch->args.loss = (sq_cuda_loss){.logits = sq_cuda_address(l, op->x.slot),
                                       .n = x->n,
                                       .classes = x->c,
                                       .pitch = x->pitch,
                                       .labels = sq_cuda_address(l, op->labels),
                                       .gradient = sq_cuda_address(l, op->dx),
                                       .label_smoothing = op->label_smoothing,
                                       .result = sq_cuda_address(l, op->out),
                                       .losses = losses,
                                       .ranks = ranks,
                                       .step = sq_cuda_step(l)};
    launch->bytes = sq_cuda_slot_bytes(l, op->x.slot) * (op->dx == SQ_NONE ? 1 : 2);
}

void sq_cuda_lower_update(sq_cuda_lowering *l)
{
    const sq_op *op = l->op;
    const size_t count = (size_t)sq_cuda_slot(l, op->weight)->c;
    const int passes = op->average == SQ_NONE ? 5 : 7; /* reads of g, w, m; writes of w, m; both of the average */
    sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_UPDATE);
    launch->args.update = (sq_cuda_update){.weight = sq_cuda_address(l, op->weight),
                                           .momentum = sq_cuda_address(l, op->momentum),
                                           .average = sq_cuda_address(l, op->average),
                                           .gradient = sq_cuda_address(l, op->weight_grad),
                                           .count = count,
                                           .decayed_count = op->decayed_count,
                                           .step = sq_cuda_step(l)};
    launch->bytes = (double)count * sizeof(float) * passes;
}
