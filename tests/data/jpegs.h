#ifndef SQ_TEST_JPEGS_H
#define SQ_TEST_JPEGS_H

#include <stdbool.h>
#include <stdint.h>

/* JPEGs of every sampling and coding, with a pattern that makes a wrong neighbour visible. */

typedef struct {
    const char *name;
    int components, h_factor, v_factor; /* chroma subsampling, across and down */
    bool is_progressive;
    int restart_rows;
} jpeg_kind;

enum { JPEG_KINDS = 11 };
extern const jpeg_kind jpeg_kinds[JPEG_KINDS]; /* [2] is baseline 4:2:0 */

/* The caller frees the results with free. */
unsigned char *make_jpeg(const jpeg_kind *kind, int h, int w, unsigned long *size);
/* The whole image at 1, 1/2, 1/4 or 1/8, decoded by libjpeg-turbo alone, as Pillow's Image.draft. */
uint8_t *decode_reduced(const unsigned char *bytes, unsigned long size, int reduction, int *h, int *w);

#endif
