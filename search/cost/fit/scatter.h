#ifndef SQ_SCATTER_H
#define SQ_SCATTER_H

#include <stddef.h>

#include "kernels/base/status.h"

/* Writes a scatter plot of predictions and measurements as one SVG file, which has no scripts and embeds no fonts. */

typedef struct {
    const char *title;             /* NULL or "": none */
    const char *x_label, *y_label; /* NULL: "measured, ms", "predicted, ms" */
    double width_mm;               /* 0: 120 mm; the plot is square, and a title adds to the picture's height */
} sq_scatter_options;

typedef struct {
    double predicted, measured; /* measured > 0 */
    double deviation;           /* of the measurement; > 0 draws an error bar */
    const char *label;          /* tooltip, and text next to the point if there are at most 25 points; or NULL */
} sq_scatter_point;

/* Writes the scatter plot of n points to `path`, completely or not at all.
 *
 * The x axis shows the measured value and the y axis the predicted value. The axes have equal scales, with ticks at 1,
 * 2 or 5 times powers of ten. The band within 10 % of the measured value is shaded. Points in the band are blue discs,
 * and points outside the band are orange triangles (Okabe and Ito's colours). The error measures in the corner are
 * computed from all points. With more than 5,000 points, every k-th point is drawn. k is chosen separately inside and
 * outside the band: the smallest k that draws at most 4,000 points inside and at most 1,000 points outside. The picture
 * states the number of drawn points.
 *
 * returns  SQ_INVALID: no points, a value that is not finite, measured <= 0; SQ_IO
 * source   Okabe, Ito 2008, "Color Universal Design" */
SQ_MUST_USE sq_status sq_scatter_write(const char *path, const sq_scatter_options *options,
                                       const sq_scatter_point *points, size_t n);

#endif
