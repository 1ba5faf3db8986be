#ifndef SQ_RESIZE_PASSES_H
#define SQ_RESIZE_PASSES_H

#include "kernels/image/resize_weights.h"

/* The two passes of resizing. They use integers, so every instruction set gives the same bits. Internal to resize*.c.
 *
 * The weights of a column are stored in groups of four pixels, 16 values each, in the order that one AVX2 multiply-add
 * needs: w0 w1 w0 w1 w0 w1 0 0  w2 w3 w2 w3 w2 w3 0 0. */

enum {
    SQ_GROUP_PIXELS = 4,  /* pixels of a group of weights */
    SQ_GROUP_VALUES = 16, /* int16 values of a group */
    SQ_GROUP_BYTES = 16,  /* bytes of the source row that the first pass reads for one group */
    SQ_ROW_MARGIN = 16    /* values after the end of a row that the passes may read and write */
};

/* The columns of an output row. */
typedef struct {
    const int *first;       /* for each column: offset in bytes of the first source pixel that it reads */
    const int16_t *weights; /* for each column: ceil(limit / SQ_GROUP_PIXELS) groups; 32-byte aligned */
    int limit;              /* largest number of source pixels that a column reads */
    int count;
} sq_resize_columns;

typedef struct {
    const char *name;
    /* Horizontal pass over one source row. out: count * 3 values, grey levels << SQ_ROW_BITS, and room for
     * SQ_ROW_MARGIN more values. */
    void (*across)(const uint8_t *row, const sq_resize_columns *columns, int16_t *out);
    /* Vertical pass. rows: row_count (even) rows of `count` values. out: count bytes. */
    void (*down)(const int16_t *const *rows, const int16_t *weights, int row_count, int count, uint8_t *out);
} sq_resize_passes;

extern const sq_resize_passes sq_resize_baseline, sq_resize_avx2;

#endif
