/* squall lut import */
#include "tools/commands/lut/lut.h"

#include <stdio.h>

#include "search/cost/dialects/dialect.h"
#include "tools/run/device_import.h"

typedef struct {
    const char *out, *dialect, *column, *unit, *name, *source, *licence, *runtime, *dtype, *clocks, *date, *space;
    int batch, threads, resolution;
    bool is_modelled, takes_near, replaces;
} arguments;

static const char expected[] = "one FILE and -o DEVICE";

static void set(char *to, size_t bytes, const char *value)
{
    (void)snprintf(to, bytes, "%s", value ? value : "");
}

static sq_dialect_options options_of(const arguments *a)
{
    sq_dialect_options o = {.dialect = a->dialect,
                            .column = a->column,
                            .unit = a->unit,
                            .takes_near = a->takes_near,
                            .is_modelled = a->is_modelled,
                            .info = {.batch = a->batch, .threads = a->threads, .resolution = a->resolution}};
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

static int run(const sq_options *options, const void *given)
{
    const arguments *a = given;
    if (!a->out)
        return sq_command_usage("lut import", "expected %s", expected);
    const sq_dialect_options o = options_of(a);
    const sq_status status = sq_device_import(options->arguments[0], a->out, a->replaces, &o);
    return status == SQ_OK ? 0 : sq_command_fail("lut import", status);
}

static const sq_option options[] = {SQ_TEXT("-o", out),
                                    SQ_TEXT("--out", out),
                                    SQ_TEXT("--dialect", dialect),
                                    SQ_TEXT("--column", column),
                                    SQ_TEXT("--unit", unit),
                                    SQ_FLAG("--near", takes_near),
                                    SQ_TEXT("--name", name),
                                    SQ_TEXT("--source", source),
                                    SQ_TEXT("--licence", licence),
                                    SQ_TEXT("--runtime", runtime),
                                    SQ_TEXT("--dtype", dtype),
                                    SQ_TEXT("--clocks", clocks),
                                    SQ_TEXT("--date", date),
                                    SQ_TEXT("--space", space),
                                    SQ_INT("--batch", batch, 1, 65536),
                                    SQ_INT("--threads", threads, 0, 65536),
                                    SQ_INT("--resolution", resolution, 0, 4096),
                                    SQ_FLAG("--modelled", is_modelled),
                                    SQ_FLAG("--replace", replaces),
                                    SQ_OPTIONS_END};

const sq_command sq_lut_import = {
    .name = "import", SQ_ARGUMENTS(.batch = 1), .argument_min = 1, .argument_max = 1, .expected = expected, .run = run};
