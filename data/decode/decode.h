#ifndef SQ_DECODE_H
#define SQ_DECODE_H

#include "data/decode/image.h"

/* These functions decode an encoded image to 8-bit RGB. The first bytes of the image determine its format; the name is
 * not used (data/decode/format.h). */

/* Decodes a whole image. Grey is repeated in all three channels, CMYK and YCCK are converted to RGB, alpha is dropped,
 * and 16-bit values are reduced to 8 bits.
 * returns   SQ_DATA "<name>: ..." for empty, truncated, unknown or too large input; SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_image_decode(sq_image *out, const sq_encoded_image *encoded);

/* Reads the height and width of an image. Only the header is read.
 * returns   the same errors as sq_image_decode */
SQ_MUST_USE sq_status sq_image_read_size(const sq_encoded_image *encoded, int *h, int *w);

/* Decodes a region of an image and possibly pixels around the region. `out` contains the decoded rectangle and its
 * position. For a JPEG, the decoded rectangle has the rows of the region and the columns of the blocks that contain the
 * region, plus one block on the left and one on the right. Other formats and CMYK JPEGs are decoded whole and not
 * reduced. Decoding the whole image with the same reduction gives the same pixels, which also equal the result of
 * Pillow's Image.draft.
 *
 * region    inside the image
 *
 * returns   the same errors as sq_image_decode. A truncated JPEG is always refused. Damage below the region is not
 *           detected
 *
 * source    libjpeg-turbo 2.1 libjpeg.txt, "Partial image decompression" and "scale_num, scale_denom" */
SQ_MUST_USE sq_status sq_image_decode_region(sq_image *out, const sq_encoded_image *encoded,
                                             const sq_image_region *region);

#endif
