#ifndef SQ_STB_DECODER_H
#define SQ_STB_DECODER_H

#include "data/decode/format.h"

/* Decodes a whole image with stb_image, even if the request asks for a region. The formats are PNG, GIF, BMP, PNM, and
 * formats without a row in the table of format.c. */
SQ_MUST_USE sq_status sq_stb_decoder(sq_image *out, const sq_decode_request *request);

#endif
