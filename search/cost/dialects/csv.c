/* Reads the rows of comma-separated files. */
#include "search/cost/dialects/csv.h"

#include <stdio.h>
#include <string.h>

#include "kernels/base/text.h"
#include "search/cost/time_unit.h"

#define LARGEST_VALUE 1e12

sq_csv sq_csv_open(sq_dialect_input *input)
{
    return (sq_csv){.input = input, .next = input->text};
}

static void split(sq_csv *csv, char *row)
{
    csv->count = 0;
    for (char *p = row; p && csv->count <= SQ_CSV_COLUMNS; csv->count++) {
        csv->fields[csv->count] = p;
        p = strchr(p, ',');
        if (p)
            *p++ = 0;
    }
}

bool sq_csv_next(sq_csv *csv)
{
    char *row = sq_text_next_row(&csv->next, &csv->line);
    if (!row)
        return false;
    (void)snprintf(csv->where, sizeof csv->where, "%.1000s:%d", csv->input->path, csv->line);
    split(csv, row);
    return true;
}

sq_status sq_csv_expect(const sq_csv *csv, int expected)
{
    if (csv->count != expected)
        return sq_fail(SQ_INVALID, "%s: %s%d columns, expected %d", csv->where,
                       csv->count > SQ_CSV_COLUMNS ? "more than " : "",
                       csv->count > SQ_CSV_COLUMNS ? SQ_CSV_COLUMNS : csv->count, expected);
    return SQ_OK;
}

sq_status sq_csv_value(const sq_csv *csv, int column, double *out)
{
    if (!sq_text_double(csv->fields[column], -LARGEST_VALUE, LARGEST_VALUE, out))
        return sq_fail(SQ_INVALID, "%s: '%s', expected a number", csv->where, csv->fields[column]);
    return SQ_OK;
}

/* Sets the input's unit to the unit in the column's name, if the name has one. Fails if the caller stated another
 * unit. */
static sq_status take_unit(const sq_csv *csv, const char *column)
{
    const char *given = csv->input->options->unit, *unit = sq_time_unit_of_column(column);
    if (unit && given && strcmp(given, unit) != 0)
        return sq_fail(SQ_INVALID, "%s: column '%s' is not in %s", csv->where, column, given);
    if (unit)
        csv->input->unit = sq_time_unit_ms(unit);
    return SQ_OK;
}

static sq_status no_column(const sq_csv *csv, int first, const char *wanted)
{
    char all[512] = "", hint[SQ_TEXT_SUGGESTION];
    size_t used = 0;
    for (int i = first; i < csv->count && used < sizeof all; i++)
        used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", i > first ? ", " : "", csv->fields[i]);
    if (!wanted)
        return sq_fail(SQ_INVALID, "%s: found several columns (%s); name the one to read", csv->where, all);
    (void)sq_text_suggestion(hint, sizeof hint, wanted, (const char *const *)csv->fields + first, csv->count - first);
    return sq_fail(SQ_INVALID, "%s: no column '%s'%s; found %s", csv->where, wanted, hint, all);
}

sq_status sq_csv_column(sq_csv *csv, int first, int *out)
{
    const char *wanted = csv->input->options->column;
    int column = first;
    if (csv->count > SQ_CSV_COLUMNS || csv->count <= first)
        return sq_fail(SQ_INVALID, "%s: %d columns, expected %d to %d", csv->where, csv->count, first + 1,
                       SQ_CSV_COLUMNS);
    while (wanted && column < csv->count && strcmp(csv->fields[column], wanted) != 0)
        column++;
    if (column == csv->count || (!wanted && csv->count > first + 1))
        return no_column(csv, first, wanted);
    SQ_TRY(take_unit(csv, csv->fields[column]));
    *out = column;
    return SQ_OK;
}
