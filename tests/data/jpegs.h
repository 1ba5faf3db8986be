#ifndef SQ_TEST_JPEGS_H
#define SQ_TEST_JPEGS_H

#include <stdbool.h>
#include <stdint.h>

/* JPEGs of every kind, of a pattern whose wrong neighbours show. */

typedef struct {
    const char *name;
    int components, h_factor, v_factor; /* of luma against chroma */
    bool is_progressive;
    int restart_rows;
} jpeg_kind;

enum { JPEG_KINDS = 11 };
extern const jpeg_kind jpeg_kinds[JPEG_KINDS]; /* number 2 is plain 4:2:0 */

/* Both are freed with free. */
unsigned char *make_jpeg(const jpeg_kind *kind, int h, int w, unsigned long *size);
/* The whole image at 1, 1/2, 1/4 or 1/8, by libjpeg-turbo alone: what Pillow's Image.draft gives. */
uint8_t *decode_reduced(const unsigned char *bytes, unsigned long size, int reduction, int *h, int *w);

#endif
