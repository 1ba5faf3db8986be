#ifndef SQ_TRANSFORM_H
#define SQ_TRANSFORM_H

#include <stdbool.h>

#include "kernels/base/rng.h"
#include "kernels/image/resize.h"

/* What to crop, flip and jitter: pure functions of (seed, epoch, index). The crop is cut and resized on the host; flip
 * and jitter are parameters that the device applies (SQ_OP_IMAGE). */

typedef struct {
    bool is_augmented;             /* false: resize the short side to resolution / crop_fraction, centre crop */
    int resolution;                /* output side */
    double crop_fraction;          /* 224 / 256 = 0.875 */
    double area_min, area_max;     /* random resized crop: share of the image, 0.08 .. 1 */
    double aspect_min, aspect_max; /* 3/4 .. 4/3 */
    double flip;                   /* probability */
    double brightness, contrast, saturation; /* jitter factors in [max(0, 1 - x), 1 + x] */
} sq_transform;

/* torchvision's RandomResizedCrop (ten tries, then a centre crop within the aspect bounds), whole pixels. */
sq_crop sq_transform_crop(const sq_transform *transform, int h, int w, sq_rng *rng);
/* The rectangle of "resize the short side, then centre crop" in source pixels. */
sq_crop sq_transform_centre(const sq_transform *transform, int h, int w);

/* Flip, order and factors for one image, as SQ_OP_IMAGE reads them. Neutral values when not augmented. */
void sq_transform_draw(const sq_transform *transform, sq_rng *rng, float *augment);

#endif
