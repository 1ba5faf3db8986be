#ifndef SQ_CROP_H
#define SQ_CROP_H

#include "kernels/backend.h"
#include "kernels/image/resize.h"

/* Implements crop() of the cpu backend. Each thread has working memory, which grows with the largest crop. */

typedef struct sq_cpu_cropper sq_cpu_cropper;

SQ_MUST_USE sq_status sq_cpu_cropper_open(sq_cpu_cropper **out, int threads);
void sq_cpu_cropper_close(sq_cpu_cropper *cropper); /* accepts NULL */
SQ_MUST_USE sq_status sq_cpu_crop(sq_cpu_cropper *cropper, const sq_crop_batch *batch);

#endif
