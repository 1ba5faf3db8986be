/* squall select */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "kernels/base/text.h"
#include "search/select/select_table.h"
#include "supernet/space/block_kinds.h"
#include "tools/commands/commands.h"
#include "tools/commands/lut/lut.h"
#include "tools/run/share_folder.h"

typedef struct {
    const char *out, *table;
    int fill;
    sq_select_options select;
    sq_lut_shape shape;
} arguments;

static const char expected[] = "a space file, a device and -o SPACE.yaml";

/* ---- Printing ---- */

static void print_layers(const sq_selection *s)
{
    (void)printf("layer  %-14s kept, best first\n", "input");
    for (int l = 0; l < s->space->layer_count; l++) {
        const sq_layer *layer = &s->space->layers[l];
        const sq_select_operator *kept[SQ_MAX_CHOICES];
        const int count = sq_select_kept(s, l, kept);
        char shape[48];
        if (count == 0)
            continue;
        (void)snprintf(shape, sizeof shape, "%dx%dx%d", layer->h_in, layer->w_in, layer->c_in);
        (void)printf("%5d  %-14s", l, shape);
        for (int i = 0; i < count; i++)
            (void)printf(" %s", sq_select_choice(s, kept[i])->name);
        (void)putchar('\n');
    }
}

static int family_of(const sq_choice *c)
{
    return (int)sq_select_family(c->kind);
}

static int kernel_of(const sq_choice *c)
{
    return c->kernel;
}

static int gate_of(const sq_choice *c)
{
    return c->has_se;
}

/* Prints how often each value of a property occurs among the kept operators. */
static void print_tally(const sq_selection *s, const char *title, int (*value_of)(const sq_choice *), int value_count,
                        const char *(*name_of)(int, char *, size_t))
{
    char line[512] = "", name[32];
    size_t used = 0;
    for (int v = 0; v < value_count; v++) {
        int kept = 0, all = 0;
        for (int i = 0; i < s->first[s->space->layer_count]; i++) {
            const sq_select_operator *o = &s->operators[i];
            const sq_choice *c = sq_select_choice(s, o);
            const bool counts = o->reason != SQ_SELECT_SKIP && value_of(c) == v;
            all += counts;
            kept += counts && o->is_kept;
        }
        if (all && used < sizeof line)
            used += (size_t)snprintf(line + used, sizeof line - used, "%s%s %d of %d", used ? ", " : "",
                                     name_of(v, name, sizeof name), kept, all);
    }
    sq_print_row(title, "%s", line);
}

static const char *family_name(int value, char *text, size_t bytes)
{
    size_t used = 0;
    for (int kind = 0; kind < SQ_BLOCK_KINDS && used < bytes; kind++)
        if ((int)sq_select_family((sq_block_kind)kind) == value)
            used += (size_t)snprintf(text + used, bytes - used, "%s%s", used ? " and " : "",
                                     sq_block_name((sq_block_kind)kind));
    return text;
}

static const char *kernel_name(int value, char *text, size_t bytes)
{
    (void)snprintf(text, bytes, "%dx%d", value, value);
    return text;
}

static const char *gate_name(int value, char *text, size_t bytes)
{
    (void)snprintf(text, bytes, "%s", value ? "with" : "without");
    return text;
}

/* Prints the kept operators, the most frequent first. Operators of equal frequency keep the order of the pool. */
static void print_operators(const sq_selection *s)
{
    int counts[SQ_MAX_CHOICES] = {0};
    for (int i = 0; i < s->first[s->space->layer_count]; i++) {
        const sq_select_operator *o = &s->operators[i];
        counts[s->space->layers[o->layer].choices[o->choice]] += o->is_kept;
    }
    (void)printf("  %-24s", "operators, layers");
    for (int times = s->space->layer_count; times > 0; times--)
        for (int c = 0; c < s->space->choice_count; c++)
            if (counts[c] == times)
                (void)printf(" %s %d", s->space->choices[c].name, times);
    (void)putchar('\n');
}

static void print_selection(const sq_selection *s)
{
    const sq_device_info *d = &s->device;
    char rules[128];
    double paths = 1;
    (void)printf("%s for %s%s\n", s->space->name, d->name, d->is_measured ? "" : ", modelled and not measured");
    print_layers(s);
    sq_device_constraints_print(&d->constraints, rules, sizeof rules);
    if (*rules)
        sq_print_row("device constraints", "no %s", rules);
    sq_print_row("score", "(multiply-adds in M)^%g * (parameters in k)^%g / ms", s->options.a, s->options.b);
    print_tally(s, "families", family_of, SQ_BLOCK_KINDS, family_name);
    print_tally(s, "kernels", kernel_of, 8, kernel_name);
    print_tally(s, "squeeze-and-excitation", gate_of, 2, gate_name);
    print_operators(s);
    for (int l = 0; l < s->space->layer_count; l++) {
        const sq_select_operator *kept[SQ_MAX_CHOICES];
        const int count = sq_select_kept(s, l, kept);
        paths *= count ? count : 1;
    }
    sq_print_row("paths", "%.4g", paths);
    if (s->filled_count)
        sq_print_row("filled in", "%d blocks had no entry in the table", s->filled_count);
}

/* ---- Files ---- */

static bool is_same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Writes the name of the table: --table, or the name of the space file with .csv instead of .yaml. */
static sq_status name_table(const arguments *a, const char *pool, char table[SQ_PATH_BYTES])
{
    const size_t length = strlen(a->out);
    const bool has_suffix = length > 5 && strcmp(a->out + length - 5, ".yaml") == 0;
    const int wanted = a->table
                           ? snprintf(table, SQ_PATH_BYTES, "%s", a->table)
                           : snprintf(table, SQ_PATH_BYTES, "%.*s.csv", (int)(length - (has_suffix ? 5 : 0)), a->out);
    if (wanted >= SQ_PATH_BYTES)
        return sq_fail(SQ_INVALID, "%s: the path is too long", a->table ? a->table : a->out);
    if (is_same_file(a->out, pool) || is_same_file(table, pool))
        return sq_fail(SQ_INVALID, "%s: the output is the pool; give another file", pool);
    if (strcmp(table, a->out) == 0)
        return sq_fail(SQ_INVALID, "%s: space and table have the same name; give another --table", table);
    return SQ_OK;
}

static sq_status write_files(const sq_selection *s, const arguments *a)
{
    char table[SQ_PATH_BYTES];
    SQ_TRY(name_table(a, s->space->path, table));
    SQ_TRY(sq_select_write_table(s, table));
    SQ_TRY(sq_select_write(s, a->out));
    print_selection(s);
    sq_print_row("files", "%s, %s", a->out, table);
    return SQ_OK;
}

static sq_status select_space(const char *file, const char *device, const arguments *a)
{
    sq_space *space = NULL;
    sq_latency_cache cache = {0};
    sq_selection selection = {0};
    char shared[SQ_PATH_BYTES];
    sq_status status = sq_lut_space(&space, file, &a->shape);
    if (status == SQ_OK)
        status = sq_latency_load(&cache, sq_share_find(shared, sizeof shared, device), space, (sq_fill)a->fill);
    if (status == SQ_OK)
        status = sq_select_run(&selection, space, &cache, &a->select);
    if (status == SQ_OK)
        status = write_files(&selection, a);
    sq_select_clear(&selection);
    sq_latency_cache_clear(&cache);
    sq_space_free(space);
    return status;
}

static int run(const sq_options *options, const void *given)
{
    const arguments *a = given;
    if (!a->out)
        return sq_command_usage("select", "expected %s", expected);
    const sq_status status = select_space(options->arguments[0], options->arguments[1], a);
    return status == SQ_OK ? 0 : sq_command_fail("select", status);
}

static const sq_option options[] = {SQ_TEXT("-o", out),
                                    SQ_TEXT("--out", out),
                                    SQ_TEXT("--table", table),
                                    SQ_INT("--keep", select.keep, 1, SQ_MAX_CHOICES),
                                    SQ_REAL("--a", select.a, 0, 10),
                                    SQ_REAL("--b", select.b, 0, 10),
                                    SQ_FLAG("--per-family", select.is_per_family),
                                    SQ_WORD("--fill", fill, SQ_LUT_FILL_WORDS),
                                    SQ_LUT_SHAPE_OPTIONS(shape),
                                    SQ_OPTIONS_END};

const sq_command sq_command_select = {.name = "select",
                                      SQ_ARGUMENTS(.select = SQ_SELECT_OPTIONS),
                                      .argument_min = 2,
                                      .argument_max = 2,
                                      .expected = expected,
                                      .run = run};
