#ifndef SQ_CANDIDATE_H
#define SQ_CANDIDATE_H

#include "search/cost/latency.h"

/* A path of the space with its costs and its scores, and the order of candidates. */

enum { SQ_MAX_DEVICES = 4 };

/* Stands for a loss that is not finite: JSON has no infinity. A network with such a loss ranks last. */
#define SQ_NONFINITE_LOSS 1e30

typedef struct {
    int *path;                          /* [layer_count] */
    int images;                         /* proposed: how many to score on, 0 for all; observed: how many it has */
    double loss, top1, top5;            /* on the validation images; top1 and top5 in 0..1 */
    double macs, parameters, memory_mb; /* in the units of sq_limits */
    sq_prediction on[SQ_MAX_DEVICES];   /* by device */
    int generation;                     /* -1: the random baseline */
} sq_candidate;

/* Whether a is better than b: higher top1, then higher top5, then lower loss. On a tie neither is better. The
 * comparison means nothing when the two were scored on different numbers of images. */
bool sq_candidate_is_better(const sq_candidate *a, const sq_candidate *b);

/* The best of the candidates that were scored on the most images; the first one on a tie; NULL when count is 0. */
const sq_candidate *sq_candidate_best(const sq_candidate *candidates, int count);

/* Index of the first candidate with this path, or SQ_NONE. */
int sq_candidate_find(const sq_candidate *candidates, int count, const int *path, int layer_count);

#endif
