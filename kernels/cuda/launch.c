/* Runs a planned launch: the one place that knows every launcher. Planning alone (count.c) does without it. */
#include <stdlib.h>

#include "kernels/cuda/launches/launch_list.h"

cudaError_t sq_cuda_launch_run(const sq_cuda_launch *launch, cudaStream_t stream)
{
    switch (launch->kernel) {
    case SQ_CUDA_POINTWISE:
        return sq_cuda_pointwise_run(&launch->args.pointwise, stream);
    case SQ_CUDA_WEIGHT_GRADIENT:
        return sq_cuda_weight_gradient_run(&launch->args.weight_gradient, stream);
    case SQ_CUDA_FUSED_BACKWARD:
        return sq_cuda_fused_backward_run(&launch->args.fused_backward, stream);
    case SQ_CUDA_DEPTHWISE:
        return sq_cuda_depthwise_run(&launch->args.depthwise, stream);
    case SQ_CUDA_DEPTHWISE_BACKWARD:
        return sq_cuda_depthwise_backward_run(&launch->args.depthwise_backward, stream);
    case SQ_CUDA_MERGE_MOMENTS:
        return sq_cuda_merge_moments_run(&launch->args.merge_moments, stream);
    case SQ_CUDA_FIXED_NORMS:
        return sq_cuda_fixed_norms_run(&launch->args.fixed_norms, stream);
    case SQ_CUDA_MERGE_SUMS:
        return sq_cuda_merge_sums_run(&launch->args.merge_sums, stream);
    case SQ_CUDA_MERGE_GRADIENT:
        return sq_cuda_merge_gradient_run(&launch->args.merge_gradient, stream);
    case SQ_CUDA_PACK_WEIGHTS:
        return sq_cuda_pack_weights_run(&launch->args.pack_weights, stream);
    case SQ_CUDA_JOIN:
        return sq_cuda_join_run(&launch->args.join, stream);
    case SQ_CUDA_JOIN_BACKWARD:
        return sq_cuda_join_backward_run(&launch->args.join_backward, stream);
    case SQ_CUDA_POOL:
        return sq_cuda_pool_run(&launch->args.pool, stream);
    case SQ_CUDA_GATE:
        return sq_cuda_gate_run(&launch->args.gate, stream);
    case SQ_CUDA_GATE_BACKWARD:
        return sq_cuda_gate_backward_run(&launch->args.gate_backward, stream);
    case SQ_CUDA_POOL_BACKWARD:
        return sq_cuda_pool_backward_run(&launch->args.pool_backward, stream);
    case SQ_CUDA_GEMM:
        return sq_cuda_gemm_run(&launch->args.gemm, stream);
    case SQ_CUDA_COLUMN_SUMS:
        return sq_cuda_column_sums_run(&launch->args.column_sums, stream);
    case SQ_CUDA_LOSS:
        return sq_cuda_loss_run(&launch->args.loss, stream);
    case SQ_CUDA_UPDATE:
        return sq_cuda_update_run(&launch->args.update, stream);
    case SQ_CUDA_IMAGE:
        return sq_cuda_image_run(&launch->args.image, stream);
    case SQ_CUDA_COLUMN_MOMENTS:
        return sq_cuda_column_moments_run(&launch->args.column_moments, stream);
    case SQ_CUDA_FORM_GRADIENT:
        return sq_cuda_form_gradient_run(&launch->args.form_gradient, stream);
    case SQ_CUDA_CONVERT:
        return sq_cuda_convert_run(&launch->args.convert, stream);
    case SQ_CUDA_VENDOR_CONVOLUTION:
    case SQ_CUDA_VENDOR_PRODUCT: /* on the stream that the libraries were opened with: the backend has one */
        return sq_vendor_run(launch->args.vendor) == SQ_OK ? cudaSuccess : cudaErrorUnknown;
    case SQ_CUDA_KERNELS:
        break;
    }
    return cudaErrorInvalidValue;
}

void sq_cuda_launches_free(sq_cuda_launch *launches, int count)
{
    for (int i = 0; i < count; i++)
        if (launches[i].kernel == SQ_CUDA_VENDOR_CONVOLUTION || launches[i].kernel == SQ_CUDA_VENDOR_PRODUCT)
            sq_vendor_release(launches[i].args.vendor);
    free(launches);
}
