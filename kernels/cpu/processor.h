#ifndef SQ_PROCESSOR_H
#define SQ_PROCESSOR_H

#include <stddef.h>

/* Which kernels this processor gets: ours (baseline, avx2, avx512) and those of OpenBLAS. */

/* OpenBLAS and OpenMP read their environment when they are loaded. Where OpenBLAS knows the processor less well than it
 * could (a new AMD with AVX-512 gets AVX2 kernels: half the speed), this sets OPENBLAS_CORETYPE; it makes OpenMP's
 * threads spin only shortly (GOMP_SPINCOUNT); and starts the program again, once. Call it first in main(). Variables
 * that the user has set are left alone. */
void sq_cpu_choose_kernels(char **argv);

/* "avx512, OpenBLAS SkylakeX, 2 cores" */
void sq_cpu_describe(char *text, size_t bytes);

#endif
