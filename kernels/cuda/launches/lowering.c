/* Helpers that all lowering functions share. */
#include "kernels/cuda/launches/lowering.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 256 }; /* of reserved workspace, in bytes */

/* ---- The launch list and the workspace ---- */

sq_cuda_launch *sq_cuda_append(sq_cuda_lowering *l, sq_cuda_kernel kernel)
{
    static _Thread_local sq_cuda_launch discarded; /* absorbs writes after a failure */
    struct sq_program *program = l->program;
    sq_cuda_launch *launch = &discarded;
    if (program->count == program->capacity) {
        const int capacity = program->capacity ? 2 * program->capacity : 16;
        sq_cuda_launch *larger = realloc(program->launches, (size_t)capacity * sizeof *larger);
        if (larger) {
            program->launches = larger;
            program->capacity = capacity;
        } else if (l->status == SQ_OK) {
            l->status = sq_fail(SQ_NO_MEMORY, "%s: %d launches", l->graph->name, capacity);
        }
    }
    if (program->count < program->capacity)
        launch = &program->launches[program->count++];
    memset(launch, 0, sizeof *launch);
    launch->kernel = kernel;
    launch->op = (int)(l->op - l->graph->ops);
    return launch;
}

void *sq_cuda_reserve(sq_cuda_lowering *l, size_t bytes)
{
    unsigned char *base = l->at ? l->at->base[SQ_ROLE_WORKSPACE].address : NULL;
    const size_t offset = l->used_bytes;
    l->used_bytes += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    l->peak_bytes = l->used_bytes > l->peak_bytes ? l->used_bytes : l->peak_bytes;
    return base ? base + offset : NULL;
}

/* ---- Operands ---- */

const sq_slot *sq_cuda_slot(const sq_cuda_lowering *l, int slot)
{
    return &l->graph->slots[slot];
}

void *sq_cuda_address(const sq_cuda_lowering *l, int slot)
{
    if (slot == SQ_NONE || !l->at)
        return NULL;
    const sq_slot *s = sq_cuda_slot(l, slot);
    return l->at->base[s->role].address + s->offset;
}

const sq_step *sq_cuda_step(const sq_cuda_lowering *l)
{
    return l->at ? (const sq_step *)(const void *)l->at->base[SQ_ROLE_STEP].address : NULL;
}

int sq_cuda_row_count(const sq_slot *slot)
{
    return slot->n * slot->h * slot->w;
}

/* The stored index of channel 0 of a part, and the distance between its channels. */
static void locate_part(const sq_slot *s, sq_part part, int *first, int *step)
{
    *step = part != SQ_ALL && !s->is_split ? 2 : 1;
    *first = part != SQ_ODD ? 0 : s->is_split ? s->pitch / 2 : 1;
}

static const float *live_row(const sq_cuda_lowering *l, int norm, int row)
{
    const int slot = l->graph->norms[norm].live;
    const float *live = sq_cuda_address(l, slot);
    return live ? live + (size_t)row * (size_t)sq_cuda_slot(l, slot)->pitch : NULL;
}

sq_cuda_view sq_cuda_view_of(const sq_cuda_lowering *l, sq_view view)
{
    if (view.slot == SQ_NONE)
        return (sq_cuda_view){0};
    const sq_slot *s = sq_cuda_slot(l, view.slot);
    sq_cuda_view out = {.data = sq_cuda_address(l, view.slot),
                        .c = sq_view_channels(s, view.part).c,
                        .pitch = s->pitch,
                        .activation = (int)view.activation,
                        .pixels = s->h * s->w};
    locate_part(s, view.part, &out.first, &out.step);
    if (view.norm != SQ_NONE) {
        out.scale = live_row(l, view.norm, SQ_LIVE_SCALE);
        out.shift = live_row(l, view.norm, SQ_LIVE_SHIFT);
        out.mean = live_row(l, view.norm, SQ_LIVE_MEAN);
    }
    if (view.gate != SQ_NONE) {
        out.gate = sq_cuda_address(l, view.gate);
        out.gate_pitch = sq_cuda_slot(l, view.gate)->pitch;
    }
    return out;
}

int sq_cuda_view_channels(const sq_cuda_lowering *l, sq_view view)
{
    return sq_view_channels(sq_cuda_slot(l, view.slot), view.part).c;
}

bool sq_cuda_view_has_sums(sq_view view)
{
    return view.norm != SQ_NONE && view.gate == SQ_NONE;
}

sq_cuda_sink sq_cuda_sink_of(const sq_cuda_lowering *l, const sq_cuda_target *target)
{
    const sq_slot *s = sq_cuda_slot(l, target->dx);
    sq_cuda_sink sink = {.data = sq_cuda_address(l, target->dx),
                         .addend = sq_cuda_address(l, target->addend),
                         .c = sq_view_channels(s, target->part).c,
                         .pitch = s->pitch};
    locate_part(s, target->part, &sink.first, &sink.step);
    if (sq_cuda_view_has_sums(target->view) && target->addend == SQ_NONE)
        sink.z = sq_cuda_view_of(l, target->view);
    return sink;
}

sq_cuda_target sq_cuda_target_of_x(const sq_op *op)
{
    return (sq_cuda_target){.view = op->x, .dx = op->dx, .part = op->dx_part, .addend = op->addend};
}

sq_cuda_norm sq_cuda_norm_of(const sq_cuda_lowering *l, int index)
{
    const sq_norm *norm = &l->graph->norms[index];
    return (sq_cuda_norm){.c = norm->c,
                          .pitch = sq_cuda_slot(l, norm->live)->pitch,
                          .gamma = sq_cuda_address(l, norm->gamma),
                          .beta = sq_cuda_address(l, norm->beta),
                          .gamma_grad = sq_cuda_address(l, norm->gamma_grad),
                          .beta_grad = sq_cuda_address(l, norm->beta_grad),
                          .running_mean = sq_cuda_address(l, norm->running_mean),
                          .running_variance = sq_cuda_address(l, norm->running_variance),
                          .live = sq_cuda_address(l, norm->live),
                          .epsilon = norm->epsilon};
}

sq_cuda_geometry sq_cuda_geometry_of(const sq_cuda_lowering *l, const sq_op *op)
{
    const sq_slot *x = sq_cuda_slot(l, op->x.slot);
    const sq_slot *z = sq_cuda_slot(l, op->kind == SQ_OP_CONV ? op->out : op->z.slot);
    return (sq_cuda_geometry){.n = x->n,
                              .h_in = x->h,
                              .w_in = x->w,
                              .h_out = z->h,
                              .w_out = z->w,
                              .kernel = op->kernel,
                              .stride = op->stride};
}

sq_cuda_gradient sq_cuda_gradient_of(const sq_cuda_lowering *l, const sq_op *op)
{
    const sq_slot *z = sq_cuda_slot(l, op->z.slot), *g = sq_cuda_slot(l, op->grad);
    return (sq_cuda_gradient){.g = sq_cuda_address(l, op->grad),
                              .z = sq_cuda_address(l, op->z.slot),
                              .g_pitch = g->pitch,
                              .z_pitch = z->pitch,
                              .c = z->c,
                              .scale = live_row(l, op->out_norm, SQ_LIVE_SCALE),
                              .shift = live_row(l, op->out_norm, SQ_LIVE_SHIFT),
                              .by_z = live_row(l, op->out_norm, SQ_LIVE_BY_Z),
                              .constant = live_row(l, op->out_norm, SQ_LIVE_CONSTANT),
                              .activation = (int)op->z.activation};
}

double sq_cuda_view_bytes(const sq_cuda_lowering *l, sq_view view)
{
    if (view.slot == SQ_NONE)
        return 0;
    const sq_slot *s = sq_cuda_slot(l, view.slot);
    const bool is_strided = view.part != SQ_ALL && !s->is_split; /* every second channel: the others are loaded too */
    return (double)sq_cuda_row_count(s) * (is_strided ? s->pitch : sq_view_channels(s, view.part).c) * sizeof(sq_bf16);
}

double sq_cuda_slot_bytes(const sq_cuda_lowering *l, int slot)
{
    return slot == SQ_NONE ? 0 : (double)sq_slot_bytes(sq_cuda_slot(l, slot));
}

/* ---- Parts ---- */

int sq_cuda_parts_for(const sq_cuda_lowering *l, int jobs, int tiles, int blocks)
{
    const int wave = l->machine.multiprocessors * blocks / (tiles > 0 ? tiles : 1);
    return jobs < wave ? jobs : wave > 0 ? wave : 1;
}

int sq_cuda_walk_parts(const sq_cuda_lowering *l, int rows, int width, int blocks)
{
    enum {
        WALK_VECTORS = 32,
        WALK_ROWS = 8
    }; /* widest slab of walk.cuh; rows that a block reads at once at that width */
    const int slabs = (sq_cuda_padded(width) / SQ_CUDA_VECTOR - 1) / WALK_VECTORS + 1;
    return sq_cuda_parts_for(l, (rows - 1) / WALK_ROWS + 1, slabs, blocks);
}

float *sq_cuda_reserve_partials(sq_cuda_lowering *l, int parts, int rows, int width)
{
    return sq_cuda_reserve(l, (size_t)parts * (size_t)rows * (size_t)width * sizeof(float));
}

double sq_cuda_partial_bytes(int parts, int rows, int width)
{
    return (double)parts * rows * width * sizeof(float);
}

/* ---- Launches that several operations share ---- */

void sq_cuda_append_merge_moments(sq_cuda_lowering *l, sq_cuda_parts moments, int row_block)
{
    sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_MERGE_MOMENTS);
    launch->args.merge_moments = (sq_cuda_merge_moments){.norm = sq_cuda_norm_of(l, l->op->out_norm),
                                                         .partial = moments.partial,
                                                         .parts = moments.parts,
                                                         .rows = sq_cuda_row_count(sq_cuda_slot(l, l->op->out)),
                                                         .row_block = row_block,
                                                         .step = sq_cuda_step(l)};
    launch->bytes = sq_cuda_partial_bytes(moments.parts, row_block ? 2 : 3, launch->args.merge_moments.norm.pitch);
}

void sq_cuda_append_merge_sums(sq_cuda_lowering *l, sq_view view, sq_cuda_parts sums, int width)
{
    const sq_slot *s = sq_cuda_slot(l, view.slot), *live = sq_cuda_slot(l, l->graph->norms[view.norm].live);
    sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_MERGE_SUMS);
    launch->args.merge_sums = (sq_cuda_merge_sums){.live = sq_cuda_address(l, l->graph->norms[view.norm].live),
                                                   .c = s->c,
                                                   .pitch = live->pitch,
                                                   .width = width,
                                                   .partial = sums.partial,
                                                   .parts = sums.parts,
                                                   .inverse_count = 1 / (float)sq_cuda_row_count(s)};
    launch->bytes = sq_cuda_partial_bytes(sums.parts, 2, width);
}

void sq_cuda_append_sums_of_stored(sq_cuda_lowering *l, sq_view view, int dx)
{
    const sq_slot *s = sq_cuda_slot(l, dx);
    const int rows = sq_cuda_row_count(s), width = sq_cuda_padded(s->c);
    const int parts = sq_cuda_walk_parts(l, rows, width, SQ_CUDA_JOIN_BACKWARD_BLOCKS);
    const sq_cuda_target target = {.view = view, .dx = dx, .part = SQ_ALL, .addend = SQ_NONE};
    const sq_cuda_sink sink = sq_cuda_sink_of(l, &target);
    const sq_cuda_parts sums = {parts, sq_cuda_reserve_partials(l, parts, 2, width)};
    sq_cuda_launch *launch = sq_cuda_append(l, SQ_CUDA_JOIN_BACKWARD);
    launch->args.join_backward = (sq_cuda_join_backward){
        .grad = sink.data, .grad_pitch = s->pitch, .grad_c = s->c, .sink = sink, .rows = rows, .parts = sums};
    launch->bytes = 2 * sq_cuda_view_bytes(l, view) + sq_cuda_partial_bytes(parts, 2, width);
    sq_cuda_append_merge_sums(l, view, sums, width);
}
