/* Lists and loads all kernels of the backend. */
#include "kernels/cuda/instances.h"

/* Kernels may use this much dynamic shared memory without cudaFuncSetAttribute: CUDA C++ Programming Guide, "Compute
 * Capabilities", technical specifications. */
enum { DEFAULT_SHARED_BYTES = 48 << 10 };

static const sq_cuda_instance *const lists[] = {
#define LIST(name) sq_cuda_##name##_instances,
    SQ_CUDA_INSTANCE_LISTS(LIST)
#undef LIST
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
    if (error != cudaSuccess || instance->shared_bytes <= DEFAULT_SHARED_BYTES)
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
