#ifndef SQ_IMAGE_H
#define SQ_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/base/status.h"

/* Encoded bytes -> RGB. JPEG by libjpeg-turbo, everything else by stb_image; the first bytes decide, never the name. */

typedef struct {
    uint8_t *pixels;      /* h * w * 3, RGB; owned: sq_image_clear */
    size_t capacity;      /* bytes at pixels; a decoder reuses them when they suffice */
    int y, x, h, w;       /* the rectangle of the whole that is at pixels */
    int whole_h, whole_w; /* the whole image, as decoded */
    int reduction;        /* 1; 2, 4 or 8: by the DCT, each side ceil(side / reduction) */
} sq_image;

/* A rectangle that is wanted, in pixels of the whole image as decoded: of ceil(side / reduction) a side. */
typedef struct {
    int y, x, h, w;
    int reduction; /* 1, 2, 4 or 8 */
} sq_image_region;

enum { SQ_IMAGE_MAX_PIXELS = 178956970 }; /* unless told otherwise: Pillow's limit against image bombs */

void sq_image_clear(sq_image *image); /* frees; the image is zero again */

/* Room for h x w pixels, and their sizes set: a whole image. Keeps what suffices; what was in it is lost.
 * returns   SQ_NO_MEMORY, with the name */
SQ_MUST_USE sq_status sq_image_reserve(sq_image *image, int h, int w, const char *name);

/* Decodes to 8-bit RGB: grey is repeated, CMYK and YCCK converted, alpha dropped, 16 bits rounded to 8.
 * max_pixels: larger images are refused before memory is taken.
 * returns   SQ_DATA with "<name>: why" for empty, truncated, unknown or too large input; SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_image_decode(sq_image *out, const void *bytes, size_t size, const char *name,
                                      size_t max_pixels);

/* Height and width by the first bytes alone. returns as sq_image_decode; what is behind the header is not looked at. */
SQ_MUST_USE sq_status sq_image_size(const void *bytes, size_t size, const char *name, size_t max_pixels, int *h,
                                    int *w);

/* Decodes a rectangle and perhaps more around it: of a JPEG its rows, and the columns of the blocks that it touches and
 * their neighbours; of everything else the whole image, not reduced (out says what came). The pixels of the rectangle
 * are to the bit those of the whole image decoded at that reduction, which is Pillow's Image.draft.
 * part      within the image; reduction 1 gives the pixels of sq_image_decode
 *
 * returns   as sq_image_decode. A JPEG that ends early is refused wherever the rectangle lies; damage below its last
 * row is not seen
 *
 * source    libjpeg-turbo 2.1 libjpeg.txt, "Partial image decompression" and "scale_num, scale_denom" */
SQ_MUST_USE sq_status sq_image_decode_region(sq_image *out, const void *bytes, size_t size, const char *name,
                                             size_t max_pixels, const sq_image_region *part);

#endif
