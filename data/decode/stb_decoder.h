#ifndef SQ_STB_DECODER_H
#define SQ_STB_DECODER_H

#include "data/decode/format.h"

/* Decodes whole images with stb_image: PNG, GIF, BMP, PNM, and formats without a row in the table. A region is ignored.
 */
SQ_MUST_USE sq_status sq_stb_decoder(sq_image *out, const sq_decode_request *request);

#endif
