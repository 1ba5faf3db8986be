#ifndef SQ_TEST_PILLOW_H
#define SQ_TEST_PILLOW_H

#include "kernels/image/resize.h"

/* Pillow's bilinear resizing of whole RGB images, for comparison. Outputs are size x size. */

/* Image.resize((size, size), BILINEAR, box): first the horizontal pass, then the vertical one, rounded to 8 bits in
 * between. */
void pillow_resize(const sq_pixels *from, sq_crop box, int size, uint8_t *out);
/* Image.crop(crop).resize((size, size), BILINEAR), as torchvision's resized_crop. w: width of the image */
void pillow_crop_resize(const uint8_t *pixels, int w, sq_crop crop, int size, uint8_t *out);

#endif
