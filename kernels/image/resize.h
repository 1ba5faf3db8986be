#ifndef SQ_RESIZE_H
#define SQ_RESIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/status.h"

/* Bilinear resizing with antialias: a triangle filter, widened when shrinking, as Pillow defines it. */

/* Pixels of a rectangle of an image; borrowed. */
typedef struct {
    const uint8_t *pixels; /* h * w * 3, RGB */
    int y, x, h, w;        /* the rectangle */
    int whole_h, whole_w;  /* the image */
} sq_pixels;

/* A rectangle of an image, in pixels. is_cropped_first: whole pixels, cut out before it is resized, so that nothing
 * around it is seen (Pillow's crop and resize); else the filter reaches past it, up to the image's edge (Pillow's
 * resize with box).
 */
typedef struct {
    double x, y, w, h;
    bool is_cropped_first;
} sq_crop;

/* Memory of one thread's resizing; begins as zero. */
typedef struct {
    void *memory; /* owned: sq_resizer_clear */
    size_t capacity;
} sq_resizer;

void sq_resizer_clear(sq_resizer *resizer);

/* First and last + 1 of the rows or columns that resizing a stretch looks at.
 * begin, length   of the crop along one axis
 * limit           of the image along it
 * size            pixels that come out */
void sq_resize_reach(double begin, double length, bool is_cropped_first, int limit, int size, int *first, int *end);

/* out[y][x] = sum of filter weights times the pixels of `crop`, for a square of resolution x resolution.
 *
 * from        holds all that sq_resize_reach names
 * out         resolution * resolution * 3
 * returns     SQ_NO_MEMORY
 *
 * accuracy    weights of 15 bits, rows between the passes of 15 bits: within one grey level of Pillow, which rounds to
 * 8 bits between its passes, for reductions up to 32-fold a side; the same bits on every processor
 *
 * cost        O(rows touched * resolution + resolution^2 * reduction); no allocation once the memory suffices
 *
 * source      Pillow, src/libImaging/Resample.c: precompute_coeffs */
SQ_MUST_USE sq_status sq_resize(sq_resizer *resizer, const sq_pixels *from, sq_crop crop, int resolution, uint8_t *out);

/* Name of the instructions that resize here: "avx2" or "baseline". */
const char *sq_resize_instructions(void);

#endif
