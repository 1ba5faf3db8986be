#ifndef SQ_STB_DECODER_H
#define SQ_STB_DECODER_H

#include "data/decode/format.h"

/* Decodes the whole image with stb_image and ignores the region of the request. The formats are PNG, GIF, BMP, PNM, and
 * formats without a row in the table of format.c. */
SQ_MUST_USE sq_status sq_stb_decoder(sq_image *out, const sq_decode_request *request);

#endif
