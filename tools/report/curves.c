/* Converts a log into curves. A killed and resumed run appends to its log, so a step can occur twice, and the last line
 * can be incomplete. Both cases are normal. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/text.h"
#include "search/json_file.h"
#include "tools/report/report.h"

enum { MOST_COLUMNS = 4, MOST_POINTS = 3000, MOST_EVENTS = 200 };

typedef struct {
    int64_t step;
    double values[MOST_COLUMNS]; /* NaN: not in this line */
} point;

typedef struct {
    const char *const *columns;
    int column_count;
    point *points; /* freed by sq_report_curves */
    size_t count, limit, damaged;
    bool is_torn, is_short; /* the last line is incomplete; memory ran out, so points are missing */
} curves;

static void add(curves *c, const json_t *line)
{
    point p = {.step = json_integer_value(json_object_get(line, "step"))};
    for (int i = 0; i < c->column_count; i++)
        p.values[i] = sq_json_number(json_object_get(line, c->columns[i]));
    while (c->count && c->points[c->count - 1].step >= p.step) /* a resumed run wrote these steps again */
        c->count--;
    if (c->count == c->limit) {
        const size_t limit = c->limit ? 2 * c->limit : 1024;
        point *more = realloc(c->points, limit * sizeof *more);
        if (!more) {
            c->is_short = true;
            return;
        }
        c->points = more;
        c->limit = limit;
    }
    c->points[c->count++] = p;
}

static void read_line(curves *c, const char *text, size_t bytes, json_t *events)
{
    json_error_t error;
    json_t *line = json_loadb(text, bytes, 0, &error);
    const char *event = json_string_value(json_object_get(line, "event"));
    if (!json_is_object(line))
        c->damaged++;
    else if (event && strcmp(event, "step") != 0) {
        if (json_array_size(events) < MOST_EVENTS)
            json_array_append(events, line);
    } else if (json_is_integer(json_object_get(line, "step")))
        add(c, line);
    json_decref(line);
}

static void read_file(curves *c, FILE *file, json_t *events)
{
    char *line = NULL;
    size_t limit = 0;
    for (ssize_t length = getline(&line, &limit, file); length > 0; length = getline(&line, &limit, file))
        if (line[length - 1] != '\n')
            c->is_torn = true;
        else
            read_line(c, line, (size_t)length, events);
    free(line);
}

/* ---- Thinning ---- */

typedef struct {
    double mean, low, high;
} range;

/* Returns mean, minimum and maximum of one column over points [from, from + count). */
static range range_of(const curves *c, int column, size_t from, size_t count)
{
    range r = {.low = INFINITY, .high = -INFINITY};
    size_t known = 0;
    for (size_t i = from; i < from + count; i++) {
        const double value = c->points[i].values[column];
        if (isnan(value))
            continue;
        known++;
        r.mean += value;
        r.low = fmin(r.low, value);
        r.high = fmax(r.high, value);
    }
    r.mean = known ? r.mean / (double)known : NAN;
    return r;
}

static void put_column(json_t *out, const curves *c, int column, size_t per)
{
    char low_name[64], high_name[64];
    json_t *mean = json_array(), *low = json_array(), *high = json_array();
    for (size_t from = 0; from < c->count; from += per) {
        const range r = range_of(c, column, from, c->count - from < per ? c->count - from : per);
        json_array_append_new(mean, sq_json_real(r.mean));
        json_array_append_new(low, sq_json_real(r.low));
        json_array_append_new(high, sq_json_real(r.high));
    }
    (void)snprintf(low_name, sizeof low_name, "%s_low", c->columns[column]);
    (void)snprintf(high_name, sizeof high_name, "%s_high", c->columns[column]);
    json_object_set_new(out, c->columns[column], mean);
    if (per > 1) {
        json_object_set(out, low_name, low);
        json_object_set(out, high_name, high);
    }
    json_decref(low);
    json_decref(high);
}

static json_t *thin(const curves *c)
{
    const size_t per = c->count > MOST_POINTS ? (2 * c->count + MOST_POINTS - 1) / MOST_POINTS : 1;
    json_t *out = json_pack("{s:I, s:I}", "lines", (json_int_t)c->count, "per", (json_int_t)per), *steps = json_array();
    for (size_t from = 0; from < c->count; from += per) {
        const size_t last = from + per < c->count ? from + per - 1 : c->count - 1;
        json_array_append_new(steps, json_integer(c->points[last].step));
    }
    json_object_set_new(out, "step", steps);
    for (int i = 0; i < c->column_count; i++)
        put_column(out, c, i, per);
    return out;
}

json_t *sq_report_curves(const char *folder, const char *name, const char *const *columns, json_t *events,
                         json_t *notes)
{
    char path[SQ_PATH_BYTES];
    curves c = {.columns = columns};
    while (columns[c.column_count])
        c.column_count++;
    FILE *file = sq_text_path(path, sizeof path, folder, name) == SQ_OK ? fopen(path, "rb") : NULL;
    if (!file)
        return NULL;
    read_file(&c, file, events);
    (void)fclose(file); /* opened for reading, so closing cannot lose data */
    if (c.is_torn)
        sq_report_note(notes, "%s: the last line is incomplete: the run was killed there, or is writing it now", name);
    if (c.damaged)
        sq_report_note(notes, "%s: %zu line%s no JSON object: skipped", name, c.damaged,
                       c.damaged == 1 ? " is" : "s are");
    if (c.is_short)
        sq_report_note(notes, "%s: out of memory: the curve ends early", name);
    json_t *out = thin(&c);
    free(c.points);
    return out;
}
