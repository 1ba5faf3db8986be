#ifndef SQ_CUDA_DESCRIBE_H
#define SQ_CUDA_DESCRIBE_H

#include "kernels/cuda/launches/launch_list.h"

/* The launch as reports and the table of counts (configs/gpus/counts.csv) name it. The fields `variant` and `sizes`
 * stay empty for calls of NVIDIA's libraries and for the passes around them, which the table does not cover. */
sq_program_part sq_cuda_describe_launch(const sq_cuda_launch *launch);

#endif
