#ifndef SQ_CANDIDATE_H
#define SQ_CANDIDATE_H

#include "search/cost/latency.h"

/* A candidate is a path of the space with its costs and its scores. The functions below compare and find candidates. */

enum { SQ_MAX_DEVICES = 4 };

/* Replaces a loss that is not finite, because JSON has no infinity. A network with this loss ranks last. */
#define SQ_NONFINITE_LOSS 1e30

typedef struct {
    int *path;                          /* [layer_count] */
    int images;                         /* proposed: images to score on, 0 for all; observed: images it was scored on */
    double loss, top1, top5;            /* on the validation images; top1 and top5 in 0..1 */
    double macs, parameters, memory_mb; /* in the units of sq_limits */
    sq_prediction on[SQ_MAX_DEVICES];   /* by device */
    int generation;                     /* -1: the random baseline */
} sq_candidate;

/* Returns whether a is better than b. The higher top1 wins, then the higher top5, then the lower loss; on a tie neither
 * candidate is better. The comparison is meaningful only if both candidates were scored on the same number of
 * images. */
bool sq_candidate_is_better(const sq_candidate *a, const sq_candidate *b);

/* Returns the best of the candidates that were scored on the most images. On a tie it is the first one; NULL: count is
 * 0. */
const sq_candidate *sq_candidate_best(const sq_candidate *candidates, int count);

/* Index of the first candidate with this path, or SQ_NONE. */
int sq_candidate_find(const sq_candidate *candidates, int count, const int *path, int layer_count);

#endif
