/* The table of kernels of one instruction set has one row per kind of operation. */
#include "kernels/cpu/kernels.h"

#define KERNEL(name)                                                                                                   \
    {                                                                                                                  \
        SQ_CPU_NAME(name##_prepare), SQ_CPU_NAME(name##_run)                                                           \
    }

_Static_assert(SQ_OP_KINDS == 13, "add a row for the new kind");
const sq_cpu_table SQ_CPU_NAME(table) = {{
    [SQ_OP_IMAGE] = {KERNEL(image)},
    [SQ_OP_CONV] = {KERNEL(dense), KERNEL(pointwise), KERNEL(depthwise)},
    [SQ_OP_CONV_BACK] = {KERNEL(dense_back), KERNEL(pointwise_back), KERNEL(depthwise_back)},
    [SQ_OP_GATE] = {KERNEL(gate)},
    [SQ_OP_GATE_BACK] = {KERNEL(gate_back)},
    [SQ_OP_JOIN] = {KERNEL(join)},
    [SQ_OP_JOIN_BACK] = {KERNEL(join_back)},
    [SQ_OP_POOL] = {KERNEL(pool)},
    [SQ_OP_POOL_BACK] = {KERNEL(pool_back)},
    [SQ_OP_LINEAR] = {KERNEL(linear)},
    [SQ_OP_LINEAR_BACK] = {KERNEL(linear_back)},
    [SQ_OP_LOSS] = {KERNEL(loss)},
    [SQ_OP_UPDATE] = {KERNEL(update)},
}};
