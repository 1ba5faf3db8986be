#ifndef SQ_SCATTER_H
#define SQ_SCATTER_H

#include <stddef.h>

#include "kernels/base/status.h"

/* A picture of predictions against measurements, as one SVG file without scripts or fonts. */

typedef struct {
    const char *title;             /* NULL or "": none */
    const char *x_label, *y_label; /* NULL: "measured, ms", "predicted, ms" */
    double width_mm;               /* 0: 120; the picture is as wide as high, plus the title */
} sq_scatter_options;

typedef struct {
    double predicted, measured; /* measured > 0 */
    double deviation;           /* of the measurement; > 0 draws an error bar */
    const char *label; /* shown by viewers on hovering, and beside the point when there are at most 25; or NULL */
} sq_scatter_point;

/* Writes the scatter plot of n points to `path`, whole or not at all.
 *
 * Measured runs right, predicted up, on equal scales with ticks at 1, 2, 5 times powers of ten. The band within 10 % of
 * the measured value is shaded; points outside of it are orange triangles, the others blue discs (Okabe and Ito's
 * colours). The error measures in the corner are always those of all points.
 * Beyond 5,000 points the drawn ones are thinned: of those inside the band every k-th in the given order with the
 * smallest k that leaves at most 4,000, of those outside likewise at most 1,000; the picture says how many are drawn.
 *
 * returns  SQ_INVALID: no points, a value that is not finite, measured <= 0; SQ_IO
 * source   Okabe, Ito 2008, "Color Universal Design" */
SQ_MUST_USE sq_status sq_scatter_write(const char *path, const sq_scatter_options *options,
                                       const sq_scatter_point *points, size_t n);

#endif
