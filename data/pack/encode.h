#ifndef SQ_ENCODE_H
#define SQ_ENCODE_H

#include <stdbool.h>

#include "data/decode/image.h"

/* Images made smaller and encoded again, for packing. */

/* out = image with its short side at `side`, the long one in proportion (rounded down, as torchvision's Resize); with
 * is_cropped then only its centre, side x side. Never larger than it was: what is small enough is copied.
 * Filter: bilinear with antialias (stb_image_resize's triangle), edges repeated.
 * image, out   not the same
 * returns   SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_image_fit(sq_image *out, const sq_image *image, int side, bool is_cropped);
/* Would sq_image_fit change it? */
bool sq_image_fits(int h, int w, int side, bool is_cropped);

/* Baseline JPEG, 4:2:0, Huffman tables made for the image; the same bytes for the same pixels.
 * quality   1..100, libjpeg's scale
 * *out      malloc'd, *size bytes; the caller frees it
 * returns   SQ_NO_MEMORY; SQ_DATA "<name>: why": sides above 65,500 */
SQ_MUST_USE sq_status sq_image_encode_jpeg(const sq_image *image, int quality, const char *name, unsigned char **out,
                                           size_t *size);

#endif
