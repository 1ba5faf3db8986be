#ifndef SQ_TRANSFORM_H
#define SQ_TRANSFORM_H

#include "data/image.h"
#include "kernels/base/rng.h"

#include <stdbool.h>

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

/* A rectangle of the source image, in pixels. is_cut: cut out before it is resized, so that nothing around it is seen.
 */
typedef struct {
    double x, y, w, h;
    bool is_cut;
} sq_crop;

/* torchvision's RandomResizedCrop (ten tries, then a centre crop within the aspect bounds), whole pixels. */
sq_crop sq_transform_crop(const sq_transform *transform, int h, int w, sq_rng *rng);
/* The rectangle of "resize the short side, then centre crop" in source pixels. */
sq_crop sq_transform_centre(const sq_transform *transform, int h, int w);

/* Flip, order and factors for one image, as SQ_OP_IMAGE reads them. Neutral values when not augmented. */
void sq_transform_draw(const sq_transform *transform, sq_rng *rng, float *augment);

/* Bilinear with antialias (triangle filter widened when shrinking, Pillow's definition) from a rectangle of `image` to
 * out (resolution, resolution, 3), within one grey level of Pillow. scratch grows with realloc. */
SQ_MUST_USE sq_status sq_transform_resize(const sq_image *image, sq_crop crop, int resolution, uint8_t *out,
                                          float **scratch, size_t *scratch_count);

#endif
