/* squall select */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "kernels/base/text.h"
#include "search/select/select.h"
#include "supernet/space/block_kinds.h"
#include "tools/commands/lut/lut.h"
#include "tools/run/share_folder.h"

typedef struct {
    const char *out, *table, *keep, *a, *b, *fill;
    bool is_per_family;
    sq_lut_shape shape;
} arguments;

/* ---- What a person sees ---- */

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

/* How often each value of a property stands among the kept operators, in the order of the values. */
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

/* The operators that some layer keeps, the most frequent first, then in the pool's order. */
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
        sq_print_row("rules of the device", "no %s", rules);
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

/* The table's name: beside the space, .csv for .yaml. */
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
        return sq_fail(SQ_INVALID, "%s: the pool itself, wanted another file to write", pool);
    if (strcmp(table, a->out) == 0)
        return sq_fail(SQ_INVALID, "%s: the space's file, wanted another one for the table", table);
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

static sq_status select_space(const char *file, const char *device, const arguments *a,
                              const sq_select_options *options)
{
    sq_space *space = NULL;
    sq_latency_cache cache = {0};
    sq_selection selection = {0};
    char shared[SQ_PATH_BYTES];
    sq_fill fill;
    SQ_TRY(sq_lut_fill(a->fill, &fill));
    sq_status status = sq_lut_space(&space, file, &a->shape);
    if (status == SQ_OK)
        status = sq_latency_load(&cache, sq_share_find(shared, sizeof shared, device), space, fill);
    if (status == SQ_OK)
        status = sq_select_run(&selection, space, &cache, options);
    if (status == SQ_OK)
        status = write_files(&selection, a);
    sq_select_clear(&selection);
    sq_latency_cache_clear(&cache);
    sq_space_free(space);
    return status;
}

/* text NULL: it was not given. */
static int read_exponent(const char *name, const char *text, double *out)
{
    return !text || sq_text_double(text, 0, 10, out)
               ? 0
               : sq_command_usage("select", "%s %s: wanted a number from 0 to 10", name, text);
}

static int run(int argc, char **argv)
{
    static sq_options read; /* large; the program runs one command */
    arguments a = {.fill = "none", .shape = SQ_LUT_SHAPE};
    sq_select_options options = SQ_SELECT_OPTIONS;
    bool is_help;
    const sq_option list[] = {{"-o", &a.out, NULL, NULL},
                              {"--out", &a.out, NULL, NULL},
                              {"--table", &a.table, NULL, NULL},
                              {"--keep", &a.keep, NULL, NULL},
                              {"--a", &a.a, NULL, NULL},
                              {"--b", &a.b, NULL, NULL},
                              {"--per-family", NULL, &a.is_per_family, NULL},
                              {"--fill", &a.fill, NULL, NULL},
                              SQ_LUT_SHAPE_OPTIONS(a.shape),
                              {NULL, NULL, NULL, NULL}};
    int code = sq_options_read(&read, list, argc, argv, &is_help);
    if (code)
        return code;
    if (read.argument_count != 2 || !a.out)
        return sq_command_usage("select", "wanted a space file, a device and -o SPACE.yaml");
    code = a.keep ? sq_options_number("select", "--keep", a.keep, 1, SQ_MAX_CHOICES, &options.keep) : 0;
    if (code)
        return code;
    code = read_exponent("--a", a.a, &options.a);
    if (code == 0)
        code = read_exponent("--b", a.b, &options.b);
    if (code)
        return code;
    options.is_per_family = a.is_per_family;
    const sq_status status = select_space(read.arguments[0], read.arguments[1], &a, &options);
    return status == SQ_OK ? 0 : sq_command_fail("select", status);
}

const sq_command sq_command_select = {
    .name = "select",
    .summary = "a device's search space: the operators of a pool that promise most for their time",
    .usage = "squall select SPACE DEVICE -o SPACE.yaml [--keep K] [--per-family] [--fill F]",
    .help =
        "Scores every operator of every searched layer of SPACE by what it can represent for the time it takes on "
        "DEVICE,\n"
        "    score = (multiply-adds in M)^a * (parameters in k)^b / milliseconds,\n"
        "leaves out what the device's rules drop (rules: in its device.yaml), and keeps the best K of each layer. "
        "Writes them as\n"
        "a space file, best first in each layer, and every operator's figures and fate as a table.\n\n"
        "  -o, --out FILE    the space to write\n"
        "  --table FILE      the table to write (default: beside it, .csv for .yaml)\n"
        "  --keep K          operators of a layer (default 4)\n"
        "  --a A, --b B      exponents of the capacity (default 0.25 and 0.25)\n"
        "  --per-family      among the K the best one of each family: sep, mb, shuffle with xception\n"
        "  --fill F          missing blocks: none (an error), interpolate (from blocks of the same kind), roofline (by "
        "the device's\n"
        "                    roofline.yaml)\n" SQ_LUT_SHAPE_HELP,
    .run = run,
};
