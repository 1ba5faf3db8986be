/* Runs a planned launch: the one place that knows every launcher. Planning alone (count.c) does without it. */
#include <stdlib.h>

#include "kernels/cuda/launches/launch_list.h"

cudaError_t sq_cuda_launch_run(const sq_cuda_launch *launch, cudaStream_t stream)
{
    switch (launch->kernel) {
    case SQ_CUDA_ROWS:
        return sq_cuda_rows_run(&launch->a.rows, stream);
    case SQ_CUDA_WEIGHT_GRADIENT:
        return sq_cuda_weight_gradient_run(&launch->a.weight_gradient, stream);
    case SQ_CUDA_FUSED_BACK:
        return sq_cuda_fused_back_run(&launch->a.fused_back, stream);
    case SQ_CUDA_DEPTHWISE:
        return sq_cuda_depthwise_run(&launch->a.depthwise, stream);
    case SQ_CUDA_DEPTHWISE_BACK:
        return sq_cuda_depthwise_back_run(&launch->a.depthwise_back, stream);
    case SQ_CUDA_MOMENTS:
        return sq_cuda_moments_run(&launch->a.moments, stream);
    case SQ_CUDA_FIXED:
        return sq_cuda_fixed_run(&launch->a.fixed, stream);
    case SQ_CUDA_SUMS:
        return sq_cuda_sums_run(&launch->a.sums, stream);
    case SQ_CUDA_GATHER_GRADIENT:
        return sq_cuda_gather_gradient_run(&launch->a.gather_gradient, stream);
    case SQ_CUDA_PACK:
        return sq_cuda_pack_run(&launch->a.pack, stream);
    case SQ_CUDA_JOIN:
        return sq_cuda_join_run(&launch->a.join, stream);
    case SQ_CUDA_JOIN_BACK:
        return sq_cuda_join_back_run(&launch->a.join_back, stream);
    case SQ_CUDA_POOL:
        return sq_cuda_pool_run(&launch->a.pool, stream);
    case SQ_CUDA_GATE:
        return sq_cuda_gate_run(&launch->a.gate, stream);
    case SQ_CUDA_GATE_BACK:
        return sq_cuda_gate_back_run(&launch->a.gate_back, stream);
    case SQ_CUDA_SPREAD:
        return sq_cuda_spread_run(&launch->a.spread, stream);
    case SQ_CUDA_GEMM:
        return sq_cuda_gemm_run(&launch->a.gemm, stream);
    case SQ_CUDA_COLUMN_SUMS:
        return sq_cuda_column_sums_run(&launch->a.column_sums, stream);
    case SQ_CUDA_LOSS:
        return sq_cuda_loss_run(&launch->a.loss, stream);
    case SQ_CUDA_UPDATE:
        return sq_cuda_update_run(&launch->a.update, stream);
    case SQ_CUDA_IMAGE:
        return sq_cuda_image_run(&launch->a.image, stream);
    case SQ_CUDA_COLUMN_MOMENTS:
        return sq_cuda_column_moments_run(&launch->a.column_moments, stream);
    case SQ_CUDA_FORM_GRADIENT:
        return sq_cuda_form_gradient_run(&launch->a.form_gradient, stream);
    case SQ_CUDA_WIDEN:
        return sq_cuda_widen_run(&launch->a.widen, stream);
    case SQ_CUDA_VENDOR_CONVOLUTION:
    case SQ_CUDA_VENDOR_PRODUCT: /* on the stream that the libraries were opened with: the backend has one */
        return sq_vendor_run(launch->a.vendor) == SQ_OK ? cudaSuccess : cudaErrorUnknown;
    case SQ_CUDA_KERNELS:
        break;
    }
    return cudaErrorInvalidValue;
}

void sq_cuda_launches_free(sq_cuda_launch *launches, int count)
{
    for (int i = 0; i < count; i++)
        if (launches[i].kernel == SQ_CUDA_VENDOR_CONVOLUTION || launches[i].kernel == SQ_CUDA_VENDOR_PRODUCT)
            sq_vendor_release(launches[i].a.vendor);
    free(launches);
}
