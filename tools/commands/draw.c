/* squall draw */
#include <stdio.h>

#include "search/cost/latency.h"
#include "tools/commands/command.h"
#include "tools/commands/lut/lut.h"
#include "tools/run/picture.h"
#include "tools/run/share_folder.h"

typedef struct {
    const char *space, *out, *latency, *fill, *title, *columns;
    sq_lut_shape shape;
} arguments;

/* A path is all that is asked for: the table may miss blocks of others. */
static sq_status open_latency(sq_latency_cache *out, const arguments *a, const sq_space *space, const int *path)
{
    char shared[4096];
    sq_latency *latency = NULL;
    sq_fill fill;
    SQ_TRY(sq_lut_fill(a->fill, &fill));
    SQ_TRY(sq_latency_open(&latency, sq_share_find(shared, sizeof shared, a->latency)));
    const sq_status status = sq_latency_prepare_path(out, latency, space, path, fill);
    sq_latency_close(latency);
    return status;
}

static sq_status draw(const arguments *a, const char *arch, int columns)
{
    sq_space *space = NULL;
    int path[SQ_MAX_LAYERS];
    sq_latency_cache cache = {0};
    SQ_TRY(sq_lut_space(&space, a->space, &a->shape));
    sq_status status = sq_arch_read(space, arch, path);
    if (status == SQ_OK && a->latency)
        status = open_latency(&cache, a, space, path);
    const sq_picture picture = {.space = space,
                                .path = path,
                                .latency = a->latency ? &cache : NULL,
                                .title = a->title ? a->title : space->name,
                                .columns = columns};
    if (status == SQ_OK)
        status = sq_picture_write(a->out, &picture);
    if (status == SQ_OK)
        (void)printf("wrote %s\n", a->out);
    sq_latency_cache_clear(&cache);
    sq_space_free(space);
    return status;
}

static int run(int argc, char **argv)
{
    static sq_options read; /* large; the program runs one command */
    arguments a = {.fill = "none", .columns = "2", .shape = SQ_LUT_SHAPE};
    bool is_help;
    int columns;
    const sq_option options[] = {
        {"--space", &a.space, NULL, NULL},     {"-o", &a.out, NULL, NULL},      {"--out", &a.out, NULL, NULL},
        {"--latency", &a.latency, NULL, NULL}, {"--fill", &a.fill, NULL, NULL}, {"--title", &a.title, NULL, NULL},
        {"--columns", &a.columns, NULL, NULL}, SQ_LUT_SHAPE_OPTIONS(a.shape),   {NULL, NULL, NULL, NULL}};
    int code = sq_options_read(&read, options, argc, argv, &is_help);
    if (code == 0)
        code = sq_options_number("draw", "--columns", a.columns, 1, 2, &columns);
    if (code)
        return code;
    if (read.argument_count != 1 || !a.space || !a.out)
        return sq_command_usage("draw", "wanted an architecture, --space S and -o FILE.svg");
    const sq_status status = draw(&a, read.arguments[0], columns);
    return status == SQ_OK ? 0 : sq_command_fail("draw", status);
}

const sq_command sq_command_draw = {
    .name = "draw",
    .summary = "one network as a vector picture",
    .usage = "squall draw ARCH --space S -o net.svg [--columns 1|2] [--latency DEVICE]",
    .help =
        "Writes one SVG file, text as text, sized for a printed page: each layer's operator, width and pixels, and its "
        "share of\nmultiply-adds and, with a device, of latency. ARCH is a tuple \"(2, 1, 0, ...)\", NNI JSON, or a "
        "file "
        "of either\n(RUN/search/arch.json).\n\n"
        "  --space S          the space file\n"
        "  -o FILE            the picture\n"
        "  --columns N        2 (default): 504 pt (178 mm) wide, layers run right; 1: 240 pt (85 mm) wide, a row a "
        "layer\n"
        "  --latency DEVICE   device folder or table: shares of predicted latency\n"
        "  --fill F           missing blocks: none (an error), interpolate or roofline\n"
        "  --title TEXT       above it (default: the space's name; \"\": none)\n" SQ_LUT_SHAPE_HELP,
    .run = run,
};
