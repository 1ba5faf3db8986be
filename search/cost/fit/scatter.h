#ifndef SQ_SCATTER_H
#define SQ_SCATTER_H

#include <stddef.h>

#include "kernels/base/status.h"

/* A scatter plot of predictions and measurements, as one SVG file without scripts or fonts. */

typedef struct {
    const char *title;             /* NULL or "": none */
    const char *x_label, *y_label; /* NULL: "measured, ms", "predicted, ms" */
    double width_mm;               /* 0: 120; the plot is square, the title adds to its height */
} sq_scatter_options;

typedef struct {
    double predicted, measured; /* measured > 0 */
    double deviation;           /* of the measurement; > 0 draws an error bar */
    const char *label;          /* tooltip, and text at the point when there are at most 25; or NULL */
} sq_scatter_point;

/* Writes the scatter plot of n points to `path`, completely or not at all.
 *
 * The x axis is the measured value, the y axis the predicted one, on equal scales with ticks at 1, 2, 5 times powers of
 * ten. The band within 10 % of the measured value is shaded. Points in it are blue discs, the others orange triangles
 * (Okabe and Ito's colours). The error measures in the corner include all points.
 * Above 5,000 points every k-th point is drawn, with the smallest k that leaves at most 4,000 points in the band, and
 * likewise at most 1,000 outside; the picture states their number.
 *
 * returns  SQ_INVALID: no points, a value that is not finite, measured <= 0; SQ_IO
 * source   Okabe, Ito 2008, "Color Universal Design" */
SQ_MUST_USE sq_status sq_scatter_write(const char *path, const sq_scatter_options *options,
                                       const sq_scatter_point *points, size_t n);

#endif
