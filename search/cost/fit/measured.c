/* Reads measured networks from CSV. An invalid row is an error and is never repaired. */
#include "search/cost/fit/measured.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "supernet/space/space.h"

enum { LARGEST_FILE = 256 << 20, MAX_COLUMNS = 512, NAME_BYTES = 128 };

typedef struct {
    const char *path;
    int line;
    int columns, arch, time, deviation; /* indices; deviation may be SQ_NONE */
    double unit;                        /* milliseconds per unit of the file */
    size_t limit;
    sq_measured *out;
} reader;

/* ---- Header ---- */

static char *trim(char *text)
{
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t", text[length - 1]))
        text[--length] = 0;
    return text;
}

static const struct {
    const char *name;
    double ms;
} units[] = {{"ms", 1}, {"us", 1e-3}, {"s", 1e3}};
enum { UNITS = sizeof units / sizeof *units };

static int find_column(char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return SQ_NONE;
}

/* Returns the index of the unit that a name ends with ("pixel_ms") or consists of ("ms"); SQ_NONE: no unit. */
static int unit_of(const char *name)
{
    const char *last = strrchr(name, '_');
    const char *suffix = last ? last + 1 : name;
    for (int i = 0; i < UNITS; i++)
        if (strcmp(suffix, units[i].name) == 0)
            return i;
    return SQ_NONE;
}

/* Finds the column of deviations that belongs to the column of times `name`. */
static int find_deviation(char *const *names, int count, const char *name, int unit)
{
    char wanted[NAME_BYTES + 16];
    const char *suffix = unit == SQ_NONE ? "" : units[unit].name;
    const int stem = (int)(strlen(name) - strlen(suffix)); /* length without the unit, with the _ */
    if (unit == SQ_NONE)
        (void)snprintf(wanted, sizeof wanted, "%s_std", name);
    else
        (void)snprintf(wanted, sizeof wanted, "%.*sstd_%s", stem, name, suffix);
    return find_column(names, count, wanted);
}

/* Finds the column of times: `column`, or `column` followed by a unit. If `column` is NULL, the first of ms, us and
 * s. */
static int find_time(char *const *names, int count, const char *column)
{
    char wanted[NAME_BYTES + 8];
    int found = column ? find_column(names, count, column) : SQ_NONE;
    for (int i = 0; i < UNITS && found == SQ_NONE; i++) {
        (void)snprintf(wanted, sizeof wanted, "%s%s%s", column ? column : "", column ? "_" : "", units[i].name);
        found = find_column(names, count, wanted);
    }
    return found;
}

static sq_status read_header(reader *r, char *row, const char *column)
{
    char *names[MAX_COLUMNS];
    r->columns = sq_text_csv(row, names, MAX_COLUMNS);
    if (r->columns < 2 || r->columns > MAX_COLUMNS)
        return sq_fail(SQ_INVALID, "%s:%d: header of %d columns, expected arch and a column of times", r->path, r->line,
                       r->columns);
    for (int i = 0; i < r->columns; i++)
        names[i] = trim(names[i]);
    r->arch = find_column(names, r->columns, "arch");
    if (r->arch == SQ_NONE)
        return sq_fail(SQ_INVALID, "%s:%d: no column 'arch' in the header", r->path, r->line);
    r->time = find_time(names, r->columns, column);
    if (r->time == SQ_NONE) {
        char hint[SQ_TEXT_SUGGESTION] = "";
        if (column)
            (void)sq_text_suggestion(hint, sizeof hint, column, (const char *const *)(const void *)names, r->columns);
        return sq_fail(SQ_INVALID, "%s:%d: no column '%s' in the header%s", r->path, r->line, column ? column : "ms",
                       hint);
    }
    if (strlen(names[r->time]) >= NAME_BYTES)
        return sq_fail(SQ_INVALID, "%s:%d: a column name of %zu bytes, expected fewer than %d", r->path, r->line,
                       strlen(names[r->time]), NAME_BYTES);
    const int unit = unit_of(names[r->time]);
    r->unit = unit == SQ_NONE ? 1 : units[unit].ms;
    r->deviation = find_deviation(names, r->columns, names[r->time], unit);
    return SQ_OK;
}

/* ---- Rows ---- */

/* Reads an architecture into path[SQ_MAX_LAYERS]. Returns the number of layers, 0 for an empty text, SQ_NONE for an
 * invalid one. */
static int read_arch(char *text, int *path)
{
    int count = 0;
    text = trim(text);
    const size_t length = strlen(text);
    const bool is_tuple = length > 1 && text[0] == '(' && text[length - 1] == ')';
    if (is_tuple) {
        text[length - 1] = 0;
        text = trim(text + 1);
    }
    if (!is_tuple && !strpbrk(text, ",; ")) {
        for (; *text; text++, count++) {
            if (*text < '0' || *text > '9' || count == SQ_MAX_LAYERS)
                return SQ_NONE;
            path[count] = *text - '0';
        }
        return count;
    }
    for (char *p = text; p && *p;) {
        char *next = strpbrk(p, ",;");
        int64_t value;
        if (next)
            *next++ = 0;
        if (count == SQ_MAX_LAYERS || !sq_text_int(trim(p), 0, SQ_MAX_CHOICES - 1, &value))
            return SQ_NONE;
        path[count++] = (int)value;
        p = next;
    }
    return count;
}

static sq_status grow(reader *r)
{
    sq_measured *m = r->out;
    if (m->count < r->limit)
        return SQ_OK;
    const size_t limit = r->limit ? 2 * r->limit : 256;
    int *paths = realloc(m->paths, limit * (size_t)m->layers * sizeof *paths);
    m->paths = paths ? paths : m->paths;
    int *lines = realloc(m->lines, limit * sizeof *lines);
    m->lines = lines ? lines : m->lines;
    double *ms = realloc(m->ms, limit * sizeof *ms);
    m->ms = ms ? ms : m->ms;
    double *deviation = realloc(m->deviation, limit * sizeof *deviation);
    m->deviation = deviation ? deviation : m->deviation;
    if (!paths || !lines || !ms || !deviation)
        return sq_fail(SQ_NO_MEMORY, "%s: %zu measurements", r->path, limit);
    r->limit = limit;
    return SQ_OK;
}

static sq_status read_row(reader *r, char *row)
{
    char *fields[MAX_COLUMNS];
    int path[SQ_MAX_LAYERS];
    double ms, deviation = 0;
    sq_measured *m = r->out;
    const int count = sq_text_csv(row, fields, MAX_COLUMNS);
    if (count != r->columns)
        return sq_fail(SQ_INVALID, "%s:%d: %s%d columns, expected %d as in the header; put tuples in quotes", r->path,
                       r->line, count < 0 ? "an open quote, " : "", count < 0 ? 0 : count, r->columns);
    char *text = fields[r->arch];
    const int layers = read_arch(text, path);
    if (layers <= 0)
        return sq_fail(SQ_INVALID, "%s:%d: arch %s, expected (2, 1, 0), 2;1;0 or digits", r->path, r->line,
                       layers == 0 ? "is empty" : "is not a list of choices");
    if (m->count > 0 && layers != m->layers)
        return sq_fail(SQ_INVALID, "%s:%d: arch of %d layers, expected %d as in line %d", r->path, r->line, layers,
                       m->layers, m->lines[0]);
    if (!sq_text_double(trim(fields[r->time]), 0, 1e12, &ms) || ms <= 0)
        return sq_fail(SQ_INVALID, "%s:%d: time '%s', expected a finite number above 0", r->path, r->line,
                       fields[r->time]);
    if (r->deviation != SQ_NONE && *trim(fields[r->deviation]) &&
        !sq_text_double(trim(fields[r->deviation]), 0, 1e12, &deviation))
        return sq_fail(SQ_INVALID, "%s:%d: deviation '%s', expected a finite number >= 0", r->path, r->line,
                       fields[r->deviation]);
    m->layers = layers;
    SQ_TRY(grow(r));
    memcpy(m->paths + m->count * (size_t)layers, path, (size_t)layers * sizeof *path);
    m->lines[m->count] = r->line;
    m->ms[m->count] = ms * r->unit;
    m->deviation[m->count++] = deviation * r->unit;
    return SQ_OK;
}

/* ---- The file ---- */

static sq_status read_text(reader *r, char *text, const char *column)
{
    bool has_header = false;
    if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
        text += 3; /* spreadsheets write a byte order mark */
    for (char *next = text, *row; (row = sq_text_next_row(&next, &r->line));) {
        if (has_header)
            SQ_TRY(read_row(r, row));
        else
            SQ_TRY(read_header(r, row, column));
        has_header = true;
    }
    if (r->out->count == 0)
        return sq_fail(SQ_INVALID, "%s: no measurements%s", r->path, has_header ? "" : " and no header");
    return SQ_OK;
}

sq_status sq_measured_read(sq_measured **out, const char *path, const char *column)
{
    char *text = NULL;
    reader r = {.path = path, .out = calloc(1, sizeof *r.out)};
    if (!r.out)
        return sq_fail(SQ_NO_MEMORY, "%s: measurements", path);
    sq_status status = column && strlen(column) >= NAME_BYTES
                           ? sq_fail(SQ_INVALID, "%s: a column name of %zu bytes", path, strlen(column))
                           : sq_file_read_text(path, LARGEST_FILE, &text);
    if (status == SQ_OK)
        status = read_text(&r, text, column);
    free(text);
    if (status == SQ_OK)
        *out = r.out;
    else
        sq_measured_free(r.out);
    return status;
}

void sq_measured_free(sq_measured *measured)
{
    if (!measured)
        return;
    free(measured->paths);
    free(measured->lines);
    free(measured->ms);
    free(measured->deviation);
    free(measured);
}

void sq_measured_limits(const sq_measured *measured, int *limits)
{
    for (int l = 0; l < measured->layers; l++)
        limits[l] = 0;
    for (size_t i = 0; i < measured->count * (size_t)measured->layers; i++) {
        int *limit = &limits[i % (size_t)measured->layers];
        *limit = measured->paths[i] >= *limit ? measured->paths[i] + 1 : *limit;
    }
}
