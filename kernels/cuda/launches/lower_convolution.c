/* Convolutions as launches: which kernel computes which shape, what it leaves for whom, and the bytes that this moves. */
#include "kernels/cuda/launches/launch_list.h"

static bool is_pointwise(const sq_cuda_lowering *p, const sq_op *op)
{
    return !op->is_depthwise && op->kernel == 1 && op->stride == 1 &&
           sq_cuda_slot(p, op->x.slot)->pitch % SQ_CUDA_VECTOR == 0;
}

sq_cuda_geometry sq_cuda_geometry_of(const sq_cuda_lowering *p, const sq_op *op)
{
    const sq_slot *x = sq_cuda_slot(p, op->x.slot);
    const sq_slot *z = sq_cuda_slot(p, op->kind == SQ_OP_CONV ? op->out : op->z.slot);
    return (sq_cuda_geometry){x->n, x->h, x->w, z->h, z->w, op->kernel, op->stride};
}

static int view_channels(const sq_cuda_lowering *p, sq_view view)
{
    return sq_view_channels(sq_cuda_slot(p, view.slot), view.part).c;
}

/* ---- Weights as matrices ---- */

static sq_cuda_pack_weights_job job_of(const sq_cuda_lowering *p, const sq_op *op)
{
    const bool is_back = op->kind == SQ_OP_CONV_BACK;
    const int c_out = sq_cuda_slot(p, is_back ? op->z.slot : op->out)->c, c_in = view_channels(p, op->x);
    const int taps = op->kernel * op->kernel;
    return (sq_cuda_pack_weights_job){
        .from = sq_cuda_address(p, op->weight),
        .c_out = c_out,
        .c_in = c_in,
        .taps = taps,
        .input_pitch = c_in,
        .rows = sq_cuda_padded(is_back ? c_in : c_out),
        .depth = is_back ? taps * sq_cuda_padded(c_out) : sq_cuda_padded(taps * c_in),
        .is_transposed = is_back,
    };
}

void sq_cuda_append_weight_packs(sq_cuda_lowering *p)
{
    sq_cuda_launch *launch = NULL;
    for (int i = 0; i < p->graph->op_count; i++) {
        const sq_op *op = &p->graph->ops[i];
        const bool has_matrix = (op->kind == SQ_OP_CONV || (op->kind == SQ_OP_CONV_BACK && op->dx != SQ_NONE)) &&
                                (!op->is_depthwise || p->is_vendor[i]);
        if (!has_matrix)
            continue;
        if (!launch || launch->args.pack_weights.count == SQ_CUDA_PACK_WEIGHTS_JOBS)
            launch = sq_cuda_append(p, SQ_CUDA_PACK_WEIGHTS);
        sq_cuda_pack_weights_job job = p->is_vendor[i] ? sq_cuda_vendor_pack_job(p, op) : job_of(p, op);
        const size_t count = (size_t)job.rows * (size_t)job.depth;
        p->packed[i] = job.to = sq_cuda_reserve(p, count * sizeof(sq_bf16));
        launch->args.pack_weights.jobs[launch->args.pack_weights.count++] = job;
        launch->bytes += (double)job.c_out * job.c_in * job.taps * sizeof(float) + (double)count * sizeof(sq_bf16);
    }
}

void sq_cuda_append_fixed_norms(sq_cuda_lowering *p)
{
    enum { NORMS = sizeof((sq_cuda_fixed_norms *)0)->norms / sizeof(sq_cuda_norm) };
    sq_cuda_launch *launch = NULL;
    for (int i = 0; i < p->graph->op_count; i++) {
        const sq_op *op = &p->graph->ops[i];
        if (op->kind != SQ_OP_CONV || op->statistics != SQ_STATISTICS_FIXED)
            continue;
        if (!launch || launch->args.fixed_norms.count == NORMS)
            launch = sq_cuda_append(p, SQ_CUDA_FIXED_NORMS);
        launch->args.fixed_norms.norms[launch->args.fixed_norms.count++] = sq_cuda_norm_of(p, op->out_norm);
        launch->bytes += 6.0 * p->graph->norms[op->out_norm].c * sizeof(float);
    }
}

/* ---- Forward ---- */

void sq_cuda_append_merge_moments(sq_cuda_lowering *p, const float *partial, int parts, int row_block)
{
    sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_MERGE_MOMENTS);
    launch->args.merge_moments = (sq_cuda_merge_moments){.norm = sq_cuda_norm_of(p, p->op->out_norm),
                                          .partial = partial,
                                          .parts = parts,
                                          .rows = sq_cuda_row_count(sq_cuda_slot(p, p->op->out)),
                                          .row_block = row_block,
                                          .step = sq_cuda_step(p)};
    launch->bytes = (double)parts * (row_block ? 2 : 3) * launch->args.merge_moments.norm.pitch * sizeof(float);
}

static int depthwise_parts(const sq_cuda_lowering *p, const sq_cuda_geometry *at, int c, bool is_back)
{
    return sq_cuda_parts_for(p, sq_cuda_depthwise_jobs(at, is_back), (c - 1) / SQ_CUDA_SLAB + 1,
                             is_back ? SQ_CUDA_DEPTHWISE_BACKWARD_BLOCKS : SQ_CUDA_DEPTHWISE_BLOCKS);
}

static void plan_depthwise(sq_cuda_lowering *p)
{
    const sq_op *op = p->op;
    const sq_slot *z = sq_cuda_slot(p, op->out);
    const sq_cuda_geometry at = sq_cuda_geometry_of(p, op);
    const bool has_moments = op->statistics != SQ_STATISTICS_FIXED;
    const int parts = depthwise_parts(p, &at, z->c, false), width = sq_cuda_padded(z->c);
    const size_t partial_bytes = has_moments ? (size_t)parts * 3 * (size_t)width * sizeof(float) : 0;
    float *partial = has_moments ? sq_cuda_reserve(p, partial_bytes) : NULL;
    sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_DEPTHWISE);
    launch->args.depthwise = (sq_cuda_depthwise){.x = sq_cuda_view_of(p, op->x),
                                              .at = at,
                                              .weight = sq_cuda_address(p, op->weight),
                                              .out = sq_cuda_address(p, op->out),
                                              .out_pitch = z->pitch,
                                              .c = z->c,
                                              .parts = {parts, partial}};
    launch->bytes = sq_cuda_view_bytes(p, op->x) + sq_cuda_slot_bytes(p, op->out) + (double)partial_bytes;
    launch->operations = (double)sq_cuda_row_count(z) * z->c * op->kernel * op->kernel;
    if (has_moments)
        sq_cuda_append_merge_moments(p, partial, parts, 0);
}

static int rows_parts(const sq_cuda_lowering *p, int rows, int width, bool is_back)
{
    const sq_cuda_pointwise_shape shape = sq_cuda_pointwise_shape_of(width, is_back);
    return sq_cuda_parts_for(p, (rows - 1) / shape.rows + 1, (width - 1) / shape.tile + 1, shape.blocks);
}

/* How often a product with `width` outputs reads its rows. */
static int tiles_of(int width)
{
    return (width - 1) / sq_cuda_pointwise_shape_of(width, false).tile + 1;
}

static void plan_rows_forward(sq_cuda_lowering *p)
{
    const sq_op *op = p->op;
    const sq_slot *z = sq_cuda_slot(p, op->out);
    const bool has_moments = op->statistics != SQ_STATISTICS_FIXED;
    const sq_cuda_pack_weights_job job = job_of(p, op);
    const int rows = sq_cuda_row_count(z), parts = rows_parts(p, rows, job.rows, false);
    const size_t partial_bytes = has_moments ? (size_t)parts * 2 * (size_t)job.rows * sizeof(float) : 0;
    float *partial = has_moments ? sq_cuda_reserve(p, partial_bytes) : NULL;
    sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_POINTWISE);
    launch->args.pointwise = (sq_cuda_pointwise){.mode = is_pointwise(p, op) ? SQ_CUDA_FORWARD : SQ_CUDA_FORWARD_KXK,
                                    .x = sq_cuda_view_of(p, op->x),
                                    .at = sq_cuda_geometry_of(p, op),
                                    .weight = p->packed[op - p->graph->ops],
                                    .rows = rows,
                                    .depth = job.depth,
                                    .width = job.rows,
                                    .out = sq_cuda_address(p, op->out),
                                    .out_pitch = z->pitch,
                                    .parts = {parts, partial}};
    launch->bytes = sq_cuda_view_bytes(p, op->x) * tiles_of(job.rows) + sq_cuda_slot_bytes(p, op->out) +
                    (double)partial_bytes;
    launch->operations = (double)rows * z->c * job.c_in * job.taps;
    if (has_moments)
        sq_cuda_append_merge_moments(p, partial, parts, sq_cuda_pointwise_shape_of(job.rows, false).rows);
}

void sq_cuda_plan_conv(sq_cuda_lowering *p)
{
    if (p->op->is_depthwise)
        plan_depthwise(p);
    else
        plan_rows_forward(p);
}

/* ---- Backward ---- */

sq_cuda_gradient sq_cuda_gradient_of(const sq_cuda_lowering *p, const sq_op *op)
{
    const sq_slot *z = sq_cuda_slot(p, op->z.slot), *g = sq_cuda_slot(p, op->grad);
    const int slot = p->graph->norms[op->out_norm].live;
    const float *live = sq_cuda_address(p, slot);
    const size_t pitch = (size_t)sq_cuda_slot(p, slot)->pitch;
    sq_cuda_gradient out = {.g = sq_cuda_address(p, op->grad),
                            .z = sq_cuda_address(p, op->z.slot),
                            .g_pitch = g->pitch,
                            .z_pitch = z->pitch,
                            .c = z->c,
                            .activation = (int)op->z.activation};
    if (live) {
        out.scale = live + SQ_LIVE_SCALE * pitch;
        out.shift = live + SQ_LIVE_SHIFT * pitch;
        out.by_z = live + SQ_LIVE_BY_Z * pitch;
        out.constant = live + SQ_LIVE_CONSTANT * pitch;
    }
    return out;
}

static bool wants_sums(const sq_op *op)
{
    return op->dx != SQ_NONE && op->x.norm != SQ_NONE && op->x.gate == SQ_NONE;
}

static void plan_gather(sq_cuda_lowering *p, const float *partial, int parts, size_t part_count, int row_pitch)
{
    const sq_op *op = p->op;
    sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_MERGE_GRADIENT);
    launch->args.merge_gradient =
        (sq_cuda_merge_gradient){.partial = partial,
                                  .parts = parts,
                                  .part_count = part_count,
                                  .row_pitch = row_pitch,
                                  .c_out = sq_cuda_slot(p, op->z.slot)->c,
                                  .c_in = op->is_depthwise ? 1 : view_channels(p, op->x),
                                  .taps = op->kernel * op->kernel,
                                  .is_depthwise = op->is_depthwise,
                                  .weight_grad = sq_cuda_address(p, op->weight_grad),
                                  .norm = sq_cuda_norm_of(p, op->out_norm),
                                  .step = sq_cuda_step(p)};
    launch->bytes = (double)parts * (double)part_count * sizeof(float) + sq_cuda_slot_bytes(p, op->weight_grad);
}

static void plan_depthwise_back(sq_cuda_lowering *p)
{
    const sq_op *op = p->op;
    const sq_slot *z = sq_cuda_slot(p, op->z.slot);
    const sq_cuda_geometry at = sq_cuda_geometry_of(p, op);
    const int parts = depthwise_parts(p, &at, z->c, true), width = sq_cuda_padded(z->c);
    const size_t part_count = (size_t)(op->kernel * op->kernel) * (size_t)width;
    float *partial = sq_cuda_reserve(p, (size_t)parts * part_count * sizeof(float));
    float *sums = sq_cuda_reserve(p, (size_t)parts * 2 * (size_t)width * sizeof(float));
    sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_DEPTHWISE_BACKWARD);
    launch->args.depthwise_backward = (sq_cuda_depthwise_backward){.x = sq_cuda_view_of(p, op->x),
                                                        .dz = sq_cuda_gradient_of(p, op),
                                                        .at = at,
                                                        .weight = sq_cuda_address(p, op->weight),
                                                        .c = z->c,
                                                        .parts = {parts, partial},
                                                        .sums = sums};
    launch->bytes = sq_cuda_view_bytes(p, op->x) + 2 * sq_cuda_slot_bytes(p, op->z.slot) +
                    (double)parts * ((double)part_count + 2 * width) * sizeof(float);
    launch->operations = 2.0 * sq_cuda_row_count(z) * z->c * op->kernel * op->kernel;
    if (op->dx != SQ_NONE) {
        launch->args.depthwise_backward.sink = sq_cuda_sink_of(p, op->x, op->dx, op->dx_part, op->addend);
        launch->bytes += sq_cuda_view_bytes(p, op->x) * (op->addend == SQ_NONE ? 1 : 2);
    }
    if (wants_sums(op) && op->addend == SQ_NONE)
        sq_cuda_append_merge_sums(p, op->x, sums, parts, width);
    plan_gather(p, partial, parts, part_count, width);
}

static void plan_rows_back(sq_cuda_lowering *p)
{
    const sq_op *op = p->op;
    const sq_cuda_pack_weights_job job = job_of(p, op);
    const int rows = sq_cuda_row_count(sq_cuda_slot(p, op->x.slot)), parts = rows_parts(p, rows, job.rows, true);
    const bool has_sums = wants_sums(op) && op->addend == SQ_NONE;
    float *partial = sq_cuda_reserve(p, has_sums ? (size_t)parts * 2 * (size_t)job.rows * sizeof(float) : 0);
    sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_POINTWISE);
    launch->args.pointwise = (sq_cuda_pointwise){.mode = is_pointwise(p, op) ? SQ_CUDA_BACKWARD : SQ_CUDA_BACKWARD_KXK,
                                    .dz = sq_cuda_gradient_of(p, op),
                                    .at = sq_cuda_geometry_of(p, op),
                                    .weight = p->packed[op - p->graph->ops],
                                    .rows = rows,
                                    .depth = job.depth,
                                    .width = job.rows,
                                    .sink = sq_cuda_sink_of(p, op->x, op->dx, op->dx_part, op->addend),
                                    .parts = {parts, partial}};
    launch->bytes = 2 * sq_cuda_slot_bytes(p, op->z.slot) * tiles_of(job.rows) +
                    sq_cuda_view_bytes(p, op->x) * (1 + (op->addend != SQ_NONE) + has_sums) +
                    (has_sums ? (double)parts * 2 * job.rows * sizeof(float) : 0);
    launch->operations = (double)rows * job.c_out * job.c_in * job.taps / (op->stride * op->stride);
    if (has_sums)
        sq_cuda_append_merge_sums(p, op->x, partial, parts, job.rows);
}

static void plan_weight_gradient(sq_cuda_lowering *p)
{
    const sq_op *op = p->op;
    const sq_slot *z = sq_cuda_slot(p, op->z.slot);
    const int c_in = view_channels(p, op->x), taps = op->kernel * op->kernel, rows = sq_cuda_row_count(z);
    const int depth = sq_cuda_padded(taps * c_in);
    const sq_cuda_weight_gradient_shape shape = sq_cuda_weight_gradient_shape_of(z->c, depth);
    const int parts = sq_cuda_parts_for(p, (rows - 1) / shape.rows + 1, shape.tiles, shape.blocks);
    const size_t part_count = (size_t)sq_cuda_padded(z->c) * (size_t)depth;
    float *partial = sq_cuda_reserve(p, (size_t)parts * part_count * sizeof(float));
    sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_WEIGHT_GRADIENT);
    launch->args.weight_gradient = (sq_cuda_weight_gradient){.dz = sq_cuda_gradient_of(p, op),
                                                          .x = sq_cuda_view_of(p, op->x),
                                                          .at = sq_cuda_geometry_of(p, op),
                                                          .is_gathered = !is_pointwise(p, op) || shape.tile == 64,
                                                          .rows = rows,
                                                          .depth = depth,
                                                          .parts = {parts, partial}};
    const int tiles_k = (depth - 1) / shape.tile + 1, tiles_o = (z->c - 1) / shape.tile + 1;
    launch->bytes = 2 * sq_cuda_slot_bytes(p, op->z.slot) * tiles_k + sq_cuda_view_bytes(p, op->x) * tiles_o +
                    (double)parts * (double)part_count * sizeof(float);
    launch->operations = (double)rows * z->c * c_in * taps;
    plan_gather(p, partial, parts, part_count, depth);
}

/* Both gradients in one pass, where there is a kernel for the widths. */
static bool plan_fused_back(sq_cuda_lowering *p)
{
    const sq_op *op = p->op;
    const int c_in = view_channels(p, op->x), c_out = sq_cuda_slot(p, op->z.slot)->c;
    int step, blocks;
    if (op->dx == SQ_NONE || !is_pointwise(p, op) || !sq_cuda_fused_backward_fits(c_in, c_out, &step, &blocks))
        return false;
    const bool has_sums = wants_sums(op) && op->addend == SQ_NONE;
    const int rows = sq_cuda_row_count(sq_cuda_slot(p, op->x.slot)), width = sq_cuda_padded(c_in);
    const int parts = sq_cuda_parts_for(p, (rows - 1) / step + 1, 1, blocks);
    const size_t part_count = (size_t)sq_cuda_padded(c_out) * (size_t)width;
    float *partial = sq_cuda_reserve(p, (size_t)parts * part_count * sizeof(float));
    float *sums = sq_cuda_reserve(p, has_sums ? (size_t)parts * 2 * (size_t)width * sizeof(float) : 0);
    sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_FUSED_BACKWARD);
    launch->args.fused_backward = (sq_cuda_fused_backward){.dz = sq_cuda_gradient_of(p, op),
                                                .x = sq_cuda_view_of(p, op->x),
                                                .sink = sq_cuda_sink_of(p, op->x, op->dx, op->dx_part, op->addend),
                                                .weight = p->packed[op - p->graph->ops],
                                                .rows = rows,
                                                .parts = {parts, partial},
                                                .sums = sums};
    launch->bytes = 2 * sq_cuda_slot_bytes(p, op->z.slot) + sq_cuda_view_bytes(p, op->x) * (2 + (op->addend != SQ_NONE)) +
                    (double)parts * ((double)part_count + (has_sums ? 2 * width : 0)) * sizeof(float);
    launch->operations = 2.0 * rows * c_in * c_out;
    if (has_sums)
        sq_cuda_append_merge_sums(p, op->x, sums, parts, width);
    plan_gather(p, partial, parts, part_count, width);
    return true;
}

void sq_cuda_plan_conv_back(sq_cuda_lowering *p)
{
    const sq_op *op = p->op;
    if (op->is_depthwise) {
        plan_depthwise_back(p);
    } else if (!plan_fused_back(p)) {
        if (op->dx != SQ_NONE)
            plan_rows_back(p);
        plan_weight_gradient(p);
    }
    if (wants_sums(op) && op->addend != SQ_NONE)
        sq_cuda_append_sums_of_stored(p, op->x, op->dx);
}
