/* Launches at the start of a program: the BF16 copies of all weights, and the norms that use running statistics. */
#include "kernels/cuda/launches/lower_prologue.h"

#include "kernels/cuda/launches/lower_convolution.h"
#include "kernels/cuda/vendor/lower_vendor.h"

/* Squall's depthwise kernels read the FP32 weights themselves. */
static bool has_weight_matrix(const sq_cuda_lowering *l, const sq_op *op)
{
    const bool is_read = op->kind == SQ_OP_CONV || (op->kind == SQ_OP_CONV_BACK && op->dx != SQ_NONE);
    return is_read && (!op->is_depthwise || l->is_vendor[op - l->graph->ops]);
}

static void append_pack_weights(sq_cuda_lowering *l)
{
    sq_cuda_launch *launch = NULL;
    for (int i = 0; i < l->graph->op_count; i++) {
        const sq_op *op = &l->graph->ops[i];
        if (!has_weight_matrix(l, op))
            continue;
        if (!launch || launch->args.pack_weights.count == SQ_CUDA_PACK_WEIGHTS_JOBS)
            launch = sq_cuda_append(l, SQ_CUDA_PACK_WEIGHTS);
        sq_cuda_pack_weights_job job =
            l->is_vendor[i] ? sq_cuda_vendor_weight_matrix(l, op) : sq_cuda_weight_matrix(l, op);
        const size_t count = (size_t)job.rows * (size_t)job.depth;
        l->packed[i] = job.to = sq_cuda_reserve(l, count * sizeof(sq_bf16));
        launch->args.pack_weights.jobs[launch->args.pack_weights.count++] = job;
        launch->bytes += (double)job.c_out * job.c_in * job.taps * sizeof(float) + (double)count * sizeof(sq_bf16);
    }
}

static void append_fixed_norms(sq_cuda_lowering *l)
{
    sq_cuda_launch *launch = NULL;
    for (int i = 0; i < l->graph->op_count; i++) {
        const sq_op *op = &l->graph->ops[i];
        if (op->kind != SQ_OP_CONV || op->statistics != SQ_STATISTICS_FIXED)
            continue;
        if (!launch || launch->args.fixed_norms.count == SQ_CUDA_FIXED_NORMS_LIMIT)
            launch = sq_cuda_append(l, SQ_CUDA_FIXED_NORMS);
        launch->args.fixed_norms.norms[launch->args.fixed_norms.count++] = sq_cuda_norm_of(l, op->out_norm);
        launch->bytes += 6.0 * l->graph->norms[op->out_norm].c * sizeof(float);
    }
}

void sq_cuda_lower_prologue(sq_cuda_lowering *l)
{
    l->op = l->graph->ops; /* reports assign these launches to the first operation */
    append_pack_weights(l);
    append_fixed_norms(l);
    l->program_bytes = l->used_bytes;
}
