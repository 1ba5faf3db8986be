#ifndef SQ_CUDA_MEASURE_H
#define SQ_CUDA_MEASURE_H

#include "kernels/cuda/backend.h"

/* Timings by the device's clock. Members of sq_backend_ops (kernels/backend.h). */

sq_status sq_cuda_measure(sq_backend *base, const sq_program *p, int repeats, double *seconds);
bool sq_cuda_program_part(const sq_program *p, int index, sq_program_part *out);
sq_status sq_cuda_measure_part(sq_backend *base, const sq_program *p, int index, int repeats, double *seconds);
sq_status sq_cuda_copy_bandwidth(sq_backend *base, double *bytes_per_second);

#endif
