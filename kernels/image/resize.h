#ifndef SQ_RESIZE_H
#define SQ_RESIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/status.h"

/* Bilinear resizing with antialias, as Pillow defines it: the filter is a triangle that is widened when the image
 * shrinks. */

/* A rectangle of an image, in whole pixels. */
typedef struct {
    int y, x, h, w;
} sq_rectangle;

/* Pixels of a rectangle of an image; borrowed. */
typedef struct {
    const uint8_t *pixels; /* h * w * 3, RGB */
    int y, x, h, w;        /* the rectangle */
    int whole_h, whole_w;  /* the image */
} sq_pixels;

/* The rectangle to resize, in pixels. If is_cropped_first, the rectangle consists of whole pixels and the filter reads
 * nothing outside the rectangle, as when Pillow crops and then resizes. Otherwise the filter also reads pixels outside
 * the rectangle, as when Pillow resizes with `box`. */
typedef struct {
    double x, y, w, h;
    bool is_cropped_first;
} sq_crop;

/* Working memory of one thread; starts as zero and grows as needed. */
typedef struct {
    void *memory; /* owned: sq_resizer_clear */
    size_t capacity;
} sq_resizer;

void sq_resizer_clear(sq_resizer *resizer);

/* Returns the rectangle of an h x w image that is read when the crop is resized to resolution x resolution. */
sq_rectangle sq_resize_reach(sq_crop crop, int h, int w, int resolution);

/* out[y][x] = sum of filter weights times the pixels of `crop`, for a square of resolution x resolution.
 *
 * from        contains the rectangle of sq_resize_reach
 * out         resolution * resolution * 3
 * returns     SQ_NO_MEMORY
 *
 * accuracy    weights have 15 bits, and rows between the passes have 15 bits. If each side is reduced by at most 32,
 *             the result is within one grey level of Pillow's, which rounds to 8 bits between its passes. Every
 *             processor gives the same bits
 *
 * cost        O(rows touched * resolution + resolution^2 * reduction); no allocation once the memory suffices
 *
 * source      Pillow, src/libImaging/Resample.c: precompute_coeffs */
SQ_MUST_USE sq_status sq_resize(sq_resizer *resizer, const sq_pixels *from, sq_crop crop, int resolution, uint8_t *out);

/* Returns the instruction set in use on this processor: "avx2" or "baseline". */
const char *sq_resize_instructions(void);

#endif
