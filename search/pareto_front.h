#ifndef SQ_PARETO_FRONT_H
#define SQ_PARETO_FRONT_H

#include "search/searchers/searcher.h"

/* Finds the Pareto front of the observed candidates. */

typedef struct {
    int *candidates; /* indices in ascending order; freed by sq_pareto_front_clear */
    int count;
    double hypervolume; /* top1 in 0..1, costs in their units */
    sq_point reference; /* of the hypervolume */
} sq_pareto_front;

/* Checks the options. SQ_INVALID: the table of an objective's device is missing or lacks the values, or the number of
 * values of the reference point differs from the number of objectives. */
SQ_MUST_USE sq_status sq_pareto_front_check(const sq_searcher *searcher);

/* Finds the front of the candidates that were observed on the most images. out->candidates has indices that begin at
 * `first`, which is the index of observed[0]. Without objectives the front is empty.
 * returns SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_pareto_front_find(sq_pareto_front *out, const sq_searcher *searcher, int first);
void sq_pareto_front_clear(sq_pareto_front *front);

#endif
