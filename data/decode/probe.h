#ifndef SQ_PROBE_H
#define SQ_PROBE_H

#include <stdbool.h>
#include <stddef.h>

/* What an encoded image is, from its header alone. */

typedef enum {
    SQ_FORMAT_UNKNOWN,
    SQ_FORMAT_JPEG,
    SQ_FORMAT_PNG,
    SQ_FORMAT_GIF,
    SQ_FORMAT_BMP,
    SQ_FORMAT_PNM,
    SQ_FORMATS
} sq_image_format;

typedef struct {
    sq_image_format format;
    int h, w;        /* 0: the header does not say, or its format is not looked into */
    bool is_grey;    /* one component; JPEG, PNG, PNM */
    bool is_cmyk;    /* four components of a JPEG */
    bool is_rotated; /* JPEG: EXIF orientation (tag 0x0112) 2..8; CIPA DC-008 section 4.6.4 */
} sq_image_probe;

/* Never fails: what is not known stays zero. The bytes may be anything. */
sq_image_probe sq_probe(const void *bytes, size_t size);
const char *sq_image_format_name(sq_image_format format); /* "JPEG" */

#endif
