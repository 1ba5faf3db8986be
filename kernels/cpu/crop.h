#ifndef SQ_CPU_CUT_H
#define SQ_CPU_CUT_H

#include "kernels/backend.h"
#include "kernels/image/resize.h"

/* What the cpu backend's cut() needs: memory of each thread's resizing, which grows with the largest crop. */

typedef struct sq_cpu_cutter sq_cpu_cutter;

SQ_MUST_USE sq_status sq_cpu_cutter_open(sq_cpu_cutter **out, int threads);
void sq_cpu_cutter_close(sq_cpu_cutter *cutter); /* accepts NULL */
SQ_MUST_USE sq_status sq_cpu_cut(sq_cpu_cutter *cutter, sq_device_ptr images, const sq_cut *cuts, int count, int side,
                                 sq_device_ptr out);

#endif
