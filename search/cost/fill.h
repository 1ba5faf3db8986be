#ifndef SQ_FILL_H
#define SQ_FILL_H

#include "search/cost/block_key.h"

/* Estimates for blocks that a latency table has no entry for. */

struct sq_latency;

/* ROW(NAME, word, "summary"): one row per method; its function in fill.c has the word as its name. */
#define SQ_FILL_TABLE(ROW)                                                                                             \
    ROW(NONE, none, "report missing blocks as an error")                                                               \
    ROW(INTERPOLATE, interpolate, "interpolate between blocks of the same kind")                                       \
    ROW(ROOFLINE, roofline, "use the device's roofline.yaml")

#define SQ_FILL_WORD(NAME, word, summary)       #word " "
#define SQ_FILL_WORDS                           SQ_FILL_TABLE(SQ_FILL_WORD) /* "none interpolate roofline " */
#define SQ_FILL_ENUMERATOR(NAME, word, summary) SQ_FILL_##NAME,
typedef enum { SQ_FILL_TABLE(SQ_FILL_ENUMERATOR) SQ_FILLS } sq_fill;

const char *sq_fill_word(sq_fill fill);
const char *sq_fill_summary(sq_fill fill); /* one line of help */
sq_fill sq_fill_find(const char *word);    /* SQ_FILLS when unknown */

typedef struct {
    const struct sq_latency *latency;
    const sq_space *space;
    int layer, choice; /* of the missing block */
} sq_fill_request;

/* Estimates one block. deviation_ms is 0 where the method does not know it.
 * returns SQ_DATA: too few similar entries, or SQ_FILL_NONE; SQ_INVALID: no roofline.yaml */
SQ_MUST_USE sq_status sq_fill_block(sq_fill fill, const sq_fill_request *request, double *ms, double *deviation_ms);

/* Milliseconds of a block from the table's other blocks of its kind, stride and activation, with or without
 * squeeze-and-excitation like it. A sum of non-negative terms in pixels, channels and kernel is fitted to them by
 * relative least squares. The result is clamped between the slowest entry that is smaller in every size and the fastest
 * that is larger in every size. Both steps are monotone in h * w, c_in, c_out, mid and kernel; so is the result.
 * deviation_ms: the result times the relative deviation of the fit on its entries.
 * returns SQ_DATA: fewer than 3 entries of its kind */
SQ_MUST_USE sq_status sq_fill_interpolate(const struct sq_latency *latency, const sq_block_key *key, double *ms,
                                          double *deviation_ms);

#endif
