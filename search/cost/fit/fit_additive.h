#ifndef SQ_FIT_ADDITIVE_H
#define SQ_FIT_ADDITIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/base/status.h"

/* The additive model: measured = base + sum over layers of ms[layer][choice]. All arithmetic is in FP64. */

typedef enum {
    SQ_ADDITIVE_AUTO,  /* robust if that lowers the error in five-fold cross-validation by a third; otherwise plain */
    SQ_ADDITIVE_PLAIN, /* all measurements have the same weight */
    SQ_ADDITIVE_ROBUST /* measurements with large residuals have less weight */
} sq_additive_method;

/* Networks and their latencies. */
typedef struct {
    const int *paths; /* [count * layers] choices >= 0 */
    int layers;
    const double *ms; /* [count] */
    size_t count;
} sq_additive_data;

typedef struct {
    int layers, choice_limit;
    double base;
    double *ms; /* [layer * choice_limit + choice] relative to the layer's gauge; 0 for the gauge and unseen choices */
    int *seen;  /* the same shape: number of measurements with that choice */
    int *gauge; /* [layer] choice whose value is 0 */
    int unseen; /* number of choices below their layer's limit that have no measurement */
    double ridge;                     /* the regularisation, as a multiple of the mean eigenvalue */
    double freedom;                   /* effective number of parameters, base included */
    int rounds;                       /* reweightings of the robust fit; 0: plain, or the plain fit was exact */
    sq_additive_method method;        /* the method that was used; never AUTO */
    double plain_error, robust_error; /* mean relative errors in cross-validation; NAN unless AUTO compared them */
} sq_additive;

typedef struct {
    sq_additive_method method;
    const int *limits; /* [layers] number of choices; NULL: one more than the largest measured choice */
    const int *gauge;  /* [layers] choice whose value is 0; NULL: the lowest measured choice */
    double ridge;      /* above 0: the regularisation, as a multiple of the mean eigenvalue; 0: chosen as below */
} sq_additive_options;

/* Fits one value per (layer, choice) by ridge regression.
 *
 * Only sums over layers can be measured, so the measurements determine the values of a layer only up to a constant. The
 * gauge of a layer, which is the choice with value 0, determines this constant. The regularisation pulls the values of
 * a layer towards their mean and not towards 0, so another gauge gives the same predictions. The regularisation's
 * strength minimises generalised cross-validation over 1e-10 .. 10 in quarter decades; if there are at least ten times
 * as many networks as values, the strength is 1e-10. Unseen choices have seen = 0 and no value.
 *
 * The robust fit starts from equal weights and repeats the fit with Huber's weights (k = 1.345 deviations, estimated by
 * the median absolute deviation). AUTO chooses by five-fold cross-validation: network i is in fold i mod 5, and the
 * error is the mean of |predicted / measured - 1|. With fewer than 20 networks AUTO chooses the plain fit. The robust
 * fit must be better by a third, because wrong measurements that come in runs (a busy hour) look like rare wrong
 * measurements to cross-validation.
 *
 * returns  SQ_INVALID: fewer than 3 networks, a choice beyond its layer's limit, a gauge that was never measured
 * cost     O(count layers^2 + values^3), values <= layers * choice_limit; eigenvalues by LAPACK (dsyevd)
 * source   Golub, Heath, Wahba 1979, "Generalized cross-validation as a method for choosing a good ridge parameter" */
SQ_MUST_USE sq_status sq_fit_additive(sq_additive **out, const sq_additive_data *data,
                                      const sq_additive_options *options);
void sq_additive_free(sq_additive *additive); /* accepts NULL */

/* Sets *ms to the base plus the values of the path's choices. SQ_DATA: the message names the first layer whose choice
 * was never measured. */
SQ_MUST_USE sq_status sq_additive_predict(const sq_additive *additive, const int *path, double *ms);

#endif
