#ifndef SQ_DIALECT_REPORT_H
#define SQ_DIALECT_REPORT_H

#include <stdio.h>

#include "search/cost/latency_table.h"

/* The report counts the rows of another project's table that were read, and the rows that were skipped. */

enum { SQ_DIALECT_KINDS = 12 };
typedef struct {
    const char *dialect;
    int64_t rows, read; /* rows of the file; rows that were added to the table */
    int64_t near;       /* rows that were read although their blocks differ from Squall's in a detail */
    int64_t left_out;
    struct {
        char text[72]; /* "transds", "MBInvertedResBlock: activation swish" */
        int64_t count;
    } kinds[SQ_DIALECT_KINDS]; /* kinds of rows that were left out; the last element counts all further kinds */
    int kind_count;
    int64_t duplicates;                /* rows whose block occurred before; an entry is the mean of its block's rows */
    int64_t conflicts;                 /* blocks whose rows differ */
    double worst_conflict;             /* largest ratio between two values of one block */
    char conflict[SQ_BLOCK_KEY_BYTES]; /* the key of the block with this ratio */
} sq_dialect_report;

/* Prints "12,116 rows: 1,800 read, 10,316 left out, blocks that no Squall space has: 7,740 transds, ...", then one line
 * each for duplicates and near blocks. */
void sq_dialect_print(const sq_dialect_report *report, FILE *file);

#endif
