#ifndef SQ_PARETO_H
#define SQ_PARETO_H

#include <stdbool.h>

#include "kernels/base/status.h"

/* Points with several objectives, all to be minimised: values[i * objectives + m] is objective m of point i. A point
 * dominates another when it is nowhere worse and somewhere better. FP64; equal inputs give equal bits. */

bool sq_dominates(const double *a, const double *b, int objectives);

/* Fast non-dominated sorting: rank[i] is 0 for points that none dominates, 1 for those that only rank 0 dominates, ...
 * returns SQ_NO_MEMORY. cost: objectives * count^2. source: Deb et al. 2002, section III-A; the lists of dominated
 * points are not kept but found again, once for each point, so that memory is linear. */
SQ_MUST_USE sq_status sq_pareto_ranks(const double *values, int count, int objectives, int *rank);

/* Crowding distance of the points members[0..count), which are of one rank: the sum over objectives of the gap between
 * both neighbours as a share of the objective's range; INFINITY for the first and last of an objective. Points that are
 * equal in an objective stand in the order of members. An objective in which all are equal gives nothing, not even
 * infinity. distance[i] belongs to members[i]. returns SQ_NO_MEMORY. source: Deb et al. 2002, section III-B. */
SQ_MUST_USE sq_status sq_pareto_crowding(const double *values, int objectives, const int *members, int count,
                                         double *distance);

/* Volume of what the points dominate within `reference`, exactly: a sweep along the first objective for two objectives;
 * for more, slices along the last one, each as thick as the step to the next point and as large as the volume of the
 * points so far in the other objectives. Points that do not lie below the reference in every objective give nothing.
 * returns SQ_NO_MEMORY. cost: count^(objectives - 1) * log(count). source: While et al. 2006, "A faster algorithm for
 * calculating hypervolume", HSO. */
SQ_MUST_USE sq_status sq_hypervolume(const double *values, int count, int objectives, const double *reference,
                                     double *out);

#endif
