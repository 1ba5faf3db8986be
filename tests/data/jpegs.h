#ifndef SQ_TEST_JPEGS_H
#define SQ_TEST_JPEGS_H

#include <stdbool.h>
#include <stdint.h>

/* JPEGs of every chroma subsampling and coding. Their pattern has edges and noise, so that pixels from a wrong place
 * are visible. */

typedef struct {
    const char *name;
    int components, h_factor, v_factor; /* h_factor, v_factor: chroma subsampling, horizontal and vertical */
    bool is_progressive;
    int restart_rows;
} jpeg_kind;

enum { JPEG_KINDS = 11 };
extern const jpeg_kind jpeg_kinds[JPEG_KINDS]; /* [2] is baseline 4:2:0 */

/* Returns an encoded JPEG. The caller frees the results of make_jpeg and decode_reduced with free. */
unsigned char *make_jpeg(const jpeg_kind *kind, int h, int w, unsigned long *size);
/* Returns the whole image at scale 1, 1/2, 1/4 or 1/8, decoded only by libjpeg-turbo, as Pillow's Image.draft does. */
uint8_t *decode_reduced(const unsigned char *bytes, unsigned long size, int reduction, int *h, int *w);

#endif
