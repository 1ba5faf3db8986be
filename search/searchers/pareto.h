#ifndef SQ_PARETO_H
#define SQ_PARETO_H

#include <stdbool.h>

#include "kernels/base/status.h"

/* Points with several objectives, all minimised: values[i * objectives + m] is objective m of point i. A point
 * dominates another point if it is not worse in any objective and better in at least one. Computations are in FP64, and
 * equal inputs give equal bits. */

bool sq_dominates(const double *a, const double *b, int objectives);

/* Fast non-dominated sorting: rank[i] becomes 0 for points that no point dominates, 1 for points that only points of
 * rank 0 dominate, and so on.
 * returns SQ_NO_MEMORY
 * cost    objectives * count^2 comparisons; linear memory, because the lists of dominated points are recomputed
 * source  Deb et al. 2002, section III-A */
SQ_MUST_USE sq_status sq_pareto_ranks(const double *values, int count, int objectives, int *rank);

/* Computes the crowding distances of the points members[0 .. count), which have the same rank. For each objective the
 * points are sorted; the distance between a point's two neighbours, divided by the objective's range, is added to the
 * point's crowding distance. The first and the last point of an objective get INFINITY. Points that are equal in an
 * objective keep the order of members. An objective in which all points are equal adds nothing. distance[i] belongs to
 * members[i].
 * returns SQ_NO_MEMORY
 * source  Deb et al. 2002, section III-B */
SQ_MUST_USE sq_status sq_pareto_crowding(const double *values, int objectives, const int *members, int count,
                                         double *distance);

/* Computes the exact volume that the points dominate, bounded by `reference`. Points that are not below the reference
 * in every objective are ignored. Two objectives require one sweep. With more objectives the volume is a sum of slices
 * along the last objective. A slice reaches from one point to the next. The cross-section of a slice is the volume, in
 * the other objectives, that the points up to the slice dominate.
 * returns SQ_NO_MEMORY
 * cost    count^(objectives - 1) * log(count)
 * source  While et al. 2006, "A faster algorithm for calculating hypervolume", HSO */
SQ_MUST_USE sq_status sq_hypervolume(const double *values, int count, int objectives, const double *reference,
                                     double *out);

#endif
