#ifndef SQ_HALVING_H
#define SQ_HALVING_H

#include "search/searchers/searcher.h"

/* The rungs of successive halving: rung r scores count[r] candidates on images[r] images. */
typedef struct {
    int count[SQ_MAX_RUNGS], images[SQ_MAX_RUNGS];
} sq_rungs;

/* Returns the rungs with the largest count[0] whose cost is within the budget. Costs are numbers of images that pass
 * through a network, calibration included. The budget is the cost of population * (generations + 1) evaluations on all
 * images. */
sq_rungs sq_halving_rungs(const sq_searcher *searcher);

#endif
