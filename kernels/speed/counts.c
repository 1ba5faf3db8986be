/* Reads and searches the table of counts. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "kernels/speed/counts.h"

enum { LARGEST_FILE = 64 << 20, KEY_COLUMNS = 5 };

static const char table_file[] = "counts.csv", factor_file[] = "ptx_to_sass.csv";

static const char *const names[SQ_COUNT_CLASSES] = {
    [SQ_COUNT_INT] = "int",
    [SQ_COUNT_DIVIDE] = "divide",
    [SQ_COUNT_FP32] = "fp32",
    [SQ_COUNT_FP64] = "fp64",
    [SQ_COUNT_CONVERT] = "convert",
    [SQ_COUNT_SPECIAL] = "special",
    [SQ_COUNT_MOVE] = "move",
    [SQ_COUNT_LOAD_PARAM] = "ld.param",
    [SQ_COUNT_LOAD_GLOBAL] = "ld.global",
    [SQ_COUNT_STORE_GLOBAL] = "st.global",
    [SQ_COUNT_LOAD_SHARED] = "ld.shared",
    [SQ_COUNT_STORE_SHARED] = "st.shared",
    [SQ_COUNT_LOCAL] = "local",
    [SQ_COUNT_MATRIX_LOAD] = "ldmatrix",
    [SQ_COUNT_MMA] = "mma",
    [SQ_COUNT_BARRIER] = "barrier",
    [SQ_COUNT_WARP] = "warp",
    [SQ_COUNT_BRANCH] = "branch",
};

static const char *const architectures[SQ_COUNT_ARCHITECTURES] = {"sm_80", "sm_90", "sm_100"};

/* Defaults, fitted by hand to three loops of SASS (docs/benchmarks.md). Some parameters and moves become operands. A
 * division is a sequence of 2 (div.approx), 10 (FP32) or 24 (integers) instructions. FP32 comparisons run on the ALU.
 */
static const sq_sass_factor built_in[SQ_COUNT_CLASSES] = {
    [SQ_COUNT_INT] = {1, 0.33, 0.67, 0},    [SQ_COUNT_DIVIDE] = {8, 0.4, 0.4, 0.1},
    [SQ_COUNT_FP32] = {1, 0.7, 0.3, 0},     [SQ_COUNT_FP64] = {1, 0, 0, 0},
    [SQ_COUNT_CONVERT] = {1, 0, 0.8, 0.2},  [SQ_COUNT_SPECIAL] = {1, 0, 0, 1},
    [SQ_COUNT_MOVE] = {0.8, 0.33, 0.67, 0}, [SQ_COUNT_LOAD_PARAM] = {0.75, 0, 0, 0},
    [SQ_COUNT_LOAD_GLOBAL] = {1, 0, 0, 0},  [SQ_COUNT_STORE_GLOBAL] = {1, 0, 0, 0},
    [SQ_COUNT_LOAD_SHARED] = {1, 0, 0, 0},  [SQ_COUNT_STORE_SHARED] = {1, 0, 0, 0},
    [SQ_COUNT_LOCAL] = {1, 0, 0, 0},        [SQ_COUNT_MATRIX_LOAD] = {1, 0, 0, 0},
    [SQ_COUNT_MMA] = {1, 0, 0, 0},          [SQ_COUNT_BARRIER] = {1, 0, 0, 0},
    [SQ_COUNT_WARP] = {1, 0, 0, 0},         [SQ_COUNT_BRANCH] = {1, 0, 0, 0},
};

const char *sq_count_class_name(sq_count_class kind)
{
    return names[kind];
}

static int find_class(const char *name)
{
    int i = 0;
    while (i < SQ_COUNT_CLASSES && strcmp(names[i], name) != 0)
        i++;
    return i;
}

/* 86 for sm_86. */
static int version_of(const char *architecture)
{
    return atoi(architecture + strcspn(architecture, "0123456789")); /* 0 without a number: the oldest */
}

int sq_count_registers(const sq_launch_count *row, const char *architecture)
{
    const int version = version_of(architecture);
    return row->registers[version >= 100 ? 2 : version >= 90 ? 1 : 0];
}

/* ---- Reading ---- */

/* One column of numbers, and the offset of its value in sq_launch_count. */
typedef struct {
    char name[48];
    size_t offset;
    bool is_int;
} column;

enum { MOST_COLUMNS = 64 };

static int add_column(column *columns, int count, const char *name, const char *suffix, size_t offset, bool is_int)
{
    (void)snprintf(columns[count].name, sizeof columns[count].name, "%s%s", name, suffix);
    columns[count].offset = offset;
    columns[count].is_int = is_int;
    return count + 1;
}

static int add_traffic(column *columns, int n, const char *name, size_t offset)
{
    n = add_column(columns, n, name, " requests", offset + offsetof(sq_traffic, requests), false);
    n = add_column(columns, n, name, " moved", offset + offsetof(sq_traffic, moved), false);
    return add_column(columns, n, name, " ideal", offset + offsetof(sq_traffic, ideal), false);
}

/* Lists all columns of numbers in the order of the file. */
static int list_columns(column columns[MOST_COLUMNS])
{
    int n = 0;
    n = add_column(columns, n, "grid", "", offsetof(sq_launch_count, grid), false);
    n = add_column(columns, n, "block", "", offsetof(sq_launch_count, block), true);
    n = add_column(columns, n, "shared_bytes", "", offsetof(sq_launch_count, shared_bytes), true);
    for (size_t i = 0; i < SQ_COUNT_CLASSES; i++)
        n = add_column(columns, n, names[i], "", offsetof(sq_launch_count, instructions) + i * sizeof(double), false);
    n = add_traffic(columns, n, "ld.global", offsetof(sq_launch_count, load_global));
    n = add_traffic(columns, n, "st.global", offsetof(sq_launch_count, store_global));
    n = add_traffic(columns, n, "ld.shared", offsetof(sq_launch_count, load_shared));
    n = add_traffic(columns, n, "st.shared", offsetof(sq_launch_count, store_shared));
    n = add_column(columns, n, "bytes in flight", "", offsetof(sq_launch_count, bytes_in_flight), false);
    n = add_column(columns, n, "longest block", "", offsetof(sq_launch_count, longest_block), false);
    for (size_t i = 0; i < SQ_COUNT_ARCHITECTURES; i++)
        n = add_column(columns, n, "registers ", architectures[i],
                       offsetof(sq_launch_count, registers) + i * sizeof(int), true);
    return n;
}

static sq_status read_row(sq_launch_count *out, char *row, const column *columns, int count, const char *path, int line)
{
    char *fields[MOST_COLUMNS];
    int64_t whole;
    const int found = sq_text_csv(row, fields, MOST_COLUMNS), wanted = KEY_COLUMNS + 1 + count;
    if (found != wanted)
        return sq_fail(SQ_INVALID, "%s:%d: found %d columns, expected %d", path, line, found, wanted);
    *out = (sq_launch_count){.kernel = fields[0], .variant = fields[1], .sizes = fields[2], .instance = fields[5]};
    if (!sq_text_int(fields[3], 0, INT32_MAX, &whole))
        return sq_fail(SQ_INVALID, "%s:%d: parts: found '%s', expected a whole number", path, line, fields[3]);
    out->parts = (int)whole;
    if (!sq_text_double(fields[4], 0, 1e18, &out->bytes))
        return sq_fail(SQ_INVALID, "%s:%d: bytes: found '%s', expected a number", path, line, fields[4]);
    for (int i = 0; i < count; i++) {
        const char *field = fields[KEY_COLUMNS + 1 + i];
        char *at = (char *)out + columns[i].offset;
        bool is_read;
        if (columns[i].is_int) {
            is_read = sq_text_int(field, 0, INT32_MAX, &whole);
            if (is_read)
                *(int *)(void *)at = (int)whole;
        } else {
            is_read = sq_text_double(field, 0, 1e18, (double *)(void *)at);
        }
        if (!is_read)
            return sq_fail(SQ_INVALID, "%s:%d: %s: found '%s', expected a number of 0 or more", path, line,
                           columns[i].name, field);
    }
    if (out->grid < 1 || out->block < 1 || out->block > 1024)
        return sq_fail(SQ_INVALID, "%s:%d: found grid %g of blocks of %d threads, expected 1 or more, 1 to 1024", path,
                       line, out->grid, out->block);
    return SQ_OK;
}

static sq_status check_header(char *row, const column *columns, int count, const char *path, int line)
{
    static const char *const keys[KEY_COLUMNS + 1] = {"kernel", "variant", "sizes", "parts", "bytes", "instance"};
    char *fields[MOST_COLUMNS];
    const int found = sq_text_csv(row, fields, MOST_COLUMNS);
    for (int i = 0; i < KEY_COLUMNS + 1 + count; i++) {
        const char *wanted = i <= KEY_COLUMNS ? keys[i] : columns[i - KEY_COLUMNS - 1].name;
        if (i >= found || strcmp(fields[i], wanted) != 0)
            return sq_fail(SQ_INVALID, "%s:%d: column %d: found '%s', expected '%s'", path, line, i + 1,
                           i < found ? fields[i] : "", wanted);
    }
    return SQ_OK;
}

/* Returns the next line of *next that is neither empty nor a comment, and NULL at the end. */
static char *next_line(char **next, int *line)
{
    while (*next) {
        char *row = *next, *end = strchr(row, '\n');
        *next = end ? end + 1 : NULL;
        if (end)
            *end = '\0';
        ++*line;
        if (*row && *row != '#')
            return row;
    }
    return NULL;
}

static sq_status read_table(sq_counts *c, const char *path)
{
    column columns[MOST_COLUMNS];
    const int count = list_columns(columns);
    size_t bytes, limit = 1;
    int line = 0;
    SQ_TRY(sq_file_read(path, LARGEST_FILE, &c->text, &bytes));
    for (const char *p = c->text; *p; p++)
        limit += *p == '\n';
    c->rows = calloc(limit, sizeof *c->rows);
    if (!c->rows)
        return sq_fail(SQ_NO_MEMORY, "%s: %zu rows", path, limit);
    char *next = c->text, *row = next_line(&next, &line);
    if (!row)
        return sq_fail(SQ_INVALID, "%s: found no header, expected 'kernel,variant,sizes,...'", path);
    SQ_TRY(check_header(row, columns, count, path, line));
    while ((row = next_line(&next, &line)))
        SQ_TRY(read_row(&c->rows[c->count++], row, columns, count, path, line));
    return SQ_OK;
}

/* Reads "alu:0.59 fma:0.38 xu:0.02". Other pipes are ignored: they have no limit in the model. */
static bool read_shares(sq_sass_factor *out, const char *text)
{
    out->fma = out->alu = out->special = 0;
    while (*text) {
        const size_t name = strcspn(text, ":");
        if (text[name] != ':')
            return false;
        char *end;
        const double share = strtod(text + name + 1, &end);
        if (end == text + name + 1 || !(share >= 0 && share <= 1) || (*end && *end != ' '))
            return false;
        double *to = name == 3 && memcmp(text, "fma", name) == 0   ? &out->fma
                     : name == 3 && memcmp(text, "alu", name) == 0 ? &out->alu
                     : name == 2 && memcmp(text, "xu", name) == 0  ? &out->special
                                                                   : NULL;
        if (to)
            *to = share;
        text = end + strspn(end, " ");
    }
    return true;
}

/* Reads one row. versions: for each class, the architecture of its current factor. */
static sq_status read_factor(sq_counts *c, int versions[SQ_COUNT_CLASSES], char *row, const char *wanted,
                             const char *path, int line)
{
    enum { COLUMNS = 5 };
    char *fields[COLUMNS];
    const int found = sq_text_csv(row, fields, COLUMNS);
    if (found != 3 && found != COLUMNS)
        return sq_fail(SQ_INVALID, "%s:%d: found %d columns, expected architecture,class,factor[,spread,pipe shares]",
                       path, line, found);
    if (strcmp(fields[0], "architecture") == 0)
        return SQ_OK;
    const int kind = find_class(fields[1]), version = version_of(fields[0]);
    sq_sass_factor factor;
    if (kind == SQ_COUNT_CLASSES)
        return sq_fail(SQ_INVALID, "%s:%d: found class '%s', expected one of counts.csv's", path, line, fields[1]);
    factor = built_in[kind];
    if (!sq_text_double(fields[2], 0, 1000, &factor.factor))
        return sq_fail(SQ_INVALID, "%s:%d: factor: found '%s', expected 0 to 1000", path, line, fields[2]);
    if (found == COLUMNS && !read_shares(&factor, fields[4]))
        return sq_fail(SQ_INVALID, "%s:%d: pipe shares: found '%s', expected 'alu:0.6 fma:0.4' with 0 to 1", path, line,
                       fields[4]);
    if (version <= version_of(wanted) && version >= versions[kind]) {
        versions[kind] = version;
        c->sass[kind] = factor;
        c->is_default = false;
    }
    return SQ_OK;
}

static sq_status read_factors(sq_counts *c, const char *path, const char *architecture)
{
    int versions[SQ_COUNT_CLASSES] = {0}, line = 0;
    char *text = NULL, *row;
    size_t bytes;
    sq_status status = SQ_OK;
    SQ_TRY(sq_file_read(path, LARGEST_FILE, &text, &bytes));
    char *next = text;
    while (status == SQ_OK && (row = next_line(&next, &line)))
        status = read_factor(c, versions, row, architecture, path, line);
    free(text);
    return status;
}

sq_status sq_counts_read(sq_counts *out, const char *folder, const char *architecture)
{
    sq_counts c = {.is_default = true};
    char path[SQ_PATH_BYTES];
    memcpy(c.sass, built_in, sizeof c.sass);
    SQ_TRY(sq_text_path(path, sizeof path, folder, table_file));
    sq_status status = read_table(&c, path);
    if (status == SQ_OK && sq_path_find(path, sizeof path, folder, factor_file))
        status = read_factors(&c, path, architecture);
    if (status == SQ_OK)
        *out = c;
    else
        sq_counts_free(&c);
    return status;
}

void sq_counts_free(sq_counts *counts)
{
    free(counts->rows);
    free(counts->text);
    *counts = (sq_counts){0};
}

/* ---- Searching ---- */

/* The distance of two size texts: the sum of |log2| of the ratios of corresponding numbers. */
static double size_distance(const char *a, const char *b)
{
    double sum = 0;
    for (;;) {
        a += strcspn(a, "0123456789");
        b += strcspn(b, "0123456789");
        if (!*a || !*b)
            return sum + (*a || *b ? 8 : 0);
        char *end_a, *end_b;
        const double x = strtod(a, &end_a), y = strtod(b, &end_b);
        sum += fabs(log2((x + 1) / (y + 1)));
        a = end_a;
        b = end_b;
    }
}

/* The number of words that only one of two variants has. */
static int word_difference(const char *a, const char *b)
{
    int count = 0;
    for (int side = 0; side < 2; side++) {
        const char *from = side ? b : a, *in = side ? a : b;
        while (*from) {
            const size_t length = strcspn(from, " ");
            const char *at = in;
            while (*at && !(strcspn(at, " ") == length && memcmp(at, from, length) == 0)) {
                at += strcspn(at, " ");
                at += *at == ' ';
            }
            count += !*at;
            from += length;
            from += *from == ' ';
        }
    }
    return count;
}

static bool is_same_launch(const sq_launch_count *a, const sq_launch_count *b)
{
    return a->parts == b->parts && a->bytes == b->bytes && strcmp(a->sizes, b->sizes) == 0 &&
           strcmp(a->variant, b->variant) == 0 && strcmp(a->kernel, b->kernel) == 0;
}

static double distance(const sq_launch_count *row, const sq_program_part *part)
{
    enum { WORD = 1000 }; /* another variant is farther than any other size */
    const double parts = fabs(log2((row->parts + 1.0) / (part->parts + 1.0)));
    return WORD * word_difference(row->variant, part->variant) + size_distance(row->sizes, part->sizes) + parts / 16;
}

static bool is_shape_of(const sq_launch_count *row, const sq_program_part *part)
{
    return strcmp(row->sizes, part->sizes) == 0 && strcmp(row->variant, part->variant) == 0 &&
           strcmp(row->kernel, part->kernel) == 0;
}

/* The row of exactly this launch, or NULL. */
static const sq_launch_count *find_exact(const sq_counts *counts, const sq_program_part *part)
{
    for (size_t i = 0; i < counts->count; i++)
        if (counts->rows[i].parts == part->parts && fabs(counts->rows[i].bytes - part->bytes) < 1 &&
            is_shape_of(&counts->rows[i], part))
            return &counts->rows[i];
    return NULL;
}

static const sq_launch_count *find_nearest(const sq_counts *counts, const sq_program_part *part)
{
    const sq_launch_count *nearest = NULL;
    double least = HUGE_VAL;
    for (size_t i = 0; i < counts->count; i++) {
        const sq_launch_count *row = &counts->rows[i];
        if (strcmp(row->kernel, part->kernel) != 0 || (i && is_same_launch(row, row - 1)))
            continue;
        const double far = distance(row, part);
        if (far < least) {
            least = far;
            nearest = row;
        }
    }
    return nearest;
}

/* The number of persistent blocks is proportional to the parts, not to the work. The number of blocks of a merge is
 * proportional to the channels. */
static double grid_scale(const sq_launch_count *row, const sq_program_part *part, double scale)
{
    static const char *const merges[] = {"merge_moments", "merge_sums", "merge_gradient"};
    if (row->parts == 0 || part->parts == 0)
        return scale;
    const double parts = (double)part->parts / row->parts;
    for (size_t i = 0; i < sizeof merges / sizeof *merges; i++)
        if (strcmp(part->kernel, merges[i]) == 0)
            return scale / parts;
    return parts;
}

sq_count_match sq_counts_find(const sq_counts *counts, const sq_program_part *part)
{
    sq_count_match match = {0};
    const sq_launch_count *row = find_exact(counts, part), *end = counts->rows + counts->count;
    match.is_exact = row != NULL;
    if (!row)
        row = find_nearest(counts, part);
    if (!row)
        return match;
    match.rows = row;
    for (match.count = 1; row + match.count < end && is_same_launch(row, row + match.count);)
        match.count++;
    match.is_same_shape = is_shape_of(row, part);
    match.scale = match.is_exact || row->bytes <= 0 ? 1 : part->bytes / row->bytes;
    match.grid_scale = match.is_exact ? 1 : grid_scale(row, part, match.scale);
    return match;
}
