#ifndef SQ_JPEG_H
#define SQ_JPEG_H

#include "data/decode/format.h"

/* The header reader follows ITU-T T.81 annex B. libjpeg-turbo decodes the pixels. */
void sq_jpeg_read_header(sq_image_probe *out, const uint8_t *bytes, size_t size);
SQ_MUST_USE sq_status sq_jpeg_decode(sq_image *out, const sq_decode_request *request);

#endif
