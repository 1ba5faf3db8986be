/* Holds a latency table in memory, and reads and writes its files. table.csv has one row per block: the block's key,
 * then mean, deviation and count. layers.csv has one row per layer and choice. The header names the unit (mean_ms,
 * mean_us, mean_s) and the optional columns outliers, energy_mj and area_mm2. */
#include "search/cost/latency_table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "search/cost/time_unit.h"

enum { LARGEST_TABLE = 64 << 20, COLUMNS = 24, LAYER_FIELDS = 2, WHERE_BYTES = SQ_PATH_BYTES + 32 };
#define MAX_SAMPLES 1e18  /* a merged entry counts the samples of all its rows */
#define MAX_VALUE   1e12  /* milliseconds, and all other quantities */
#define MIN_TIME    1e-12 /* milliseconds */

sq_block_time sq_block_time_of(double mean_ms, double deviation_ms, int64_t count)
{
    return (sq_block_time){mean_ms, deviation_ms, count, 0, NAN, NAN};
}

/* ---- Entries ---- */

sq_status sq_latency_create(sq_latency **out, const char *name)
{
    sq_latency *latency = calloc(1, sizeof *latency);
    if (!latency)
        return sq_fail(SQ_NO_MEMORY, "%s: latency table", name);
    (void)snprintf(latency->path, sizeof latency->path, "%s", name);
    latency->info = (sq_device_info){.batch = 1, .scale = 1};
    *out = latency;
    return SQ_OK;
}

void sq_latency_close(sq_latency *latency)
{
    if (!latency)
        return;
    free(latency->entries);
    free(latency->layers);
    free(latency);
}

/* Grows the array if it has no room for one more element of `bytes` bytes. */
static sq_status grow(void **array, size_t count, size_t *limit, size_t bytes)
{
    if (count < *limit)
        return SQ_OK;
    const size_t more = *limit ? 2 * *limit : 128;
    void *larger = realloc(*array, more * bytes);
    if (!larger)
        return sq_fail(SQ_NO_MEMORY, "latency table: %zu entries", more);
    *array = larger;
    *limit = more;
    return SQ_OK;
}

sq_status sq_latency_add(sq_latency *latency, const sq_block_key *key, const sq_block_time *time)
{
    void *entries = latency->entries;
    const sq_status status = grow(&entries, latency->count, &latency->limit, sizeof *latency->entries);
    latency->entries = entries;
    if (status == SQ_OK)
        latency->entries[latency->count++] = (sq_latency_entry){*key, *time};
    return status;
}

sq_status sq_latency_add_layer(sq_latency *latency, int layer, int choice, const sq_block_time *time)
{
    void *layers = latency->layers;
    const sq_status status = grow(&layers, latency->layer_count, &latency->layer_limit, sizeof *latency->layers);
    latency->layers = layers;
    if (status == SQ_OK)
        latency->layers[latency->layer_count++] = (sq_layer_entry){layer, choice, *time};
    return status;
}

static int by_key(const void *a, const void *b)
{
    return sq_block_key_compare(&((const sq_latency_entry *)a)->key, &((const sq_latency_entry *)b)->key);
}

static int by_layer(const void *a, const void *b)
{
    const sq_layer_entry *x = a, *y = b;
    return x->layer != y->layer ? (x->layer > y->layer) - (x->layer < y->layer)
                                : (x->choice > y->choice) - (x->choice < y->choice);
}

sq_status sq_latency_sort(sq_latency *latency, const char *path)
{
    if (latency->count)
        qsort(latency->entries, latency->count, sizeof *latency->entries, by_key);
    if (latency->layer_count)
        qsort(latency->layers, latency->layer_count, sizeof *latency->layers, by_layer);
    for (size_t i = 1; i < latency->count; i++)
        if (by_key(&latency->entries[i - 1], &latency->entries[i]) == 0) {
            char key[SQ_BLOCK_KEY_BYTES];
            (void)sq_block_key_print(&latency->entries[i].key, key, sizeof key);
            return sq_fail(SQ_INVALID, "%s: '%s' occurs twice", path, key);
        }
    for (size_t i = 1; i < latency->layer_count; i++)
        if (by_layer(&latency->layers[i - 1], &latency->layers[i]) == 0)
            return sq_fail(SQ_INVALID, "%s: layer %d, choice %d occurs twice", path, latency->layers[i].layer,
                           latency->layers[i].choice);
    return SQ_OK;
}

const sq_latency_entry *sq_latency_find(const sq_latency *latency, const sq_block_key *key)
{
    const sq_latency_entry wanted = {.key = *key};
    return latency->count ? bsearch(&wanted, latency->entries, latency->count, sizeof wanted, by_key) : NULL;
}

const sq_layer_entry *sq_latency_find_layer(const sq_latency *latency, int layer, int choice)
{
    const sq_layer_entry wanted = {.layer = layer, .choice = choice};
    return latency->layer_count ? bsearch(&wanted, latency->layers, latency->layer_count, sizeof wanted, by_layer)
                                : NULL;
}

bool sq_latency_is_modelled(const sq_latency *latency)
{
    return latency->has_roofline && latency->count == 0 && latency->layer_count == 0;
}

const sq_latency_entry *sq_latency_nearest(const sq_latency *latency, const sq_block_key *key)
{
    const sq_latency_entry *best = NULL;
    double least = INFINITY;
    for (size_t i = 0; i < latency->count; i++) {
        const double distance = sq_block_key_distance(&latency->entries[i].key, key);
        if (distance < least)
            least = distance, best = &latency->entries[i];
    }
    return best;
}

/* ---- Reading ---- */

typedef enum { MEAN, DEVIATION, COUNT, OUTLIERS, ENERGY, AREA, VALUES } value_column;
static const char *const value_names[VALUES] = {"mean_ms", "std_ms", "count", "outliers", "energy_mj", "area_mm2"};

typedef struct {
    sq_latency *latency;
    const char *path, *key_columns; /* key_columns: expected beginning of the header */
    bool is_by_layer;
    int key_fields, columns;
    int at[VALUES]; /* column of each value, or -1 */
    double unit;    /* milliseconds per unit of the file */
} reader;

/* Splits a row at commas, in place. Returns the number of fields, at most COLUMNS + 1. */
static int split(char *row, char *fields[COLUMNS + 1])
{
    int count = 0;
    for (char *p = row; p && count <= COLUMNS; count++) {
        fields[count] = p;
        p = strchr(p, ',');
        if (p)
            *p++ = 0;
    }
    return count;
}

/* Returns the milliseconds of the unit that follows the prefix in a column's name; 0: the name is not prefix + unit. */
static double unit_of(const char *column, const char *prefix)
{
    const size_t length = strlen(prefix);
    return strncmp(column, prefix, length) == 0 ? sq_time_unit_ms(column + length) : 0;
}

static sq_status read_value_column(reader *r, int column, const char *name)
{
    const double mean = unit_of(name, "mean_"), deviation = unit_of(name, "std_");
    int value = 0;
    while (value < VALUES && strcmp(value_names[value], name) != 0)
        value++;
    value = mean > 0 ? MEAN : deviation > 0 ? DEVIATION : value;
    if (value == VALUES) {
        char hint[SQ_TEXT_SUGGESTION];
        return sq_fail(SQ_INVALID, "%s:1: unknown column '%.80s'%s", r->path, name,
                       sq_text_suggestion(hint, sizeof hint, name, value_names, VALUES));
    }
    if (r->at[value] >= 0)
        return sq_fail(SQ_INVALID, "%s:1: column '%s' occurs twice", r->path, name);
    r->at[value] = column;
    const double unit = mean + deviation;
    if (unit > 0 && r->unit > 0 && unit != r->unit)
        return sq_fail(SQ_INVALID, "%s:1: columns with different units: '%s' and the mean; use one unit", r->path,
                       name);
    if (unit > 0)
        r->unit = unit;
    return SQ_OK;
}

static sq_status read_header(reader *r, char *row)
{
    char *fields[COLUMNS + 1];
    const size_t length = strlen(r->key_columns);
    for (int i = 0; i < VALUES; i++)
        r->at[i] = -1;
    if (strncmp(row, r->key_columns, length) != 0 || row[length] != ',')
        return sq_fail(SQ_INVALID, "%s:1: header '%.80s', expected '%s,mean_ms,std_ms,count'", r->path, row,
                       r->key_columns);
    r->columns = split(row, fields);
    if (r->columns > COLUMNS)
        return sq_fail(SQ_INVALID, "%s:1: more than %d columns", r->path, COLUMNS);
    for (int i = r->key_fields; i < r->columns; i++)
        SQ_TRY(read_value_column(r, i, fields[i]));
    if (r->at[MEAN] < 0)
        return sq_fail(SQ_INVALID, "%s:1: no column mean_ms", r->path);
    return SQ_OK;
}

typedef struct {
    const reader *r;
    char *const *fields;
    const char *where; /* for messages */
} table_row;

/* Reads one number of a row. A missing column or an empty field gives `initial`. Times are converted to milliseconds.
 * The bounds of times are in milliseconds for any unit of the file, so that a table that was read is still valid after
 * it has been written in milliseconds. */
static sq_status read_number(const table_row *row, value_column value, double minimum, double initial, double *out)
{
    const reader *r = row->r;
    const int column = r->at[value];
    const double unit = value == MEAN || value == DEVIATION ? r->unit : 1;
    const double maximum = value == COUNT || value == OUTLIERS ? MAX_SAMPLES : MAX_VALUE;
    *out = initial;
    if (column < 0 || (value != MEAN && !*row->fields[column]))
        return SQ_OK;
    if (!sq_text_double(row->fields[column], minimum / unit, maximum / unit, out))
        return sq_fail(SQ_INVALID, "%s: %s '%s', expected a number%s", row->where, value_names[value],
                       row->fields[column],
                       minimum > 0    ? " above 0"
                       : minimum == 0 ? " >= 0"
                                      : "");
    *out *= unit;
    return SQ_OK;
}

static sq_status read_time(const reader *r, char *const *fields, const char *where, sq_block_time *out)
{
    const table_row row = {r, fields, where};
    double count, outliers;
    SQ_TRY(read_number(&row, MEAN, r->is_by_layer ? -MAX_VALUE : MIN_TIME, 0, &out->mean));
    SQ_TRY(read_number(&row, DEVIATION, 0, 0, &out->deviation));
    SQ_TRY(read_number(&row, COUNT, 1, 1, &count));
    SQ_TRY(read_number(&row, OUTLIERS, 0, 0, &outliers));
    SQ_TRY(read_number(&row, ENERGY, 0, NAN, &out->energy_mj));
    SQ_TRY(read_number(&row, AREA, 0, NAN, &out->area_mm2));
    out->count = (int64_t)count;
    out->outliers = (int64_t)outliers;
    return SQ_OK;
}

static sq_status read_row(const reader *r, int line, char *row)
{
    char *fields[COLUMNS + 1], where[WHERE_BYTES];
    sq_block_time time;
    (void)snprintf(where, sizeof where, "%.4000s:%d", r->path, line);
    const int count = split(row, fields);
    if (count != r->columns)
        return sq_fail(SQ_INVALID, "%s: %s%d columns, expected %d", where, count > COLUMNS ? "more than " : "",
                       count > COLUMNS ? COLUMNS : count, r->columns);
    SQ_TRY(read_time(r, fields, where, &time));
    if (r->is_by_layer) {
        int64_t layer, choice;
        if (!sq_text_int(fields[0], 0, SQ_MAX_LAYERS - 1, &layer) || !sq_text_int(fields[1], 0, 1 << 20, &choice))
            return sq_fail(SQ_INVALID, "%s: layer '%s', choice '%s', expected whole numbers from 0", where, fields[0],
                           fields[1]);
        return sq_latency_add_layer(r->latency, (int)layer, (int)choice, &time);
    }
    sq_block_key key;
    SQ_TRY(sq_block_key_parse((const char *const *)fields, where, &key));
    return sq_latency_add(r->latency, &key, &time);
}

static sq_status read_rows(reader *r, char *text)
{
    bool has_header = false, has_rows = false;
    int line = 0;
    for (char *next = text, *row; (row = sq_text_next_row(&next, &line));) {
        if (has_header) {
            SQ_TRY(read_row(r, line, row));
            has_rows = true;
        } else {
            SQ_TRY(read_header(r, row));
            has_header = true;
        }
    }
    return has_rows ? sq_latency_sort(r->latency, r->path) : sq_fail(SQ_INVALID, "%s: no entries", r->path);
}

static sq_status read_file(reader *r)
{
    char *text = NULL;
    SQ_TRY(sq_file_read_text(r->path, LARGEST_TABLE, &text));
    const sq_status status = read_rows(r, text);
    free(text);
    return status;
}

sq_status sq_latency_read_table(sq_latency *latency, const char *path)
{
    reader r = {
        .latency = latency, .path = path, .key_columns = SQ_BLOCK_KEY_COLUMNS, .key_fields = SQ_BLOCK_KEY_FIELDS};
    return read_file(&r);
}

sq_status sq_latency_read_layers(sq_latency *latency, const char *path)
{
    reader r = {.latency = latency,
                .path = path,
                .key_columns = "layer,choice",
                .is_by_layer = true,
                .key_fields = LAYER_FIELDS};
    return read_file(&r);
}

/* ---- Writing ---- */

static bool has_value(const sq_latency *latency, value_column value)
{
    for (size_t i = 0; i < latency->count + latency->layer_count; i++) {
        const sq_block_time *t =
            i < latency->count ? &latency->entries[i].time : &latency->layers[i - latency->count].time;
        if (value == OUTLIERS ? t->outliers > 0 : isfinite(value == ENERGY ? t->energy_mj : t->area_mm2))
            return true;
    }
    return false;
}

static void write_time(FILE *file, const sq_block_time *t, const bool has[VALUES])
{
    (void)fprintf(file, ",%.9g,%.6g,%lld", t->mean, t->deviation, (long long)t->count);
    if (has[OUTLIERS])
        (void)fprintf(file, ",%lld", (long long)t->outliers);
    const double values[VALUES] = {[ENERGY] = t->energy_mj, [AREA] = t->area_mm2};
    for (int v = ENERGY; v <= AREA; v++) {
        if (has[v])
            (void)fputc(',', file);
        if (has[v] && isfinite(values[v]))
            (void)fprintf(file, "%.9g", values[v]);
    }
    (void)fputc('\n', file);
}

static void write_rows(FILE *file, const sq_latency *latency, bool is_by_layer)
{
    bool has[VALUES] = {true, true, true};
    (void)fprintf(file, "%s", is_by_layer ? "layer,choice" : SQ_BLOCK_KEY_COLUMNS);
    for (int v = 0; v < VALUES; v++) {
        has[v] = has[v] || has_value(latency, (value_column)v);
        if (has[v])
            (void)fprintf(file, ",%s", value_names[v]);
    }
    (void)fputc('\n', file);
    for (size_t i = 0; is_by_layer && i < latency->layer_count; i++) {
        (void)fprintf(file, "%d,%d", latency->layers[i].layer, latency->layers[i].choice);
        write_time(file, &latency->layers[i].time, has);
    }
    for (size_t i = 0; !is_by_layer && i < latency->count; i++) {
        char key[SQ_BLOCK_KEY_BYTES];
        (void)sq_block_key_print(&latency->entries[i].key, key, sizeof key);
        (void)fputs(key, file);
        write_time(file, &latency->entries[i].time, has);
    }
}

static sq_status write_file(const sq_latency *latency, const char *folder, bool is_by_layer)
{
    char path[SQ_PATH_BYTES];
    sq_file_writer w;
    SQ_TRY(sq_text_path(path, sizeof path, folder, is_by_layer ? "layers.csv" : "table.csv"));
    SQ_TRY(sq_file_begin(&w, path));
    write_rows(w.stream, latency, is_by_layer);
    return sq_file_finish(&w, path);
}

sq_status sq_latency_write(const sq_latency *latency, const char *folder)
{
    char path[SQ_PATH_BYTES];
    SQ_TRY(sq_text_path(path, sizeof path, folder, "device.yaml"));
    SQ_TRY(sq_folder_make(folder));
    if (latency->count)
        SQ_TRY(write_file(latency, folder, false));
    if (latency->layer_count)
        SQ_TRY(write_file(latency, folder, true));
    return sq_device_write(&latency->info, path);
}
