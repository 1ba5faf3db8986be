#ifndef SQ_FIT_H
#define SQ_FIT_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/base/status.h"

/* A line through predictions and measurements, and the quality of predictions. All arithmetic is in FP64. */

/* ---- A line: measured = base + scale * predicted ---- */

typedef struct {
    double base, scale;
    size_t outliers; /* points with weight 0 in the robust fit; 0 for least squares */
} sq_line;

/* Fits the line to n points.
 *
 * is_robust  false: least squares. true: an MM-estimate, on which up to a quarter of wrong points have little
 * influence. It starts with Theil and Sen's median of slopes (all pairs up to 1,000 points, then points half the range
 *            apart). The scale is the median absolute deviation of its residuals. Least squares reweighted by Tukey's
 *            bisquare (c = 4.685 deviations) then converges.
 * returns    SQ_INVALID: fewer than 3 points, a value that is not finite, equal predictions
 * cost       O(n^2) up to 1,000 points, then O(n log n)
 * source     Theil 1950; Sen 1968; Yohai 1987, "High breakdown-point and high efficiency robust estimates" */
SQ_MUST_USE sq_status sq_fit_line(sq_line *out, const double *predicted, const double *measured, size_t n,
                                  bool is_robust);

/* Writes to out why the line from blocks to networks is implausible; returns false when it is plausible.
 *
 * network_ms  mean latency of the measured networks; INFINITY: unknown
 * mape        mean distance of the networks from the line, in percent
 *
 * Implausible are a scale outside 0.5 .. 2, a mean distance above 10 %, and a base below -network_ms. A negative base
 * alone is plausible: OpenVINO's blocks cost more alone than inside a network, and such lines are within 0.3 %. */
bool sq_line_doubt(char *out, size_t bytes, const sq_line *line, double network_ms, double mape);

/* ---- Quality ---- */

typedef struct {
    size_t count;
    double mape;                /* mean of |predicted - measured| / measured, in percent */
    double within_5, within_10; /* percent of the networks with a relative error of at most 5 %, 10 % */
    double rmse;                /* in the values' unit */
    double tau;                 /* Kendall's tau-b; NAN when all values of one side are equal */
    double spearman;            /* correlation of ranks, ties have their mean rank; NAN as above */
    size_t worst;               /* index of the largest relative error */
    double worst_percent;       /* its (predicted - measured) / measured in percent */
} sq_quality;

/* Compares n predictions with measurements. SQ_INVALID: no points, a value that is not finite, a measured value <= 0.
 * cost: O(n log n). source: Knight 1966, "A computer method for calculating Kendall's tau with ungrouped data" */
SQ_MUST_USE sq_status sq_fit_quality(sq_quality *out, const double *predicted, const double *measured, size_t n);

#endif
