#ifndef SQ_READER_H
#define SQ_READER_H

#include "search/cost/dialects/dialect.h"

/* The interface of a dialect's reader, and the functions by which it passes rows on. */

typedef struct {
    const char *path;
    char *text; /* the whole file, zero-terminated; the reader may modify it */
    const sq_dialect_options *options;
    sq_latency *latency;
    sq_dialect_report *report;
    double unit; /* milliseconds of the file's unit */
} sq_dialect_input;

typedef struct {
    const char *name, *summary;
    const char *space; /* of a table by layer: the space whose layers it numbers, unless the caller names one */
    bool is_modelled;
    bool (*fits)(const char *text); /* whether the text looks like this dialect */
    sq_status (*read)(sq_dialect_input *input);
} sq_dialect;

#define SQ_DIALECT_DECLARATION(word) extern const sq_dialect sq_dialect_##word;
SQ_DIALECT_TABLE(SQ_DIALECT_DECLARATION)

/* Add one row. `where` is "file:line" or "file: 'key'" for messages; times are in the file's unit. */
SQ_MUST_USE sq_status sq_dialect_add(sq_dialect_input *input, const char *where, const sq_block_key *key,
                                     const sq_block_time *time);
SQ_MUST_USE sq_status sq_dialect_add_layer(sq_dialect_input *input, const char *where, int layer, int choice,
                                           double value);
SQ_MUST_USE sq_status sq_dialect_add_base(sq_dialect_input *input, const char *where, double value);
/* For a row whose block differs from ours in a detail: returns true if the caller wants such rows; otherwise counts it
 * as left out. */
bool sq_dialect_takes_near(sq_dialect_input *input, const char *kind);
/* Counts a row as left out; `kind` describes it in the report. */
void sq_dialect_leave_out(sq_dialect_input *input, const char *kind);

/* Our activation for another project's name ("hard_swish", "relu"); SQ_ACTIVATIONS when we have none. */
sq_activation sq_dialect_activation(const char *name);

#endif
