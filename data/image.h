#ifndef SQ_IMAGE_H
#define SQ_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/base/status.h"

/* Encoded bytes -> RGB. JPEG by libjpeg-turbo, everything else (and what libjpeg-turbo refuses) by stb_image; the first
 * bytes decide, never the name. */

typedef struct {
    uint8_t *pixels; /* h * w * 3, RGB; owned: sq_image_clear */
    size_t capacity; /* bytes at pixels; a decoder reuses them when they suffice */
    int h, w;
} sq_image;

void sq_image_clear(sq_image *image); /* frees; the image is zero again */

/* Decodes to 8-bit RGB: grey is repeated, CMYK and YCCK converted, alpha dropped, 16 bits rounded to 8.
 * max_pixels: larger images are refused before memory is taken.
 * returns   SQ_DATA with "<name>: why" for empty, truncated, unknown or too large input; SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_image_decode(sq_image *out, const void *bytes, size_t size, const char *name,
                                      size_t max_pixels);

#endif
