#ifndef SQ_LATENCY_CHECK_H
#define SQ_LATENCY_CHECK_H

#include "search/cost/block_list.h"
#include "search/cost/latency_table.h"

/* Checks a latency table before a search relies on the table. coverage.h lists the blocks that a table lacks. */

typedef struct {
    const sq_latency_entry *smaller,
        *larger;  /* no size of `smaller` exceeds the same size of `larger`, but `smaller` is slower */
    double ratio; /* mean of `smaller` / mean of `larger` */
} sq_latency_inversion;

typedef struct {
    int *unused; /* indices of entries whose block is not in the space */
    int unused_count;
    int *noisy; /* indices of entries whose deviation exceeds a fifth of their mean */
    int noisy_count;
    sq_latency_inversion *inversions; /* slower by more than 5 % and by more than 3 deviations; worst first */
    int inversion_count;
} sq_latency_check;

/* Checks the table. cost: quadratic in the number of entries. */
SQ_MUST_USE sq_status sq_latency_check_table(sq_latency_check *out, const sq_latency *latency,
                                             const sq_block_list *list);
void sq_latency_check_clear(sq_latency_check *check);

#endif
