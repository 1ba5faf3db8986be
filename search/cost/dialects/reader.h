#ifndef SQ_READER_H
#define SQ_READER_H

#include "search/cost/dialects/dialect.h"

/* Defines the interface of a dialect's reader, and the functions by which a reader adds rows to the table. */

typedef struct {
    const char *path;
    char *text; /* the whole file, zero-terminated; the reader may modify it */
    const sq_dialect_options *options;
    sq_latency *latency;
    sq_dialect_report *report;
    double unit; /* milliseconds per unit of the file */
} sq_dialect_input;

typedef struct {
    const char *name, *summary;
    const char *space; /* space whose layers a table by layer numbers, unless the caller names one */
    bool is_modelled;
    bool (*fits)(const char *text); /* returns whether the text looks like this dialect */
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
/* Must be called for a row whose block differs from Squall's in a detail. Returns true if the caller accepts such rows;
 * otherwise counts the row as left out. */
bool sq_dialect_takes_near(sq_dialect_input *input, const char *kind);
/* Counts a row as left out; `kind` describes it in the report. */
void sq_dialect_leave_out(sq_dialect_input *input, const char *kind);

/* Returns the activation for another project's name ("hard_swish", "relu"); SQ_ACTIVATIONS: Squall does not have it. */
sq_activation sq_dialect_activation(const char *name);

#endif
