#ifndef SQ_FIT_H
#define SQ_FIT_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/base/status.h"

/* Fits of predictions to measurements, and how good they are. All arithmetic in FP64. */

/* ---- A line: measured = base + scale * predicted ---- */

typedef struct {
    double base, scale;
    size_t outliers; /* points that the robust fit gave no weight; 0 for plain least squares */
} sq_line;

/* Fits the line to n points.
 *
 * is_robust  false: least squares. true: an MM-estimate, which up to a quarter of wrong points hardly moves: the start
 * is Theil and Sen's median of slopes (of all pairs up to 1,000 points, beyond of points half the range apart), its
 * residuals' median absolute deviation is kept as the scale, and least squares reweighted by Tukey's bisquare (c
 * = 4.685 deviations) improve it until it stands.
 *
 * returns  SQ_INVALID: fewer than 3 points, a value that is not finite, predictions that are all the same
 *
 * cost     O(n^2) up to 1,000 points, O(n log n) beyond
 *
 * source   Theil 1950; Sen 1968; Yohai 1987, "High breakdown-point and high efficiency robust estimates" */
SQ_MUST_USE sq_status sq_fit_line(sq_line *out, const double *predicted, const double *measured, size_t n,
                                  bool is_robust);

/* Why a line from blocks to whole networks cannot be true, in words, into out (bytes long); false: it may be.
 *
 * network_ms  what measured networks take on average; INFINITY: not known
 * mape        how far the line is from them on average, in percent
 *
 * A scale outside 0.5 to 2, networks missed by more than 10 %, a base further below 0 than a network takes. A base
 * below 0 alone is no reason: OpenVINO's blocks cost more alone than inside, and such lines miss by 0.3 %. */
bool sq_line_doubt(char *out, size_t bytes, const sq_line *line, double network_ms, double mape);

/* ---- A table: measured = base + sum over layers of ms[layer][choice] ---- */

typedef enum {
    SQ_ADDITIVE_AUTO,  /* robust if that lowers the error in five-fold cross-validation by a third; else plain */
    SQ_ADDITIVE_PLAIN, /* every measurement counts the same */
    SQ_ADDITIVE_ROBUST /* measurements far off count less */
} sq_additive_method;

typedef struct {
    int layers, choice_limit;
    double base;
    double *ms;     /* [layer * choice_limit + choice] relative to the layer's gauge, whose value is 0; 0 when unseen */
    int *seen;      /* the same shape: measurements with that choice; 0: nothing is known about it */
    int *gauge;     /* [layer] */
    int unseen;     /* choices below the layer's limit that no measurement has */
    double ridge;   /* the regularisation taken, as a multiple of the mean eigenvalue */
    double freedom; /* effective parameters, base included */
    int rounds;     /* reweightings of the robust fit; 0: plain, or the plain fit was exact */
    sq_additive_method method;        /* the one that was taken: never AUTO */
    double plain_error, robust_error; /* mean relative errors in cross-validation; NAN unless AUTO compared them */
} sq_additive;

typedef struct {
    sq_additive_method method;
    const int *limits; /* [layers] choices of each layer, or NULL: one more than the largest that was measured */
    const int *gauge;  /* [layers] choice that counts as 0, or NULL: the lowest that was measured */
    double ridge;      /* > 0: this regularisation, as a multiple of the mean eigenvalue; 0: chosen, see below */
} sq_additive_options;

/* Fits one value per (layer, choice) to n networks by ridge regression.
 *
 * paths     [n * layers] numbers >= 0; ms [n]
 * Only sums can be measured, so a layer's values are known up to a constant: they are told relative to the gauge. The
 * regularisation pulls a layer's values towards each other, not towards the gauge, so the gauge changes no prediction.
 * Its strength is the minimum of generalised cross-validation over 1e-10 .. 10 in quarter decades; with ten times as
 * many networks as values it is 1e-10, next to nothing: there it can only follow the networks that it was chosen by.
 * Unseen choices have seen = 0 and no value. Robust: Huber's weights (k = 1.345 deviations by the median absolute
 * deviation) from a fit with all weights 1. Cross-validation for the method: row i is in fold i mod 5; the error is the
 * mean of |predicted / measured - 1|; below 20 networks plain is taken. Robust must be better by far: wrong networks
 * that come in runs (a busy hour) look like rare ones to cross-validation, and are as frequent later.
 *
 * returns  SQ_INVALID: fewer than 3 networks, a number outside of its layer's limits, a gauge that was never measured
 *
 * cost     O(n layers^2 + values^3), values <= layers * choice_limit; the eigenvalues by LAPACK (dsyevd)
 *
 * source   Golub, Heath, Wahba 1979, "Generalized cross-validation as a method for choosing a good ridge parameter" */
SQ_MUST_USE sq_status sq_fit_additive(sq_additive **out, const int *paths, int layers, const double *ms, size_t n,
                                      const sq_additive_options *options);
void sq_additive_free(sq_additive *additive); /* accepts NULL */

/* base + sum; SQ_DATA names the first layer and choice that no measurement had. */
SQ_MUST_USE sq_status sq_additive_predict(const sq_additive *additive, const int *path, double *ms);

/* ---- Quality ---- */

typedef struct {
    size_t count;
    double mape;                /* mean of |predicted - measured| / measured, in percent */
    double within_5, within_10; /* percent of the networks whose error is at most 5 %, 10 % of the measured */
    double rmse;                /* in the values' unit */
    double tau;                 /* Kendall's tau-b; NAN when one side is all the same */
    double spearman;            /* correlation of ranks, ties at their mean rank; NAN as above */
    size_t worst;               /* index of the largest relative error */
    double worst_percent;       /* its (predicted - measured) / measured in percent */
} sq_quality;

/* Compares n predictions with measurements. SQ_INVALID: no points, a value that is not finite, a measured value <= 0.
 * cost: O(n log n). source: Knight 1966, "A computer method for calculating Kendall's tau with ungrouped data" */
SQ_MUST_USE sq_status sq_fit_quality(sq_quality *out, const double *predicted, const double *measured, size_t n);

#endif
