#ifndef SQ_MISSING_H
#define SQ_MISSING_H

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
    sq_missing_block
        *blocks; /* each once, in the order in which layers and choices meet them; freed by sq_missing_clear */
    int count;
    int wanted; /* different blocks that the space or the path has, missing or not; a layer left out is none */
} sq_missing;

/* path: only the blocks of this architecture; NULL: of every choice.
 * returns SQ_INVALID for a table of another space or resolution, as sq_latency_prepare; SQ_NO_MEMORY
 * cost: one lookup a choice, and one pass over the table for each that is missing */
SQ_MUST_USE sq_status sq_latency_missing(sq_missing *out, const sq_latency *latency, const sq_space *space,
                                         const int *path);
void sq_missing_clear(sq_missing *missing);

/* SQ_DATA: "<table>: no entry '<key>', wanted by layer 3, choice 'mb_3x3_e3' of <space>; the nearest is '<key>'; 2 more
 * are missing: '<key>', '<key>'". missing->count > 0. */
SQ_MUST_USE sq_status sq_missing_fail(const sq_missing *missing, const sq_latency *latency, const sq_space *space);

#endif
