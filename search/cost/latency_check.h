#ifndef SQ_LATENCY_CHECK_H
#define SQ_LATENCY_CHECK_H

#include "search/cost/block_list.h"
#include "search/cost/latency_table.h"

/* Checks of a latency table before a search trusts it. coverage.h lists the blocks that it lacks. */

typedef struct {
    const sq_latency_entry *smaller,
        *larger;  /* no size of `smaller` exceeds that of `larger`, but `smaller` is slower */
    double ratio; /* of their means */
} sq_latency_inversion;

typedef struct {
    int *unused; /* indices of entries that are not a block of the space */
    int unused_count;
    int *noisy; /* indices of entries whose deviation exceeds a fifth of their mean */
    int noisy_count;
    sq_latency_inversion *inversions; /* larger than three deviations of both and 5 %; the worst first */
    int inversion_count;
} sq_latency_check;

/* cost: quadratic in the number of entries. */
SQ_MUST_USE sq_status sq_latency_check_table(sq_latency_check *out, const sq_latency *latency,
                                             const sq_block_list *list);
void sq_latency_check_clear(sq_latency_check *check);

#endif
