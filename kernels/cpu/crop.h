#ifndef SQ_CROP_H
#define SQ_CROP_H

#include "kernels/backend.h"
#include "kernels/image/resize.h"

/* What the cpu backend's crop() needs: memory of each thread's resizing, which grows with the largest crop. */

typedef struct sq_cpu_cropper sq_cpu_cropper;

SQ_MUST_USE sq_status sq_cpu_cropper_open(sq_cpu_cropper **out, int threads);
void sq_cpu_cropper_close(sq_cpu_cropper *cropper); /* accepts NULL */
SQ_MUST_USE sq_status sq_cpu_crop(sq_cpu_cropper *cropper, sq_device_ptr images, const sq_stored_crop *crops, int count,
                                  int side, sq_device_ptr out);

#endif
