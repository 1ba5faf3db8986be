/* Reads the files of the roofline model: roofline.yaml, networks as lists of operations, checks.csv. */
#include "search/cost/roofline_file.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "kernels/base/yaml.h"

enum { LARGEST_FILE = 16 << 20, LARGEST_SIDE = 1 << 16 };
#define LARGEST_RATE   1e12
#define LARGEST_LAUNCH 1e9 /* microseconds */

/* ---- roofline.yaml ---- */

typedef struct {
    char *kind;
    double gops_per_s, gb_per_s, launch_us, c_in_share, c_out_share;
    int c_in_step, c_out_step;
} raw_rate;

typedef struct {
    double bytes_per_value, bytes_per_weight;
    raw_rate *operations;
    unsigned operations_count;
    char **fused;
    unsigned fused_count;
} raw_roofline;

static const cyaml_schema_field_t rate_fields[] = {
    CYAML_FIELD_STRING_PTR("class", CYAML_FLAG_POINTER, raw_rate, kind, 1, 31),
    CYAML_FIELD_FLOAT("gops_per_s", CYAML_FLAG_DEFAULT, raw_rate, gops_per_s),
    CYAML_FIELD_FLOAT("gb_per_s", CYAML_FLAG_DEFAULT, raw_rate, gb_per_s),
    CYAML_FIELD_FLOAT("launch_us", CYAML_FLAG_DEFAULT, raw_rate, launch_us),
    CYAML_FIELD_INT("c_in_step", CYAML_FLAG_OPTIONAL, raw_rate, c_in_step),
    CYAML_FIELD_FLOAT("c_in_share", CYAML_FLAG_OPTIONAL, raw_rate, c_in_share),
    CYAML_FIELD_INT("c_out_step", CYAML_FLAG_OPTIONAL, raw_rate, c_out_step),
    CYAML_FIELD_FLOAT("c_out_share", CYAML_FLAG_OPTIONAL, raw_rate, c_out_share),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t rate_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, raw_rate, rate_fields)};
static const cyaml_schema_value_t pair_schema = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, 63)};
static const cyaml_schema_field_t roofline_fields[] = {
    CYAML_FIELD_FLOAT("bytes_per_value", CYAML_FLAG_DEFAULT, raw_roofline, bytes_per_value),
    CYAML_FIELD_FLOAT("bytes_per_weight", CYAML_FLAG_DEFAULT, raw_roofline, bytes_per_weight),
    CYAML_FIELD_SEQUENCE("operations", CYAML_FLAG_POINTER, raw_roofline, operations, &rate_schema, 1, 64),
    CYAML_FIELD_SEQUENCE("fused", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, raw_roofline, fused, &pair_schema, 0, 256),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t roofline_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, raw_roofline, roofline_fields)};

static bool is_positive(double value)
{
    return value > 0 && value < LARGEST_RATE;
}

static sq_status take_rate(sq_roofline *r, bool *is_known, const raw_rate *raw, const char *path)
{
    const sq_roofline_class kind = sq_roofline_find(raw->kind);
    if (kind == SQ_ROOFLINE_CLASSES) {
        const char *names[SQ_ROOFLINE_CLASSES];
        char hint[SQ_TEXT_SUGGESTION];
        for (int k = 0; k < SQ_ROOFLINE_CLASSES; k++)
            names[k] = sq_roofline_name((sq_roofline_class)k);
        return sq_fail(SQ_INVALID, "%s: unknown class '%s'%s", path, raw->kind,
                       sq_text_suggestion(hint, sizeof hint, raw->kind, names, SQ_ROOFLINE_CLASSES));
    }
    if (is_known[kind])
        return sq_fail(SQ_INVALID, "%s: class '%s' occurs twice", path, raw->kind);
    if (!is_positive(raw->gops_per_s) || !is_positive(raw->gb_per_s) ||
        !(raw->launch_us >= 0 && raw->launch_us < LARGEST_LAUNCH))
        return sq_fail(SQ_INVALID, "%s: class '%s': gops_per_s %g, gb_per_s %g, launch_us %g, expected > 0, > 0, >= 0",
                       path, raw->kind, raw->gops_per_s, raw->gb_per_s, raw->launch_us);
    if (raw->c_in_step < 0 || raw->c_out_step < 0 || !(raw->c_in_share >= 0 && raw->c_in_share <= 1) ||
        !(raw->c_out_share >= 0 && raw->c_out_share <= 1))
        return sq_fail(SQ_INVALID, "%s: class '%s': steps %d and %d, shares %g and %g, expected >= 1 and 0 to 1", path,
                       raw->kind, raw->c_in_step, raw->c_out_step, raw->c_in_share, raw->c_out_share);
    is_known[kind] = true;
    r->rates[kind] = (sq_roofline_rate){raw->gops_per_s,
                                        raw->gb_per_s,
                                        raw->launch_us,
                                        raw->c_in_step ? raw->c_in_step : 1,
                                        raw->c_out_step ? raw->c_out_step : 1,
                                        raw->c_in_share,
                                        raw->c_out_share};
    return SQ_OK;
}

/* Reads a pair of classes that the device fuses: "conv+relu". */
static sq_status take_pair(sq_roofline *r, const char *pair, const char *path)
{
    char first[64];
    (void)snprintf(first, sizeof first, "%s", pair);
    char *plus = strchr(first, '+');
    if (plus)
        *plus++ = 0;
    const sq_roofline_class producer = sq_roofline_find(first),
                            consumer = plus ? sq_roofline_find(plus) : SQ_ROOFLINE_CLASSES;
    if (producer == SQ_ROOFLINE_CLASSES || consumer == SQ_ROOFLINE_CLASSES)
        return sq_fail(SQ_INVALID, "%s: fused '%s', expected two classes as in 'conv+relu'", path, pair);
    r->is_fused[producer][consumer] = true;
    return SQ_OK;
}

static sq_status take(sq_roofline *r, const raw_roofline *raw, const char *path)
{
    bool is_known[SQ_ROOFLINE_CLASSES] = {false};
    r->bytes_per_value = raw->bytes_per_value;
    r->bytes_per_weight = raw->bytes_per_weight;
    if (!is_positive(r->bytes_per_value) || !is_positive(r->bytes_per_weight))
        return sq_fail(SQ_INVALID, "%s: bytes_per_value %g, bytes_per_weight %g, expected numbers above 0", path,
                       r->bytes_per_value, r->bytes_per_weight);
    for (unsigned i = 0; i < raw->operations_count; i++)
        SQ_TRY(take_rate(r, is_known, &raw->operations[i], path));
    for (int k = 0; k < SQ_ROOFLINE_CLASSES; k++) {
        const sq_roofline_class stand_in = sq_roofline_stand_in((sq_roofline_class)k);
        if (!is_known[k] && !is_known[stand_in])
            return sq_fail(SQ_INVALID, "%s: no class '%s'", path, sq_roofline_name(stand_in));
        if (!is_known[k])
            r->rates[k] = r->rates[stand_in];
    }
    for (unsigned i = 0; i < raw->fused_count; i++)
        SQ_TRY(take_pair(r, raw->fused[i], path));
    return SQ_OK;
}

sq_status sq_roofline_read(sq_roofline *out, const char *path)
{
    sq_roofline r = {0};
    void *data = NULL;
    SQ_TRY(sq_yaml_load(&data, path, &roofline_schema));
    const sq_status status = take(&r, data, path);
    sq_yaml_free(data, &roofline_schema);
    if (status == SQ_OK)
        *out = r;
    return status;
}

/* ---- Lists of operations ---- */

enum { CLASS, H_IN, W_IN, C_IN, H_OUT, W_OUT, C_OUT, KERNEL, STRIDE, GROUPS, ACTIVATION, FOLLOWS, COLUMNS };
static const char operations_header[] =
    "class,h_in,w_in,c_in,h_out,w_out,c_out,kernel,stride,groups,activation,follows";

static sq_status read_operation(sq_roofline_operation *out, char *row, const char *path, int line)
{
    char *fields[COLUMNS];
    int64_t numbers[COLUMNS];
    const int count = sq_text_csv(row, fields, COLUMNS);
    if (count != COLUMNS)
        return sq_fail(SQ_INVALID, "%s:%d: %d columns, expected %d: %s", path, line, count < 0 ? 0 : count, COLUMNS,
                       operations_header);
    const sq_roofline_class kind = sq_roofline_find(fields[CLASS]);
    if (kind == SQ_ROOFLINE_CLASSES || !sq_roofline_is_operation(kind))
        return sq_fail(SQ_INVALID, "%s:%d: unknown class '%s'", path, line, fields[CLASS]);
    for (int i = H_IN; i <= GROUPS; i++)
        if (!sq_text_int(fields[i], 1, LARGEST_SIDE, &numbers[i]))
            return sq_fail(SQ_INVALID, "%s:%d: '%s', expected a whole number from 1 to %d", path, line, fields[i],
                           LARGEST_SIDE);
    const sq_activation activation = sq_activation_find(fields[ACTIVATION]);
    if (activation == SQ_ACTIVATIONS)
        return sq_fail(SQ_INVALID, "%s:%d: unknown activation '%s'", path, line, fields[ACTIVATION]);
    if (!sq_text_int(fields[FOLLOWS], 0, 1, &numbers[FOLLOWS]))
        return sq_fail(SQ_INVALID, "%s:%d: follows '%s', expected 0 or 1", path, line, fields[FOLLOWS]);
    if (numbers[C_IN] % numbers[GROUPS] || numbers[C_OUT] % numbers[GROUPS])
        return sq_fail(SQ_INVALID, "%s:%d: %s groups of %s and %s channels", path, line, fields[GROUPS], fields[C_IN],
                       fields[C_OUT]);
    *out = (sq_roofline_operation){.kind = kind,
                                   .h_in = (int)numbers[H_IN],
                                   .w_in = (int)numbers[W_IN],
                                   .c_in = (int)numbers[C_IN],
                                   .h_out = (int)numbers[H_OUT],
                                   .w_out = (int)numbers[W_OUT],
                                   .c_out = (int)numbers[C_OUT],
                                   .kernel = (int)numbers[KERNEL],
                                   .stride = (int)numbers[STRIDE],
                                   .groups = (int)numbers[GROUPS],
                                   .activation = activation,
                                   .follows = numbers[FOLLOWS] == 1};
    return SQ_OK;
}

/* Calls `use` for every row below the header. */
static sq_status read_rows(const char *path, const char *header, void *context,
                           sq_status (*use)(void *context, char *row, const char *path, int line))
{
    char *text = NULL;
    sq_status status = SQ_OK;
    bool has_header = false;
    int line = 0;
    SQ_TRY(sq_file_read_text(path, LARGEST_FILE, &text));
    for (char *next = text, *row; status == SQ_OK && (row = sq_text_next_row(&next, &line));) {
        if (has_header)
            status = use(context, row, path, line);
        else if (strcmp(row, header) != 0)
            status = sq_fail(SQ_INVALID, "%s:%d: header '%.80s', expected '%s'", path, line, row, header);
        has_header = true;
    }
    free(text);
    if (status == SQ_OK && !has_header)
        status = sq_fail(SQ_INVALID, "%s: empty, expected '%s'", path, header);
    return status;
}

typedef struct {
    sq_roofline_operation *operations;
    size_t count, limit;
} network;

static sq_status add_operation(void *context, char *row, const char *path, int line)
{
    network *n = context;
    if (n->count == n->limit) {
        const size_t limit = n->limit ? 2 * n->limit : 128;
        sq_roofline_operation *more = realloc(n->operations, limit * sizeof *more);
        if (!more)
            return sq_fail(SQ_NO_MEMORY, "%s: %zu operations", path, limit);
        n->operations = more;
        n->limit = limit;
    }
    return read_operation(&n->operations[n->count++], row, path, line);
}

sq_status sq_roofline_network(const sq_roofline *roofline, const char *csv_path, double *ms)
{
    network n = {0};
    sq_status status = read_rows(csv_path, operations_header, &n, add_operation);
    if (status == SQ_OK && n.count == 0)
        status = sq_fail(SQ_INVALID, "%s: no operations", csv_path);
    if (status == SQ_OK)
        *ms = sq_roofline_operations_ms(roofline, n.operations, n.count);
    free(n.operations);
    return status;
}

/* ---- checks.csv ---- */

enum { NETWORK, OPERATIONS_CSV, MILLISECONDS, DEVICE, SOURCE, CHECK_COLUMNS };

typedef struct {
    const sq_roofline *roofline;
    char folder[SQ_PATH_BYTES];
    sq_roofline_check *checks;
    size_t count;
} checks;

static sq_status add_check(void *context, char *row, const char *path, int line)
{
    checks *c = context;
    char *fields[CHECK_COLUMNS], operations[SQ_PATH_BYTES];
    const int count = sq_text_csv(row, fields, CHECK_COLUMNS);
    if (count != CHECK_COLUMNS)
        return sq_fail(SQ_INVALID, "%s:%d: %d columns, expected %d", path, line, count < 0 ? 0 : count, CHECK_COLUMNS);
    sq_roofline_check *more = realloc(c->checks, (c->count + 1) * sizeof *more);
    if (!more)
        return sq_fail(SQ_NO_MEMORY, "%s: %zu networks", path, c->count + 1);
    c->checks = more;
    sq_roofline_check *check = &c->checks[c->count];
    *check = (sq_roofline_check){.measured = 0};
    (void)snprintf(check->network, sizeof check->network, "%s", fields[NETWORK]);
    (void)snprintf(check->device, sizeof check->device, "%s", fields[DEVICE]);
    if (!sq_text_double(fields[MILLISECONDS], 0, 1e12, &check->measured) || check->measured <= 0)
        return sq_fail(SQ_INVALID, "%s:%d: ms '%s', expected a finite number above 0", path, line,
                       fields[MILLISECONDS]);
    SQ_TRY(sq_text_path(operations, sizeof operations, c->folder, fields[OPERATIONS_CSV]));
    SQ_TRY(sq_roofline_network(c->roofline, operations, &check->predicted));
    c->count++;
    return SQ_OK;
}

sq_status sq_roofline_checks(const sq_roofline *roofline, const char *csv_path, sq_roofline_check **out, size_t *count)
{
    static const char header[] = "network,operations_csv,ms,device,source";
    checks c = {.roofline = roofline};
    sq_path_parent(c.folder, sizeof c.folder, csv_path);
    const sq_status status = read_rows(csv_path, header, &c, add_check);
    if (status != SQ_OK) {
        free(c.checks);
        return status;
    }
    *out = c.checks;
    *count = c.count;
    return SQ_OK;
}
