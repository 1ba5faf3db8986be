#ifndef SQ_FILL_H
#define SQ_FILL_H

#include "search/cost/latency_table.h"

/* Blocks that a table lacks, from the entries of the same kind. */

/* Milliseconds of a block by the table's other blocks of its kind, stride, activation and with or without
 * squeeze-and-excitation: a sum of non-negative terms in pixels, channels and kernel is fitted to them (relative least
 * squares), and held between the slowest entry that is smaller in every size and the fastest that is larger in every
 * size. Both are monotone in h * w, c_in, c_out, mid, kernel, so the result is.
 * deviation: the fit's relative deviation on its entries, times the result.
 * SQ_DATA: fewer than 3 entries of its kind. */
SQ_MUST_USE sq_status sq_fill_interpolate(const sq_latency *latency, const sq_block_key *key, double *ms,
                                          double *deviation_ms);

#endif
