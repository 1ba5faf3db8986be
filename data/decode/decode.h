#ifndef SQ_DECODE_H
#define SQ_DECODE_H

#include "data/decode/image.h"

/* Encoded bytes to 8-bit RGB. The first bytes decide the format, never the name (data/decode/format.h). */

/* Decodes a whole image: grey is repeated in all channels, CMYK and YCCK are converted, alpha is dropped, 16 bits are
 * rounded to 8.
 * returns   SQ_DATA "<name>: ..." for empty, truncated, unknown or too large input; SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_image_decode(sq_image *out, const sq_encoded_image *encoded);

/* Reads height and width from the header, and nothing after it.
 * returns   the errors of sq_image_decode */
SQ_MUST_USE sq_status sq_image_read_size(const sq_encoded_image *encoded, int *h, int *w);

/* Decodes a rectangle and possibly pixels around it. `out` contains the decoded rectangle and its position. For a JPEG,
 * this is the rows of the rectangle, the columns of its blocks, and one more block on either side. Other formats and
 * CMYK JPEGs are decoded whole and not reduced. The pixels equal those of the whole image after the same reduction,
 * which is the result of Pillow's Image.draft.
 *
 * region    inside the image
 *
 * returns   the errors of sq_image_decode. A truncated JPEG is always refused. Damage below the rectangle is not
 *           detected
 *
 * source    libjpeg-turbo 2.1 libjpeg.txt, "Partial image decompression" and "scale_num, scale_denom" */
SQ_MUST_USE sq_status sq_image_decode_region(sq_image *out, const sq_encoded_image *encoded,
                                             const sq_image_region *region);

#endif
