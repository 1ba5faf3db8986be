#ifndef SQ_FIT_H
#define SQ_FIT_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/base/status.h"

/* Fits a line to predictions and measurements, and rates the quality of predictions. All arithmetic is in FP64. */

/* ---- A line: measured = base + scale * predicted ---- */

typedef struct {
    double base, scale;
    size_t outliers; /* points with weight 0 in the robust fit; 0 for least squares */
} sq_line;

/* Fits the line to n points.
 *
 * is_robust  false: least squares. true: an MM-estimate, on which wrong points have little influence if they are at
 *            most a quarter of all points. The first line is Theil and Sen's: its slope is the median of the slopes
 *            between pairs of points. All pairs are used up to 1,000 points; with more points, each point of the lower
 *            half (sorted by prediction) is paired with one point of the upper half. The deviation of the errors is
 *            estimated once, from the median absolute residual of the first line. Then least squares are repeated with
 *            Tukey's bisquare weights (c = 4.685 deviations) until the line converges.
 * returns    SQ_INVALID: fewer than 3 points, a value that is not finite, equal predictions
 * cost       O(n^2 log n) up to 1,000 points, O(n log n) with more
 * source     Theil 1950; Sen 1968; Yohai 1987, "High breakdown-point and high efficiency robust estimates" */
SQ_MUST_USE sq_status sq_fit_line(sq_line *out, const double *predicted, const double *measured, size_t n,
                                  bool is_robust);

/* Checks the line that predicts networks from the sums of their blocks. If the line is implausible, writes the reason
 * to out and returns true; otherwise returns false.
 *
 * network_ms  mean latency of the measured networks; INFINITY: unknown
 * mape        mean distance of the networks from the line, in percent
 *
 * A line is implausible if its scale is outside 0.5 .. 2, if mape is above 10, or if its base is below -network_ms. A
 * base between -network_ms and 0 is plausible, because blocks can take longer alone than inside a network. OpenVINO's
 * blocks do, and lines with such a base predict its networks within 0.3 %. */
bool sq_line_doubt(char *out, size_t bytes, const sq_line *line, double network_ms, double mape);

/* ---- Quality ---- */

typedef struct {
    size_t count;
    double mape;                /* mean of |predicted - measured| / measured, in percent */
    double within_5, within_10; /* percent of the networks whose relative error is at most 5 %, at most 10 % */
    double rmse;                /* in the values' unit */
    double tau;                 /* Kendall's tau-b; NAN: all predictions or all measurements are equal */
    double spearman;            /* correlation of ranks, in which ties have their mean rank; NAN: as for tau */
    size_t worst;               /* index of the network with the largest relative error */
    double worst_percent;       /* (predicted - measured) / measured of this network, in percent */
} sq_quality;

/* Compares n predictions with measurements. SQ_INVALID: no points, a value that is not finite, a measured value <= 0.
 * cost: O(n log n). source: Knight 1966, "A computer method for calculating Kendall's tau with ungrouped data" */
SQ_MUST_USE sq_status sq_fit_quality(sq_quality *out, const double *predicted, const double *measured, size_t n);

#endif
