#ifndef SQ_DIALECT_H
#define SQ_DIALECT_H

#include "search/cost/dialects/dialect_report.h"

/* Reads latency tables in the formats of other projects; such a format is called a dialect. The dialect is recognised
 * from the content of a file unless the caller names the dialect. Blocks get Squall's keys (block_key.h). Rows of
 * blocks that no Squall space can contain are skipped and counted. configs/devices/README.md lists the public tables
 * and their pitfalls. */

/* ROW(word): one row per dialect. A source file of this folder defines sq_dialect_<word>. */
#define SQ_DIALECT_TABLE(ROW)                                                                                          \
    ROW(proxyless)                                                                                                     \
    ROW(ofa)                                                                                                           \
    ROW(nnmeter)                                                                                                       \
    ROW(fbnet)                                                                                                         \
    ROW(tfnas)                                                                                                         \
    ROW(tunas)                                                                                                         \
    ROW(singlepath)

int sq_dialect_count(void);
const char *sq_dialect_name(int dialect);    /* "proxyless" */
const char *sq_dialect_summary(int dialect); /* one line of help */

/* If all fields are zero, the file alone determines the table. */
typedef struct {
    const char *dialect; /* NULL: recognised from the content */
    const char *column;  /* column of values, for files with several; NULL: the only column */
    const char *unit;    /* "ns", "us", "ms" or "s", for files that do not state a unit; NULL: ms */
    bool takes_near;     /* also read blocks that differ from Squall's only in the shortcut, and read swish as hswish */
    bool is_modelled;
    sq_device_info info; /* properties of the device that the caller knows; an empty text or 0: unknown */
} sq_dialect_options;

/* Reads a file; options and report may be NULL. Close the table with sq_latency_close.
 * returns SQ_INVALID: the message has the file, the line or key, the found and the expected value; also if no dialect
 * or more than one dialect fits, if a column must be named, and if every row was skipped; SQ_IO */
SQ_MUST_USE sq_status sq_dialect_read(sq_latency **out, sq_dialect_report *report, const char *path,
                                      const sq_dialect_options *options);

#endif
