#ifndef SQ_TEST_PILLOW_H
#define SQ_TEST_PILLOW_H

#include "kernels/image/resize.h"

/* Image.resize((size, size), BILINEAR, box) of h x w RGB pixels: first across, then down, with 8 bits between. */
void pillow_resize(const uint8_t *pixels, int h, int w, sq_crop box, int size, uint8_t *out);
/* Image.crop, then resize of the whole crop: torchvision's resized_crop. w: of the image */
void pillow_crop_resize(const uint8_t *pixels, int w, sq_crop crop, int size, uint8_t *out);

#endif
