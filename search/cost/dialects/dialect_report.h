#ifndef SQ_DIALECT_REPORT_H
#define SQ_DIALECT_REPORT_H

#include <stdio.h>

#include "search/cost/latency_table.h"

/* Counts of the rows that were read from another project's table, and of those that were skipped. */

enum { SQ_DIALECT_KINDS = 12 };
typedef struct {
    const char *dialect;
    int64_t rows, read; /* rows of the file; rows that are in the table */
    int64_t near;       /* of the rows read: blocks that differ from ours in a detail */
    int64_t left_out;
    struct {
        char text[72]; /* "transds", "MBInvertedResBlock: activation swish" */
        int64_t count;
    } kinds[SQ_DIALECT_KINDS]; /* of the rows that are left out; the last one counts all further kinds */
    int kind_count;
    int64_t duplicates;                /* rows whose block occurred before; the entry is the mean of its rows */
    int64_t conflicts;                 /* blocks whose rows differ */
    double worst_conflict;             /* ratio of the largest to the smallest value of such a block */
    char conflict[SQ_BLOCK_KEY_BYTES]; /* the key of that block */
} sq_dialect_report;

/* Prints "12,116 rows: 1,800 read, 10,316 left out, blocks that no Squall space has: 7,740 transds, ...", then one line
 * each for duplicates and near blocks. */
void sq_dialect_print(const sq_dialect_report *report, FILE *file);

#endif
