#ifndef SQ_CUDA_LOWER_PROLOGUE_H
#define SQ_CUDA_LOWER_PROLOGUE_H

#include "kernels/cuda/launches/lowering.h"

/* Launches at the start of a program, before its first operation. Their workspace lives as long as the program. */
void sq_cuda_lower_prologue(sq_cuda_lowering *l);

#endif
