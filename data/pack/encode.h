#ifndef SQ_ENCODE_H
#define SQ_ENCODE_H

#include <stdbool.h>

#include "data/decode/image.h"

/* Shrinks and encodes images for packing. */

/* Shrinks the short side to `side` pixels and the long side in proportion (rounded down, as in torchvision's Resize).
 * An image with a smaller short side keeps its size. Then, if is_cropped, keeps only the centre of at most side x side
 * pixels. The filter is bilinear with antialias (the triangle filter of stb_image_resize) and repeats the edge pixels.
 * image, out   must be different images
 * returns      SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_image_fit(sq_image *out, const sq_image *image, int side, bool is_cropped);

/* Returns true if sq_image_fit would only copy an image of h x w pixels. */
bool sq_image_fits(int h, int w, int side, bool is_cropped);

/* Encodes a baseline JPEG with 4:2:0 chroma subsampling and with Huffman tables for this image. Equal pixels give equal
 * bytes.
 * quality   1..100, libjpeg's scale
 * *out      *size bytes; free with free
 * returns   SQ_NO_MEMORY; SQ_DATA "<name>: ...": a side is above 65,500 pixels */
SQ_MUST_USE sq_status sq_image_encode_jpeg(const sq_image *image, int quality, const char *name, unsigned char **out,
                                           size_t *size);

#endif
