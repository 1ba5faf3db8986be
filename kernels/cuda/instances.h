#ifndef SQ_CUDA_INSTANCES_H
#define SQ_CUDA_INSTANCES_H

#include <cuda_runtime_api.h>

#include "kernels/base/status.h"

/* The kernels of the cuda backend, one row per template instance. Each .cu file lists its own below its launchers;
 * instances.c joins the lists and loads every kernel when a device is opened.
 *
 * The rule to know: CUDA loads kernels lazily, and loading may synchronise with the device. A first launch inside a
 * stream capture can therefore fail, and one beside a reduction can wait for a rank that is gone.
 * tests/kernels/test_cuda_instances.c compares these rows with the kernels that nvcc compiled
 * (tests/fixtures/cuda_resources.csv). */

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const char *name;     /* as in cuda_resources.csv; NULL ends a list */
    const void *function; /* host address of the kernel */
    int threads;          /* per block */
    int shared_bytes;     /* dynamic shared memory of a launch, at most */
    int blocks;           /* per multiprocessor, as the planner assumes; 0: the grid follows the shape alone */
} sq_cuda_instance;

#define SQ_CUDA_INSTANCE(threads, shared_bytes, blocks, ...)                                                           \
    {                                                                                                                  \
#__VA_ARGS__, (const void *)(__VA_ARGS__), threads, shared_bytes, blocks                                       \
    }
#define SQ_CUDA_INSTANCES_END                                                                                          \
    {                                                                                                                  \
        NULL, NULL, 0, 0, 0                                                                                            \
    }

extern const sq_cuda_instance sq_cuda_pointwise_instances[], sq_cuda_weight_gradient_instances[],
    sq_cuda_fused_backward_instances[], sq_cuda_depthwise_instances[], sq_cuda_depthwise_backward_instances[],
    sq_cuda_statistics_instances[], sq_cuda_pack_weights_instances[], sq_cuda_join_instances[],
    sq_cuda_pool_instances[], sq_cuda_classifier_instances[], sq_cuda_update_instances[], sq_cuda_image_instances[],
    sq_cuda_crop_instances[], sq_cuda_normalize_instances[], sq_cuda_bf16_pack_instances[],
    sq_cuda_nonfinite_instances[];

/* The index-th of all instances; NULL after the last. */
const sq_cuda_instance *sq_cuda_instance_at(int index);

/* Loads every kernel onto the current device and allows it its dynamic shared memory. Blocks; afterwards no launch
 * loads anything. SQ_DEVICE: the program holds no code of a kernel for this device, or the device failed. */
SQ_MUST_USE sq_status sq_cuda_load_instances(const char *backend);

#ifdef __cplusplus
}
#endif
#endif
