#ifndef SQ_CPU_KERNELS_H
#define SQ_CPU_KERNELS_H

#include <stddef.h>

/* Which kernels this processor gets: ours (baseline, avx2, avx512) and those of OpenBLAS. */

/* OpenBLAS reads OPENBLAS_CORETYPE when it is loaded. Where it knows the processor less well than it could (a new AMD
 * with AVX-512 gets AVX2 kernels: half the speed), this sets the variable and starts the program again, once. Call it
 * first in main(). A variable that the user has set is left alone. */
void sq_cpu_choose_kernels(char **argv);

/* "avx512, OpenBLAS SkylakeX, 2 cores" */
void sq_cpu_describe(char *text, size_t bytes);

#endif
