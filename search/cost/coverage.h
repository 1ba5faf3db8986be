#ifndef SQ_COVERAGE_H
#define SQ_COVERAGE_H

#include "search/cost/latency_table.h"

/* What a table lacks for a space: everything, not only the first, so that one look tells what must be measured. */

typedef struct {
    int layer, choice; /* where it is wanted first: of the space's layers, and of that layer's choices */
    int uses;          /* places that want it */
    bool is_by_layer;  /* the table stands by layer: `key` says what block it is, but the table has no keys */
    sq_block_key key;
    const sq_latency_entry *nearest; /* of the table, which must live as long; NULL: it has none of blocks */
    double distance;                 /* of its key, see sq_block_key_distance */
} sq_missing_block;

typedef struct {
    sq_missing_block *missing; /* each block once, in order of layer and choice; freed by sq_coverage_clear */
    int missing_count;
    int block_count; /* distinct blocks of the space or the path, covered or not; skipped layers do not count */
} sq_coverage;

/* path: only the blocks of this architecture; NULL: of every choice.
 * returns SQ_INVALID for a table of another space or resolution, as sq_latency_prepare; SQ_NO_MEMORY
 * cost: one lookup a choice, and one pass over the table for each that is missing */
SQ_MUST_USE sq_status sq_coverage_find(sq_coverage *out, const sq_latency *latency, const sq_space *space,
                                       const int *path);
void sq_coverage_clear(sq_coverage *coverage);

/* SQ_DATA: "<table>: no entry '<key>', wanted by layer 3, choice 'mb_3x3_e3' of <space>; the nearest is '<key>'; 2 more
 * are missing: '<key>', '<key>'". coverage->missing_count > 0. */
SQ_MUST_USE sq_status sq_coverage_fail(const sq_coverage *coverage, const sq_latency *latency, const sq_space *space);

#endif
