/* squall lut import: somebody's latency table as a device's folder. */
#include "tools/commands/lut/lut.h"

#include <stdio.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "search/cost/dialects/dialect.h"
#include "tools/commands/command.h"

typedef struct {
    const char *out, *dialect, *column, *unit, *name, *source, *licence, *runtime, *dtype, *clocks, *date, *space,
        *batch, *threads, *resolution;
    bool is_modelled, takes_near, replaces;
} arguments;

static sq_status check_out(const char *folder, bool replaces, char device[SQ_PATH_BYTES])
{
    SQ_TRY(sq_text_path(device, SQ_PATH_BYTES, folder, "device.yaml"));
    if (sq_path_exists(device) && !replaces)
        return sq_fail(SQ_INVALID, "%s: stands there already: another folder, or --replace", device);
    return SQ_OK;
}

/* device.yaml goes first, so that a folder half replaced is no device; a table of the other kind must not stay. */
static sq_status write_device(const sq_latency *latency, const char *folder, const char *device)
{
    char other[SQ_PATH_BYTES];
    SQ_TRY(sq_text_path(other, sizeof other, folder, latency->layer_count ? "table.csv" : "layers.csv"));
    SQ_TRY(sq_path_remove(device));
    SQ_TRY(sq_path_remove(other));
    return sq_latency_write(latency, folder);
}

static void set(char *to, size_t bytes, const char *value)
{
    (void)snprintf(to, bytes, "%s", value ? value : "");
}

static sq_dialect_options options_of(const arguments *a, int batch, int threads, int resolution)
{
    sq_dialect_options o = {.dialect = a->dialect,
                            .column = a->column,
                            .unit = a->unit,
                            .takes_near = a->takes_near,
                            .is_modelled = a->is_modelled,
                            .info = {.batch = batch, .threads = threads, .resolution = resolution}};
    set(o.info.name, sizeof o.info.name, a->name);
    set(o.info.source, sizeof o.info.source, a->source);
    set(o.info.licence, sizeof o.info.licence, a->licence);
    set(o.info.runtime, sizeof o.info.runtime, a->runtime);
    set(o.info.dtype, sizeof o.info.dtype, a->dtype);
    set(o.info.clocks, sizeof o.info.clocks, a->clocks);
    set(o.info.date, sizeof o.info.date, a->date);
    set(o.info.space, sizeof o.info.space, a->space);
    return o;
}

static sq_status import(const char *file, const char *folder, bool replaces, const sq_dialect_options *options)
{
    char device[SQ_PATH_BYTES];
    sq_latency *latency = NULL;
    sq_dialect_report report;
    SQ_TRY(check_out(folder, replaces, device));
    SQ_TRY(sq_dialect_read(&latency, &report, file, options));
    const sq_status status = write_device(latency, folder, device);
    if (status == SQ_OK) {
        const bool is_by_layer = latency->layer_count > 0;
        sq_dialect_print(&report, stdout);
        sq_print_row("dialect", "%s", report.dialect);
        sq_print_row("device", "%s, %s, batch %d", latency->info.name,
                     latency->info.is_measured ? "measured" : "modelled", latency->info.batch);
        sq_print_row("entries", "%zu by %s, base %g ms", is_by_layer ? latency->layer_count : latency->count,
                     is_by_layer ? "layer" : "block", latency->info.base_ms);
        if (*latency->info.space)
            sq_print_row("space", "%s", latency->info.space);
        sq_print_row("files", "%s, %s/%s", device, folder, is_by_layer ? "layers.csv" : "table.csv");
    }
    sq_latency_close(latency);
    return status;
}

static int run(int argc, char **argv)
{
    static sq_options read; /* large; the program runs one command */
    arguments a = {.batch = "1", .threads = "0", .resolution = "0"};
    bool is_help;
    int batch, threads, resolution;
    const sq_option options[] = {
        {"-o", &a.out, NULL, NULL},
        {"--out", &a.out, NULL, NULL},
        {"--dialect", &a.dialect, NULL, NULL},
        {"--column", &a.column, NULL, NULL},
        {"--unit", &a.unit, NULL, NULL},
        {"--near", NULL, &a.takes_near, NULL},
        {"--name", &a.name, NULL, NULL},
        {"--source", &a.source, NULL, NULL},
        {"--licence", &a.licence, NULL, NULL},
        {"--runtime", &a.runtime, NULL, NULL},
        {"--dtype", &a.dtype, NULL, NULL},
        {"--clocks", &a.clocks, NULL, NULL},
        {"--date", &a.date, NULL, NULL},
        {"--space", &a.space, NULL, NULL},
        {"--batch", &a.batch, NULL, NULL},
        {"--threads", &a.threads, NULL, NULL},
        {"--resolution", &a.resolution, NULL, NULL},
        {"--modelled", NULL, &a.is_modelled, NULL},
        {"--replace", NULL, &a.replaces, NULL},
        {NULL, NULL, NULL, NULL},
    };
    const int code = sq_options_read(&read, options, argc, argv, &is_help);
    if (code)
        return code;
    if (read.argument_count != 1 || !a.out)
        return sq_command_usage("lut import", "wanted one FILE and -o DEVICE");
    int wrong = sq_options_number("lut import", "--batch", a.batch, 1, 65536, &batch);
    wrong = wrong ? wrong : sq_options_number("lut import", "--threads", a.threads, 0, 65536, &threads);
    wrong = wrong ? wrong : sq_options_number("lut import", "--resolution", a.resolution, 0, 4096, &resolution);
    if (wrong)
        return wrong;
    const sq_dialect_options o = options_of(&a, batch, threads, resolution);
    const sq_status status = import(read.arguments[0], a.out, a.replaces, &o);
    return status == SQ_OK ? 0 : sq_command_fail("lut import", status);
}

const sq_command sq_lut_import = {
    .name = "import",
    .summary = "another project's table as a device",
    .usage = "squall lut import FILE -o DEVICE [--dialect D] [--column C]",
    .help =
        "Reads a latency table in another project's format and writes DEVICE/device.yaml with DEVICE/table.csv (by "
        "block) "
        "or\n"
        "DEVICE/layers.csv (by layer). The format is told from the content. Rows of blocks that no Squall space can "
        "contain\n"
        "are left out, and counted by kind.\n\n"
        "  -o, --out DEVICE      folder of the device; one that holds a device already is refused, unless --replace\n"
        "  --dialect D           proxyless, ofa, nnmeter, fbnet, tfnas, tunas, singlepath\n"
        "  --column C            the device's column, where a file has several\n"
        "  --unit U              ns, us, ms or s, of a file that does not say it (default ms)\n"
        "  --near                take blocks that differ from Squall's only in the shortcut, and swish for hswish\n"
        "  --name, --source, --licence, --runtime, --dtype, --clocks, --date T\n"
        "                        for device.yaml: what was measured, by whom, under which licence\n"
        "  --batch N, --threads N, --resolution R\n"
        "                        for device.yaml: how it was measured (default 1 image; any resolution)\n"
        "  --space NAME          of a table by layer: the space whose layers are meant\n"
        "  --modelled            the figures were not measured\n",
    .run = run,
};
