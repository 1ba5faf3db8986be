#ifndef SQ_DIALECT_H
#define SQ_DIALECT_H

#include <stdio.h>

#include "search/cost/latency_table.h"

/* Other people's latency tables, read into ours. A dialect is told from what the file holds, unless it is named. Blocks
 * get our keys (search/cost/block_key.h); rows of blocks that no Squall space can contain are left out and counted, never
 * guessed at. Which tables are public, and their traps: configs/devices/README.md. */

int sq_dialect_count(void);
const char *sq_dialect_name(int dialect); /* "proxyless" */
const char *sq_dialect_summary(int dialect);

/* Zero is a good start: everything as the file says it. */
typedef struct {
    const char *dialect; /* NULL: told from the content */
    const char *column;  /* whose figures, where a file has several devices; NULL: the only ones */
    const char *unit;    /* "ns", "us", "ms", "s" of a file that does not say it; NULL: ms */
    bool takes_near;     /* also blocks that differ from ours in the shortcut alone, and swish for hswish */
    bool is_modelled;
    sq_device_info info; /* what is known of the device; an empty text or 0 says nothing */
} sq_dialect_options;

enum { SQ_DIALECT_KINDS = 12 };
typedef struct {
    const char *dialect;
    int64_t rows, read, near; /* rows of the file; those in the table; of these, blocks that are only nearly ours */
    int64_t left_out;
    struct {
        char text[72]; /* "transds", "MBInvertedResBlock: activation swish" */
        int64_t count;
    } kinds[SQ_DIALECT_KINDS]; /* of those left out; the last counts all others */
    int kind_count;
    int64_t duplicates;    /* rows read whose block stood there before; such a block has the mean of its rows */
    int64_t conflicts;     /* blocks whose rows differ */
    double worst_conflict; /* largest / smallest of such a block */
    char conflict[SQ_BLOCK_KEY_BYTES]; /* its key */
} sq_dialect_report;

/* Reads a file; options and report may be NULL. Close the latency with sq_latency_close.
 * returns SQ_INVALID: file, line or key, what was found, what was wanted; also where no dialect or several fit, where a
 * column must be named, and where no row is left; SQ_IO */
SQ_MUST_USE sq_status sq_dialect_read(sq_latency **out, sq_dialect_report *report, const char *path,
                                      const sq_dialect_options *options);

/* "12,116 rows: 1,800 read, 10,316 left out, blocks that no Squall space has: 7,740 transds, ..."; a line each for
 * duplicates and near ones. */
void sq_dialect_print(const sq_dialect_report *report, FILE *file);

#endif
