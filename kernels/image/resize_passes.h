#ifndef SQ_RESIZE_PASSES_H
#define SQ_RESIZE_PASSES_H

#include "kernels/image/resize_weights.h"

/* The two passes of resizing, in integers, so that every set of instructions gives the same bits. Internal to
 * resize*.c.
 *
 * A column's weights come in groups of four pixels, 16 values each, in the order in which one multiply-add of AVX2
 * wants them: w0 w1 w0 w1 w0 w1 0 0  w2 w3 w2 w3 w2 w3 0 0. */

enum {
    SQ_GROUP_PIXELS = 4,  /* of a group of weights */
    SQ_GROUP_VALUES = 16, /* int16 values that hold it */
    SQ_GROUP_BYTES = 16,  /* that the first pass reads for one group */
    SQ_ROW_MARGIN = 16    /* values behind the end of a row that passes may touch */
};

typedef struct {
    const char *name;
    /* row: bytes of a source row. first[x]: where column x begins to look, in bytes. most: pixels that a column looks
     * at, at most. weights: ceil(most / SQ_GROUP_PIXELS) groups a column, 32 bytes aligned. out: count * 3 values (and
     * SQ_ROW_MARGIN more), grey levels << SQ_ROW_BITS. */
    void (*across)(const uint8_t *row, const int *first, const int16_t *weights, int most, int count, int16_t *out);
    /* rows: row_count rows of `count` values, an even number of them. out: count bytes. */
    void (*down)(const int16_t *const *rows, const int16_t *weights, int row_count, int count, uint8_t *out);
} sq_resize_passes;

extern const sq_resize_passes sq_resize_baseline, sq_resize_avx2;

#endif
