/* The kernels of one instruction set, as a table. */
#include "kernels/cpu/cpu.h"

#define KIND(kind) .kind = {SQ_CPU_NAME(kind##_prepare), SQ_CPU_NAME(kind##_run)}

const sq_cpu_table SQ_CPU_NAME(table) = {
    KIND(image),      KIND(pointwise), KIND(pointwise_back), KIND(depthwise), KIND(depthwise_back), KIND(dense),
    KIND(dense_back), KIND(gate),      KIND(gate_back),      KIND(join),      KIND(join_back),      KIND(pool),
    KIND(pool_back),  KIND(linear),    KIND(linear_back),    KIND(loss),      KIND(update),
};
