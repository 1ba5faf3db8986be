#ifndef SQ_DIALECT_H
#define SQ_DIALECT_H

#include "search/cost/dialects/dialect_report.h"

/* Latency tables in the formats of other projects (dialects). The content of a file tells its dialect, unless the
 * caller names it. Blocks get our keys (block_key.h). Rows of blocks that no Squall space can contain are skipped and
 * counted. configs/devices/README.md lists the public tables and their pitfalls. */

/* ROW(word): one row per dialect; its file defines sq_dialect_<word>. */
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

/* All zero: everything as the file states it. */
typedef struct {
    const char *dialect; /* NULL: told from the content */
    const char *column;  /* of the device, when a file has several; NULL: the only column */
    const char *unit;    /* "ns", "us", "ms", "s" of a file that does not state it; NULL: ms */
    bool takes_near;     /* also read blocks that differ from ours only in the shortcut, and swish as hswish */
    bool is_modelled;
    sq_device_info info; /* known properties of the device; an empty text or 0: unknown */
} sq_dialect_options;

/* Reads a file; options and report may be NULL. Close the table with sq_latency_close.
 * returns SQ_INVALID: file, line or key, found and expected value; also when no dialect or several fit, when a column
 * must be named, and when no row remains; SQ_IO */
SQ_MUST_USE sq_status sq_dialect_read(sq_latency **out, sq_dialect_report *report, const char *path,
                                      const sq_dialect_options *options);

#endif
