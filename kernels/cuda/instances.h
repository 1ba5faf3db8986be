#ifndef SQ_CUDA_INSTANCES_H
#define SQ_CUDA_INSTANCES_H

#include <cuda_runtime_api.h>

#include "kernels/base/status.h"

/* The kernels of the cuda backend, one row per template instance. Each .cu file lists its instances after its
 * launchers; instances.c joins the lists and loads every kernel when a device is opened.
 *
 * Rule: CUDA loads kernels lazily, and loading may synchronize with the device. Therefore a first launch
 * inside a stream capture can fail, and one during a reduction can wait for a lost rank.
 * tests/kernels/test_cuda_instances.c compares these rows with the kernels that nvcc compiled
 * (tests/fixtures/cuda_resources.csv). */

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const char *name;     /* as in cuda_resources.csv; NULL ends a list */
    const void *function; /* host address of the kernel */
    int threads;          /* per block */
    int shared_bytes;     /* maximum dynamic shared memory of a launch */
    int blocks;           /* per multiprocessor, as lowering assumes; 0: the grid depends on the shape only */
} sq_cuda_instance;

/* clang-format off */
#define SQ_CUDA_INSTANCE(threads, shared_bytes, blocks, ...)                                                           \
    {#__VA_ARGS__, (const void *)(__VA_ARGS__), threads, shared_bytes, blocks}
#define SQ_CUDA_INSTANCES_END {NULL, NULL, 0, 0, 0}
/* clang-format on */

/* One row per .cu file, which defines sq_cuda_<name>_instances. */
#define SQ_CUDA_INSTANCE_LISTS(ROW)                                                                                    \
    ROW(pointwise)                                                                                                     \
    ROW(weight_gradient)                                                                                               \
    ROW(fused_backward)                                                                                                \
    ROW(depthwise)                                                                                                     \
    ROW(depthwise_backward)                                                                                            \
    ROW(statistics)                                                                                                    \
    ROW(pack_weights)                                                                                                  \
    ROW(join)                                                                                                          \
    ROW(pool)                                                                                                          \
    ROW(classifier)                                                                                                    \
    ROW(update)                                                                                                        \
    ROW(image)                                                                                                         \
    ROW(crop)                                                                                                          \
    ROW(normalize)                                                                                                     \
    ROW(bf16_pack)                                                                                                     \
    ROW(nonfinite)

#define SQ_CUDA_INSTANCE_LIST(name) extern const sq_cuda_instance sq_cuda_##name##_instances[];
SQ_CUDA_INSTANCE_LISTS(SQ_CUDA_INSTANCE_LIST)
#undef SQ_CUDA_INSTANCE_LIST

/* The index-th of all instances; NULL after the last. */
const sq_cuda_instance *sq_cuda_instance_at(int index);

/* Loads every kernel onto the current device and enables its dynamic shared memory. Blocks; afterwards no launch loads
 * anything. SQ_DEVICE: the program has no code of a kernel for this device, or the device failed. */
SQ_MUST_USE sq_status sq_cuda_load_instances(const char *backend);

#ifdef __cplusplus
}
#endif
#endif
