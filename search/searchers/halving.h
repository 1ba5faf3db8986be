#ifndef SQ_HALVING_H
#define SQ_HALVING_H

#include "search/searchers/searcher.h"

/* The rungs of successive halving: rung r scores count[r] candidates on images[r] images. */
typedef struct {
    int count[SQ_MAX_RUNGS], images[SQ_MAX_RUNGS];
} sq_rungs;

/* The rungs with the largest count[0] that the budget pays for. The budget is the cost of population * (generations +
 * 1) evaluations on all images, measured in images through the network, calibration included. */
sq_rungs sq_halving_rungs(const sq_searcher *searcher);

#endif
