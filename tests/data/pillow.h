#ifndef SQ_TEST_PILLOW_H
#define SQ_TEST_PILLOW_H

#include "kernels/image/resize.h"

/* Pillow's bilinear resizing of RGB images, for comparison with Squall's. Outputs are size x size pixels. */

/* Computes Image.resize((size, size), BILINEAR, box). The horizontal pass comes first, and its result is rounded to 8
 * bits before the vertical pass. */
void pillow_resize(const sq_pixels *from, sq_crop box, int size, uint8_t *out);
/* Computes Image.crop(crop).resize((size, size), BILINEAR), as torchvision's resized_crop. w: width of the image in
 * pixels */
void pillow_crop_resize(const uint8_t *pixels, int w, sq_crop crop, int size, uint8_t *out);

#endif
