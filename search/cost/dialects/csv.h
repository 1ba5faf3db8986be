#ifndef SQ_CSV_H
#define SQ_CSV_H

#include "search/cost/dialects/reader.h"

/* Reads the rows of comma-separated files. Quotes have no meaning, because no supported table has a comma inside a
 * field. */

enum { SQ_CSV_COLUMNS = 64, SQ_CSV_WHERE_BYTES = 1100 };
typedef struct {
    sq_dialect_input *input;
    char *next; /* start of the next row, or NULL */
    int line, count;
    char *fields[SQ_CSV_COLUMNS + 1]; /* [count], pointing into the text; count SQ_CSV_COLUMNS + 1: too many columns */
    char where[SQ_CSV_WHERE_BYTES];   /* "file:line" */
} sq_csv;

sq_csv sq_csv_open(sq_dialect_input *input);
/* Reads the next row; skips empty rows and comments (#). Returns false at the end of the text. */
bool sq_csv_next(sq_csv *csv);
/* Finds the column of values in the header, among the columns from index `first` on. The column is the one that
 * options.column names; without options.column there must be only one. If the column's name states a unit
 * ("latency(us)", "delta_ms"), this unit becomes the unit of the input. */
SQ_MUST_USE sq_status sq_csv_column(sq_csv *csv, int first, int *out);
/* SQ_INVALID unless the row has `expected` fields. */
SQ_MUST_USE sq_status sq_csv_expect(const sq_csv *csv, int expected);
SQ_MUST_USE sq_status sq_csv_value(const sq_csv *csv, int column, double *out);

#endif
