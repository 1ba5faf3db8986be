/* The registry: which function lowers which kind of operation. */
#include "kernels/cuda/launches/lower_graph.h"

#include "kernels/cuda/launches/lower_convolution.h"
#include "kernels/cuda/launches/lower_operations.h"
#include "kernels/cuda/launches/lower_prologue.h"
#include "kernels/cuda/vendor/lower_vendor.h"

typedef void lower_function(sq_cuda_lowering *l);

/* One row per kind. vendor: to calls of NVIDIA's libraries; NULL: they do not compute this kind. */
static const struct {
    lower_function *squall, *vendor;
} functions[] = {
    [SQ_OP_IMAGE] = {sq_cuda_lower_image, NULL},
    [SQ_OP_CONV] = {sq_cuda_lower_conv, sq_cuda_lower_vendor_conv},
    [SQ_OP_CONV_BACK] = {sq_cuda_lower_conv_backward, sq_cuda_lower_vendor_conv_backward},
    [SQ_OP_GATE] = {sq_cuda_lower_gate, NULL},
    [SQ_OP_GATE_BACK] = {sq_cuda_lower_gate_backward, NULL},
    [SQ_OP_JOIN] = {sq_cuda_lower_join, NULL},
    [SQ_OP_JOIN_BACK] = {sq_cuda_lower_join_backward, NULL},
    [SQ_OP_POOL] = {sq_cuda_lower_pool, NULL},
    [SQ_OP_POOL_BACK] = {sq_cuda_lower_pool_backward, NULL},
    [SQ_OP_LINEAR] = {sq_cuda_lower_linear, sq_cuda_lower_vendor_linear},
    [SQ_OP_LINEAR_BACK] = {sq_cuda_lower_linear_backward, sq_cuda_lower_vendor_linear_backward},
    [SQ_OP_LOSS] = {sq_cuda_lower_loss, NULL},
    [SQ_OP_UPDATE] = {sq_cuda_lower_update, NULL},
};
_Static_assert(sizeof functions / sizeof *functions == SQ_OP_KINDS, "one row per kind of operation");

static sq_status check_slots(const sq_cuda_lowering *l)
{
    for (int i = 0; i < l->graph->slot_count; i++) {
        const sq_slot *s = &l->graph->slots[i];
        const bool is_image = s->c == 3 && s->pitch == 4;
        const int unit = s->is_split ? 2 * SQ_CUDA_VECTOR : SQ_CUDA_VECTOR;
        if (s->dtype == SQ_BF16 && s->pitch % unit && !is_image)
            return sq_fail(SQ_UNSUPPORTED, "%s: slot %d: found pitch %d, expected a multiple of %d", l->graph->name, i,
                           s->pitch, unit);
        const bool is_boundary = s->role == SQ_ROLE_BOUNDARY || s->role == SQ_ROLE_BOUNDARY_GRAD;
        if (s->dtype == SQ_F32 && is_boundary && s->h * s->w > 1)
            return sq_fail(SQ_UNSUPPORTED, "%s: slot %d: found a feature map in FP32, expected BF16", l->graph->name,
                           i);
    }
    return SQ_OK;
}

/* Every operation has a function for the engine that it is assigned to. */
static sq_status check_ops(const sq_cuda_lowering *l)
{
    if (l->graph->op_count > SQ_CUDA_MAX_OPS)
        return sq_fail(SQ_UNSUPPORTED, "%s: found %d operations, expected at most %d", l->graph->name,
                       l->graph->op_count, SQ_CUDA_MAX_OPS);
    for (int i = 0; i < l->graph->op_count; i++) {
        const sq_op_kind kind = l->graph->ops[i].kind;
        if (!(l->is_vendor[i] ? functions[kind].vendor : functions[kind].squall))
            return sq_fail(SQ_UNSUPPORTED, "%s: operation %d: the cuda backend has no %s", l->graph->name, i,
                           sq_op_name(kind));
    }
    return SQ_OK;
}

void sq_cuda_assign_vendor(sq_cuda_lowering *l, bool is_checked)
{
    for (int i = 0; i < l->graph->op_count && i < SQ_CUDA_MAX_OPS; i++) { /* sq_cuda_lower rejects more */
        const sq_op *op = &l->graph->ops[i];
        l->is_vendor[i] = functions[op->kind].vendor && (!is_checked || sq_cuda_check_vendor(l, op) == SQ_OK);
    }
}

sq_status sq_cuda_lower(sq_cuda_lowering *l)
{
    SQ_TRY(check_slots(l));
    SQ_TRY(check_ops(l));
    sq_cuda_lower_prologue(l);
    for (int i = 0; i < l->graph->op_count && l->status == SQ_OK; i++) {
        l->op = &l->graph->ops[i];
        l->used_bytes = l->program_bytes;
        (l->is_vendor[i] ? functions[l->op->kind].vendor : functions[l->op->kind].squall)(l);
    }
    return l->status;
}
