#ifndef SQ_IMAGE_H
#define SQ_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/base/status.h"

/* All decoders share these types of decoded and encoded images. */

/* The default limit on the number of pixels of an image. Pillow refuses larger images as decompression bombs. */
enum { SQ_IMAGE_MAX_PIXELS = 178956970 };

/* A decoded image, or a rectangle of one. */
typedef struct {
    uint8_t *pixels;      /* h * w * 3, RGB; owned, freed by sq_image_clear */
    size_t capacity;      /* bytes allocated at `pixels`; decoders reuse them */
    int y, x, h, w;       /* the rectangle that `pixels` contains */
    int whole_h, whole_w; /* size of the whole image, after reduction */
    int reduction;        /* 1, 2, 4 or 8: the inverse DCT reduced each side to ceil(side / reduction) */
} sq_image;

/* A rectangle to decode, in pixels of the whole image after reduction. */
typedef struct {
    int y, x, h, w;
    int reduction; /* 1, 2, 4 or 8 */
} sq_image_region;

/* An encoded image; its pointers are borrowed. */
typedef struct {
    const void *bytes;
    size_t size;
    const char *name;  /* for error messages */
    size_t max_pixels; /* larger images are refused before memory is allocated */
} sq_encoded_image;

/* Frees the pixels and sets the image to zero. */
void sq_image_clear(sq_image *image);

/* Allocates memory for a whole image of h x w pixels and sets the sizes of `image`. The previous pixels are lost.
 * returns   SQ_NO_MEMORY; the error text contains `name` */
SQ_MUST_USE sq_status sq_image_reserve(sq_image *image, int h, int w, const char *name);

/* Checks the size that an encoded image declares.
 * returns   SQ_DATA if the image has no pixels or more than max_pixels */
SQ_MUST_USE sq_status sq_image_check_size(const sq_encoded_image *encoded, size_t h, size_t w);

#endif
