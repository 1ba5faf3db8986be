#ifndef SQ_COVERAGE_H
#define SQ_COVERAGE_H

#include "search/cost/latency_table.h"

/* Finds the blocks of a space that a latency table lacks. All missing blocks are reported together, so that one
 * measurement can add all of them. */

typedef struct {
    int layer, choice; /* of the first use */
    int uses;          /* number of (layer, choice) pairs with this block */
    bool is_by_layer;  /* the table has entries by layer and choice, and therefore no keys */
    sq_block_key key;
    const sq_latency_entry *nearest; /* entry with the nearest key, owned by the table; NULL: the table has no keys */
    double distance;                 /* from key to the key of `nearest` (sq_block_key_distance) */
} sq_missing_block;

typedef struct {
    sq_missing_block *missing; /* lists each block once, in order of layer and choice; freed by sq_coverage_clear */
    int missing_count;
    int block_count; /* distinct blocks of the space or the path, covered or missing */
} sq_coverage;

/* Finds the missing blocks.
 * path: only the blocks of this architecture are looked up; NULL: the blocks of every choice are
 * returns SQ_INVALID for a table of another space or resolution; SQ_NO_MEMORY
 * cost: one lookup per choice, and one pass over the table per missing block */
SQ_MUST_USE sq_status sq_coverage_find(sq_coverage *out, const sq_latency *latency, const sq_space *space,
                                       const int *path);
void sq_coverage_clear(sq_coverage *coverage);

/* Fails with SQ_DATA: "<table>: no entry '<key>', needed by layer 3, choice 'mb_3x3_e3' of <space>; the nearest is
 * '<key>'; 2 more are missing: '<key>', '<key>'". missing_count must be above 0. */
SQ_MUST_USE sq_status sq_coverage_fail(const sq_coverage *coverage, const sq_latency *latency, const sq_space *space);

#endif
