/* From a graph to a list of launches: what all planners share. */
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/launches/launch_list.h"

enum { ALIGNMENT = 256 };

const char *sq_cuda_kernel_name(sq_cuda_kernel kernel)
{
    static const char *const names[SQ_CUDA_KERNELS] = {
        [SQ_CUDA_POINTWISE] = "pointwise",
        [SQ_CUDA_WEIGHT_GRADIENT] = "weight_gradient",
        [SQ_CUDA_FUSED_BACKWARD] = "fused_backward",
        [SQ_CUDA_DEPTHWISE] = "depthwise",
        [SQ_CUDA_DEPTHWISE_BACKWARD] = "depthwise_backward",
        [SQ_CUDA_MERGE_MOMENTS] = "merge_moments",
        [SQ_CUDA_FIXED_NORMS] = "fixed_norms",
        [SQ_CUDA_MERGE_SUMS] = "merge_sums",
        [SQ_CUDA_MERGE_GRADIENT] = "merge_gradient",
        [SQ_CUDA_PACK_WEIGHTS] = "pack_weights",
        [SQ_CUDA_JOIN] = "join",
        [SQ_CUDA_JOIN_BACKWARD] = "join_backward",
        [SQ_CUDA_POOL] = "pool",
        [SQ_CUDA_GATE] = "gate",
        [SQ_CUDA_GATE_BACKWARD] = "gate_backward",
        [SQ_CUDA_POOL_BACKWARD] = "pool_backward",
        [SQ_CUDA_GEMM] = "gemm",
        [SQ_CUDA_COLUMN_SUMS] = "column_sums",
        [SQ_CUDA_LOSS] = "loss",
        [SQ_CUDA_UPDATE] = "update",
        [SQ_CUDA_IMAGE] = "image",
        [SQ_CUDA_COLUMN_MOMENTS] = "column_moments",
        [SQ_CUDA_FORM_GRADIENT] = "form_gradient",
        [SQ_CUDA_CONVERT] = "convert",
        [SQ_CUDA_VENDOR_CONVOLUTION] = "vendor_convolution",
        [SQ_CUDA_VENDOR_PRODUCT] = "vendor_product",
    };
    return names[kernel];
}

/* ---- The list ---- */

sq_cuda_launch *sq_cuda_append(sq_cuda_lowering *p, sq_cuda_kernel kernel)
{
    static _Thread_local sq_cuda_launch spare; /* what is written after a failure goes nowhere */
    struct sq_program *program = p->program;
    sq_cuda_launch *launch = &spare;
    if (program->count == program->limit) {
        const int limit = program->limit ? 2 * program->limit : 16;
        sq_cuda_launch *more = realloc(program->launches, (size_t)limit * sizeof *more);
        if (more) {
            program->launches = more;
            program->limit = limit;
        } else if (p->status == SQ_OK) {
            p->status = sq_fail(SQ_NO_MEMORY, "%s: %d launches", p->graph->name, limit);
        }
    }
    if (program->count < program->limit)
        launch = &program->launches[program->count++];
    memset(launch, 0, sizeof *launch);
    launch->kernel = kernel;
    launch->op = (int)(p->op - p->graph->ops);
    return launch;
}

void *sq_cuda_reserve(sq_cuda_lowering *p, size_t bytes)
{
    unsigned char *base = p->at ? p->at->base[SQ_ROLE_WORKSPACE].address : NULL;
    const size_t offset = p->used;
    p->used += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    p->most = p->used > p->most ? p->used : p->most;
    return base ? base + offset : NULL;
}

/* ---- Operands ---- */

const sq_slot *sq_cuda_slot(const sq_cuda_lowering *p, int slot)
{
    return &p->graph->slots[slot];
}

void *sq_cuda_address(const sq_cuda_lowering *p, int slot)
{
    if (slot == SQ_NONE || !p->at)
        return NULL;
    const sq_slot *s = sq_cuda_slot(p, slot);
    return p->at->base[s->role].address + s->offset;
}

const sq_step *sq_cuda_step(const sq_cuda_lowering *p)
{
    return p->at ? (const sq_step *)(const void *)p->at->base[SQ_ROLE_STEP].address : NULL;
}

int sq_cuda_row_count(const sq_slot *slot)
{
    return slot->n * slot->h * slot->w;
}

/* Where channel 0 of a part lies in a pixel, and how far apart channels are. */
static void place_part(const sq_slot *s, sq_part part, int *first, int *step)
{
    *step = part != SQ_ALL && !s->is_split ? 2 : 1;
    *first = part != SQ_ODD ? 0 : s->is_split ? s->pitch / 2 : 1;
}

static const float *live_row(const sq_cuda_lowering *p, int norm, int row)
{
    const int slot = p->graph->norms[norm].live;
    const float *live = sq_cuda_address(p, slot);
    return live ? live + (size_t)row * (size_t)sq_cuda_slot(p, slot)->pitch : NULL;
}

sq_cuda_view sq_cuda_view_of(const sq_cuda_lowering *p, sq_view view)
{
    if (view.slot == SQ_NONE)
        return (sq_cuda_view){0};
    const sq_slot *s = sq_cuda_slot(p, view.slot);
    sq_cuda_view out = {.data = sq_cuda_address(p, view.slot),
                        .c = sq_view_channels(s, view.part).c,
                        .pitch = s->pitch,
                        .activation = (int)view.activation,
                        .pixels = s->h * s->w};
    place_part(s, view.part, &out.first, &out.step);
    if (view.norm != SQ_NONE) {
        out.scale = live_row(p, view.norm, SQ_LIVE_SCALE);
        out.shift = live_row(p, view.norm, SQ_LIVE_SHIFT);
        out.mean = live_row(p, view.norm, SQ_LIVE_MEAN);
    }
    if (view.gate != SQ_NONE) {
        out.gate = sq_cuda_address(p, view.gate);
        out.gate_pitch = sq_cuda_slot(p, view.gate)->pitch;
    }
    return out;
}

sq_cuda_sink sq_cuda_sink_of(const sq_cuda_lowering *p, sq_view view, int dx, sq_part part, int addend)
{
    const sq_slot *s = sq_cuda_slot(p, dx);
    sq_cuda_sink sink = {.data = sq_cuda_address(p, dx),
                         .addend = sq_cuda_address(p, addend),
                         .c = sq_view_channels(s, part).c,
                         .pitch = s->pitch};
    place_part(s, part, &sink.first, &sink.step);
    if (view.norm != SQ_NONE && view.gate == SQ_NONE && addend == SQ_NONE)
        sink.z = sq_cuda_view_of(p, view);
    return sink;
}

sq_cuda_norm sq_cuda_norm_of(const sq_cuda_lowering *p, int index)
{
    const sq_norm *norm = &p->graph->norms[index];
    return (sq_cuda_norm){
        .c = norm->c,
        .pitch = sq_cuda_slot(p, norm->live)->pitch,
        .gamma = sq_cuda_address(p, norm->gamma),
        .beta = sq_cuda_address(p, norm->beta),
        .gamma_grad = sq_cuda_address(p, norm->gamma_grad),
        .beta_grad = sq_cuda_address(p, norm->beta_grad),
        .running_mean = sq_cuda_address(p, norm->running_mean),
        .running_variance = sq_cuda_address(p, norm->running_variance),
        .live = sq_cuda_address(p, norm->live),
        .epsilon = norm->epsilon,
    };
}

double sq_cuda_view_bytes(const sq_cuda_lowering *p, sq_view view)
{
    if (view.slot == SQ_NONE)
        return 0;
    const sq_slot *s = sq_cuda_slot(p, view.slot);
    const bool is_strided = view.part != SQ_ALL && !s->is_split; /* reads over the other channels */
    return (double)sq_cuda_row_count(s) * (is_strided ? s->pitch : sq_view_channels(s, view.part).c) * sizeof(sq_bf16);
}

double sq_cuda_slot_bytes(const sq_cuda_lowering *p, int slot)
{
    return slot == SQ_NONE ? 0 : (double)sq_slot_bytes(sq_cuda_slot(p, slot));
}

/* ---- Pieces of several operations ---- */

int sq_cuda_parts_for(const sq_cuda_lowering *p, int jobs, int tiles, int blocks)
{
    const int wave = p->machine.multiprocessors * blocks / (tiles > 0 ? tiles : 1);
    return jobs < wave ? jobs : wave > 0 ? wave : 1;
}

int sq_cuda_walk_parts(const sq_cuda_lowering *p, int rows, int width, int blocks)
{
    enum { WALK_VECTORS = 32, WALK_ROWS = 8 }; /* widest slab of walk.cuh, and the rows of a pass at that width */
    const int slabs = (sq_cuda_padded(width) / SQ_CUDA_VECTOR - 1) / WALK_VECTORS + 1;
    return sq_cuda_parts_for(p, (rows - 1) / WALK_ROWS + 1, slabs, blocks);
}

void sq_cuda_append_merge_sums(sq_cuda_lowering *p, sq_view view, const float *partial, int parts, int width)
{
    const sq_slot *s = sq_cuda_slot(p, view.slot), *live = sq_cuda_slot(p, p->graph->norms[view.norm].live);
    sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_MERGE_SUMS);
    launch->args.merge_sums = (sq_cuda_merge_sums){.live = sq_cuda_address(p, p->graph->norms[view.norm].live),
                                    .c = s->c,
                                    .pitch = live->pitch,
                                    .width = width,
                                    .partial = partial,
                                    .parts = parts,
                                    .inverse_count = 1 / (float)sq_cuda_row_count(s)};
    launch->bytes = (double)parts * 2 * width * sizeof(float);
}

void sq_cuda_append_sums_of_stored(sq_cuda_lowering *p, sq_view view, int dx)
{
    const sq_slot *s = sq_cuda_slot(p, dx);
    const int rows = sq_cuda_row_count(s), width = sq_cuda_padded(s->c);
    const int parts = sq_cuda_walk_parts(p, rows, width, SQ_CUDA_JOIN_BACKWARD_BLOCKS);
    sq_cuda_sink sink = sq_cuda_sink_of(p, view, dx, SQ_ALL, SQ_NONE);
    float *partial = sq_cuda_reserve(p, (size_t)parts * 2 * (size_t)width * sizeof(float));
    sq_cuda_launch *launch = sq_cuda_append(p, SQ_CUDA_JOIN_BACKWARD);
    launch->args.join_backward = (sq_cuda_join_backward){.grad = sink.data,
                                              .grad_pitch = s->pitch,
                                              .grad_c = s->c,
                                              .sink = sink,
                                              .rows = rows,
                                              .parts = {parts, partial}};
    launch->bytes = 2 * sq_cuda_view_bytes(p, view) + (double)parts * 2 * width * sizeof(float);
    sq_cuda_append_merge_sums(p, view, partial, parts, width);
}

/* ---- A whole graph ---- */

static sq_status check_slots(const sq_cuda_lowering *p)
{
    for (int i = 0; i < p->graph->slot_count; i++) {
        const sq_slot *s = &p->graph->slots[i];
        const bool is_image = s->c == 3 && s->pitch == 4; /* and its gradient, which nobody computes */
        const int unit = s->is_split ? 2 * SQ_CUDA_VECTOR : SQ_CUDA_VECTOR;
        if (s->dtype == SQ_BF16 && s->pitch % unit && !is_image)
            return sq_fail(SQ_UNSUPPORTED, "%s: slot %d: pitch %d, wanted a multiple of %d", p->graph->name, i, s->pitch,
                           unit);
        if (s->dtype == SQ_F32 && (s->role == SQ_ROLE_BOUNDARY || s->role == SQ_ROLE_BOUNDARY_GRAD) && s->h * s->w > 1)
            return sq_fail(SQ_UNSUPPORTED, "%s: slot %d: FP32, but cuda keeps feature maps in BF16", p->graph->name, i);
    }
    return SQ_OK;
}

sq_status sq_cuda_lower(sq_cuda_lowering *p)
{
    SQ_TRY(check_slots(p));
    if (p->graph->op_count > (int)(sizeof p->packed / sizeof *p->packed))
        return sq_fail(SQ_UNSUPPORTED, "%s: %d operations, wanted at most %zu", p->graph->name, p->graph->op_count,
                       sizeof p->packed / sizeof *p->packed);
    p->op = p->graph->ops;
    sq_cuda_append_weight_packs(p);
    sq_cuda_append_fixed_norms(p);
    p->kept = p->used;
    for (int i = 0; i < p->graph->op_count && p->status == SQ_OK; i++) {
        p->op = &p->graph->ops[i];
        p->used = p->kept;
        if (p->is_vendor[i])
            sq_cuda_plan_vendor(p);
        else if (p->op->kind == SQ_OP_CONV)
            sq_cuda_plan_conv(p);
        else if (p->op->kind == SQ_OP_CONV_BACK)
            sq_cuda_plan_conv_back(p);
        else
            sq_cuda_plan_other(p);
    }
    return p->status;
}
