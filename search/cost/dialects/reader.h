#ifndef SQ_DIALECT_READER_H
#define SQ_DIALECT_READER_H

#include "search/cost/dialects/dialect.h"

/* What every reader of a dialect gets, and how it hands on rows. Internal to search/cost/dialects/dialect.c and search/dialects. */

typedef struct {
    const char *path;
    char *text; /* the whole file, zero-terminated; a reader may write into it */
    const sq_dialect_options *options;
    sq_latency *latency;
    sq_dialect_report *report;
    double unit; /* milliseconds */
} sq_dialect_input;

typedef struct {
    const char *name, *summary;
    const char *space; /* of a table by layer: whose layers, when the user does not say it */
    bool is_modelled;
    bool (*fits)(const char *text);
    sq_status (*read)(sq_dialect_input *input);
} sq_dialect;

extern const sq_dialect sq_dialect_proxyless, sq_dialect_ofa, sq_dialect_nnmeter, sq_dialect_fbnet, sq_dialect_tfnas,
    sq_dialect_tunas, sq_dialect_singlepath;

/* `where` is "file:line" or "file: 'key'" in messages; value in the file's unit, deviation too. */
SQ_MUST_USE sq_status sq_dialect_add(sq_dialect_input *input, const char *where, const sq_block_key *key,
                                     const sq_block_time *time);
SQ_MUST_USE sq_status sq_dialect_add_layer(sq_dialect_input *input, const char *where, int layer, int choice,
                                           double value);
SQ_MUST_USE sq_status sq_dialect_add_base(sq_dialect_input *input, const char *where, double value);
/* A row whose block is only nearly ours: true when the user takes such; otherwise it is left out as `kind`. */
bool sq_dialect_takes_near(sq_dialect_input *input, const char *kind);
void sq_dialect_leave_out(sq_dialect_input *input, const char *kind);

/* The activation of another's name ("hard_swish", "relu"); SQ_ACTIVATIONS for one that we lack. */
sq_activation sq_dialect_activation(const char *name);

/* ---- Rows of comma-separated files ---- */

enum { SQ_CSV_COLUMNS = 64, SQ_CSV_WHERE_BYTES = 1100 };
typedef struct {
    sq_dialect_input *input;
    char *next; /* where the next row begins, or NULL */
    int line, count;
    char *fields[SQ_CSV_COLUMNS + 1]; /* into the text; `count` may be one more than fit */
    char where[SQ_CSV_WHERE_BYTES];
} sq_csv;

sq_csv sq_csv_open(sq_dialect_input *input);
/* Empty rows and comments (#) are passed over. */
bool sq_csv_next(sq_csv *csv);
/* The value column: the one that options.column names among those from `first`, or the only one. Its unit, where the
 * header says it ("latency(us)", "delta_ms"), is the input's from then on. */
SQ_MUST_USE sq_status sq_csv_column(sq_csv *csv, int first, int *out);
/* SQ_INVALID unless the row has `wanted` fields. */
SQ_MUST_USE sq_status sq_csv_expect(const sq_csv *csv, int wanted);
SQ_MUST_USE sq_status sq_csv_value(const sq_csv *csv, int column, double *out);

#endif
