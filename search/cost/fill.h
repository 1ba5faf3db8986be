#ifndef SQ_FILL_H
#define SQ_FILL_H

#include "search/cost/block_key.h"

/* Estimates the times of blocks that a latency table lacks. */

struct sq_latency;

/* ROW(NAME, word, "summary"): one row per method. The method's function in fill.c has the word as its name. */
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
sq_fill sq_fill_find(const char *word);    /* SQ_FILLS: unknown word */

typedef struct {
    const struct sq_latency *latency;
    const sq_space *space;
    int layer, choice; /* of the missing block */
} sq_fill_request;

/* Estimates the time of one block. deviation_ms is 0 if the method does not estimate a deviation.
 * returns SQ_DATA: too few similar entries, or SQ_FILL_NONE; SQ_INVALID: no roofline.yaml */
SQ_MUST_USE sq_status sq_fill_block(sq_fill fill, const sq_fill_request *request, double *ms, double *deviation_ms);

/* Estimates the milliseconds of a block from the table's entries for which sq_block_key_is_alike is true. A sum of
 * terms in pixels, channels and kernel, with non-negative factors, is fitted to these entries by least squares of the
 * relative errors. The result is clamped between the slowest entry that is smaller in every size and the fastest entry
 * that is larger in every size. Fit and clamp are monotone in h * w, c_in, c_out, mid and kernel, so the result is
 * monotone as well.
 * deviation_ms: the result times the fit's root mean square relative error on these entries
 * returns SQ_DATA: there are fewer than 3 such entries */
SQ_MUST_USE sq_status sq_fill_interpolate(const struct sq_latency *latency, const sq_block_key *key, double *ms,
                                          double *deviation_ms);

#endif
