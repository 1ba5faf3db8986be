#ifndef SQ_TRANSFORM_H
#define SQ_TRANSFORM_H

#include <stdbool.h>

#include "kernels/base/rng.h"
#include "kernels/image/resize.h"

/* Random crops, flips and colour jitter are drawn as torchvision draws them. The host crops and resizes. Flip and
 * jitter are parameters, which the backend applies (SQ_OP_IMAGE). */

typedef struct {
    bool is_augmented;             /* false: resize the short side to resolution / crop_fraction, then centre crop */
    int resolution;                /* side of the output in pixels */
    double crop_fraction;          /* side of the centre crop / short side; 224 / 256 = 0.875 */
    double area_min, area_max;     /* random resized crop: fraction of the image's area, 0.08 .. 1 */
    double aspect_min, aspect_max; /* width / height, 3/4 .. 4/3 */
    double flip;                   /* probability of a horizontal flip */
    double brightness, contrast, saturation; /* jitter factors are drawn from [max(0, 1 - x), 1 + x] */
} sq_transform;

/* Returns a random resized crop of an h x w image, in whole pixels. If ten attempts give no crop that fits, returns the
 * largest centre crop within the aspect bounds. source: torchvision, RandomResizedCrop.get_params */
sq_crop sq_transform_crop(const sq_transform *transform, int h, int w, sq_rng *rng);

/* Returns the rectangle, in source pixels, that remains after "resize the short side, then centre crop". */
sq_crop sq_transform_centre(const sq_transform *transform, int h, int w);

/* Draws the flip, the jitter order and the jitter factors of one image for SQ_OP_IMAGE. The values are neutral if the
 * transform is not augmenting.
 * augment   SQ_AUGMENT_COUNT values */
void sq_transform_draw(const sq_transform *transform, sq_rng *rng, float *augment);

#endif
