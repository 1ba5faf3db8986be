#ifndef SQ_PROCESSOR_H
#define SQ_PROCESSOR_H

#include <stddef.h>

/* Selects the kernels for this processor: Squall's instruction set (baseline, avx2, avx512) and the core type of
 * OpenBLAS. */

/* Sets environment variables that OpenBLAS and OpenMP read when they are loaded, and then executes the program again,
 * once. Must be called first in main(). OPENBLAS_CORETYPE is set on processors with AVX-512 for which OpenBLAS chooses
 * AVX2 kernels, which run at half the speed. GOMP_SPINCOUNT is set so that waiting threads spin only briefly. Variables
 * that are already set are not changed. */
void sq_cpu_choose_kernels(char **argv);

/* Writes "avx512, OpenBLAS SkylakeX, 2 cores". */
void sq_cpu_describe(char *text, size_t bytes);

#endif
