/* All kernels of the backend, and loading them. */
#include "kernels/cuda/instances.h"

enum {
    SHARED_WITHOUT_ASKING = 48 << 10
}; /* CUDA C++ Programming Guide, "Compute Capabilities", technical specifications */

static const sq_cuda_instance *const lists[] = {
    sq_cuda_pointwise_instances,
    sq_cuda_weight_gradient_instances,
    sq_cuda_fused_backward_instances,
    sq_cuda_depthwise_instances,
    sq_cuda_depthwise_backward_instances,
    sq_cuda_statistics_instances,
    sq_cuda_pack_weights_instances,
    sq_cuda_join_instances,
    sq_cuda_pool_instances,
    sq_cuda_classifier_instances,
    sq_cuda_update_instances,
    sq_cuda_image_instances,
    sq_cuda_crop_instances,
    sq_cuda_normalize_instances,
    sq_cuda_bf16_pack_instances,
    sq_cuda_nonfinite_instances,
};

const sq_cuda_instance *sq_cuda_instance_at(int index)
{
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (const sq_cuda_instance *row = lists[i]; row->name; row++)
            if (index-- == 0)
                return row;
    return NULL;
}

/* cudaFuncGetAttributes loads the function: CUDA C++ Programming Guide, "Lazy Loading". */
static cudaError_t load(const sq_cuda_instance *instance)
{
    struct cudaFuncAttributes attributes;
    const cudaError_t error = cudaFuncGetAttributes(&attributes, instance->function);
    if (error != cudaSuccess || instance->shared_bytes <= SHARED_WITHOUT_ASKING)
        return error;
    return cudaFuncSetAttribute(instance->function, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                instance->shared_bytes);
}

sq_status sq_cuda_load_instances(const char *backend)
{
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (const sq_cuda_instance *row = lists[i]; row->name; row++) {
            const cudaError_t error = load(row);
            if (error != cudaSuccess)
                return sq_fail(SQ_DEVICE, "%s: kernel %s cannot be loaded: %s", backend, row->name,
                               cudaGetErrorString(error));
        }
    return SQ_OK;
}
