#ifndef SQ_KERNELS_H
#define SQ_KERNELS_H

#include "kernels/cpu/cpu.h"

/* Declares the kernels of the instruction set SQ_CPU_ISA. A file that includes this header is compiled once per
 * instruction set. */

#define SQ_CPU_PASTE2(name, isa) sq_cpu_##name##_##isa
#define SQ_CPU_PASTE(name, isa)  SQ_CPU_PASTE2(name, isa)
#define SQ_CPU_NAME(name)        SQ_CPU_PASTE(name, SQ_CPU_ISA)

#define SQ_CPU_KIND(kind)                                                                                              \
    void SQ_CPU_NAME(kind##_prepare)(sq_cpu_call * call, size_t * shared, size_t * scratch);                           \
    void SQ_CPU_NAME(kind##_run)(const sq_cpu_call *call);
SQ_CPU_KIND(image)
SQ_CPU_KIND(pointwise)
SQ_CPU_KIND(pointwise_back)
SQ_CPU_KIND(depthwise)
SQ_CPU_KIND(depthwise_back)
SQ_CPU_KIND(dense)
SQ_CPU_KIND(dense_back)
SQ_CPU_KIND(gate)
SQ_CPU_KIND(gate_back)
SQ_CPU_KIND(join)
SQ_CPU_KIND(join_back)
SQ_CPU_KIND(pool)
SQ_CPU_KIND(pool_back)
SQ_CPU_KIND(linear)
SQ_CPU_KIND(linear_back)
SQ_CPU_KIND(loss)
SQ_CPU_KIND(update)

#endif
