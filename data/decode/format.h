#ifndef SQ_FORMAT_H
#define SQ_FORMAT_H

#include <stdbool.h>

#include "data/decode/image.h"

/* The table of image formats has one row per format, with its name, signatures, header reader and decoder. */

/* Packed shards store these numbers, so append new formats and never renumber. */
typedef enum {
    SQ_FORMAT_UNKNOWN,
    SQ_FORMAT_JPEG,
    SQ_FORMAT_PNG,
    SQ_FORMAT_GIF,
    SQ_FORMAT_BMP,
    SQ_FORMAT_PNM,
    SQ_FORMATS
} sq_image_format;

/* Facts from the header of an encoded image. */
typedef struct {
    sq_image_format format;
    int h, w;        /* 0: the header has no size, or the format has no header reader */
    bool is_grey;    /* one component; JPEG, PNG, PNM */
    bool is_cmyk;    /* a JPEG with four components */
    bool is_rotated; /* JPEG: the EXIF orientation (tag 0x0112) is 2..8; CIPA DC-008 section 4.6.4 */
} sq_image_probe;

/* A request to a decoder, for the size, a region or the whole image. */
typedef struct {
    const sq_encoded_image *encoded;
    const sq_image_region *region; /* NULL: the whole image */
    int *h, *w;                    /* not NULL: only the size is read, into these */
} sq_decode_request;

enum { SQ_FORMAT_SIGNATURES = 2 };

typedef struct {
    const char *name;
    struct {
        const char *bytes;
        size_t length; /* 0: no signature */
    } signatures[SQ_FORMAT_SIGNATURES];
    void (*read_header)(sq_image_probe *out, const uint8_t *bytes, size_t size); /* NULL: there is no header reader */
    sq_status (*decode)(sq_image *out, const sq_decode_request *request);
} sq_image_format_row;

/* Returns the row with a signature that the bytes begin with. Returns the row of SQ_FORMAT_UNKNOWN if there is no such
 * row. */
const sq_image_format_row *sq_image_format_find(const void *bytes, size_t size);

/* Reads the header of an image from arbitrary bytes. Cannot fail; values that the header does not give stay zero. */
sq_image_probe sq_image_probe_header(const void *bytes, size_t size);

const char *sq_image_format_name(sq_image_format format); /* "JPEG" */

#endif
