#ifndef SQ_LIMITS_H
#define SQ_LIMITS_H

#include "search/searchers/searcher.h"

/* Computes the costs of a path and checks the limits on these costs. */

/* Computes block_macs, block_parameters and block_memory_mb from the space. */
void sq_limits_fill_block_costs(sq_searcher *searcher);

/* Sets the candidate's costs and predictions from its path. */
void sq_limits_fill_costs(const sq_searcher *searcher, sq_candidate *candidate);
/* Returns whether the candidate's costs are within all limits. */
bool sq_limits_hold(const sq_searcher *searcher, const sq_candidate *candidate);

/* Checks that paths can be within each limit. SQ_INVALID: no path can be within a limit; the message has the smallest
 * possible value. */
SQ_MUST_USE sq_status sq_limits_check(const sq_searcher *searcher);

#endif
