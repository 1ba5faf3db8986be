#ifndef SQ_CUDA_LAUNCH_LIST_H
#define SQ_CUDA_LAUNCH_LIST_H

#include "kernels/cuda/convolution/convolution.h"
#include "kernels/cuda/operations/normalize.h"
#include "kernels/cuda/operations/operations.h"
#include "kernels/cuda/vendor/vendor.h"

/* Internal to the cuda backend: a program as a list of kernel launches with fixed arguments.
 *
 * Each row of SQ_CUDA_LAUNCHES is one launcher. From it follow the constant SQ_CUDA_<KIND>, the arguments (type
 * sq_cuda_<name>, member <name> of the union), the name in reports, the call of sq_cuda_<name>_run (launch.c) and the
 * call of describe_<name> (describe.c). */
#define SQ_CUDA_LAUNCHES(ROW)                                                                                          \
    ROW(POINTWISE, pointwise)                                                                                          \
    ROW(WEIGHT_GRADIENT, weight_gradient)                                                                              \
    ROW(FUSED_BACKWARD, fused_backward)                                                                                \
    ROW(DEPTHWISE, depthwise)                                                                                          \
    ROW(DEPTHWISE_BACKWARD, depthwise_backward)                                                                        \
    ROW(MERGE_MOMENTS, merge_moments)                                                                                  \
    ROW(FIXED_NORMS, fixed_norms)                                                                                      \
    ROW(MERGE_SUMS, merge_sums)                                                                                        \
    ROW(MERGE_GRADIENT, merge_gradient)                                                                                \
    ROW(PACK_WEIGHTS, pack_weights)                                                                                    \
    ROW(JOIN, join)                                                                                                    \
    ROW(JOIN_BACKWARD, join_backward)                                                                                  \
    ROW(POOL, pool)                                                                                                    \
    ROW(GATE, gate)                                                                                                    \
    ROW(GATE_BACKWARD, gate_backward)                                                                                  \
    ROW(POOL_BACKWARD, pool_backward)                                                                                  \
    ROW(GEMM, gemm)                                                                                                    \
    ROW(COLUMN_SUMS, column_sums)                                                                                      \
    ROW(LOSS, loss)                                                                                                    \
    ROW(UPDATE, update)                                                                                                \
    ROW(IMAGE, image)                                                                                                  \
    ROW(COLUMN_MOMENTS, column_moments)                                                                                \
    ROW(FORM_GRADIENT, form_gradient)                                                                                  \
    ROW(CONVERT, convert)

#define SQ_CUDA_KIND(KIND, name) SQ_CUDA_##KIND,
typedef enum {
    SQ_CUDA_VENDOR_CONVOLUTION, /* a call of cuDNN */
    SQ_CUDA_VENDOR_PRODUCT,     /* a call of cuBLASLt */
    SQ_CUDA_LAUNCHES(SQ_CUDA_KIND) SQ_CUDA_KERNELS
} sq_cuda_kernel;
#undef SQ_CUDA_KIND

typedef struct {
    sq_cuda_kernel kernel;
    int op;            /* index of the graph operation that the launch belongs to */
    double bytes;      /* device memory traffic of the operands, each counted once per pass over it */
    double operations; /* multiply-adds of the operation's definition */
    union {
#define SQ_CUDA_ARGUMENTS(KIND, name) sq_cuda_##name name;
        SQ_CUDA_LAUNCHES(SQ_CUDA_ARGUMENTS)
#undef SQ_CUDA_ARGUMENTS
        sq_vendor_call *vendor; /* owned by the program; NULL in a launch list without addresses */
    } args;
} sq_cuda_launch;

struct sq_program {
    char name[128];
    sq_cuda_launch *launches; /* owned */
    int count, capacity;
    cudaGraphExec_t graph; /* owned; NULL: the launches are issued one by one */
};

const char *sq_cuda_kernel_name(sq_cuda_kernel kernel);
bool sq_cuda_launch_is_vendor(const sq_cuda_launch *launch); /* a call of cuDNN or cuBLASLt */

#endif
