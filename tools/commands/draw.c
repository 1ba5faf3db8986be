/* squall draw */
#include <stdio.h>

#include "search/cost/latency.h"
#include "tools/commands/commands.h"
#include "tools/commands/lut/lut.h"
#include "tools/report/picture.h"
#include "tools/run/share_folder.h"

typedef struct {
    const char *space, *out, *latency, *title;
    int columns, fill;
    sq_lut_shape shape;
} arguments;

static const char expected[] = "an architecture, --space S and -o FILE.svg";

/* Looks up only the blocks of this path, because the table can lack the blocks of other paths. */
static sq_status open_latency(sq_latency_cache *out, const arguments *a, const sq_space *space, const int *path)
{
    char shared[4096];
    sq_latency *latency = NULL;
    SQ_TRY(sq_latency_open(&latency, sq_share_find(shared, sizeof shared, a->latency)));
    const sq_status status = sq_latency_prepare_path(out, latency, space, path, (sq_fill)a->fill);
    sq_latency_close(latency);
    return status;
}

static sq_status draw(const arguments *a, const char *arch)
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
                                .columns = a->columns};
    if (status == SQ_OK)
        status = sq_picture_write(a->out, &picture);
    if (status == SQ_OK)
        (void)printf("wrote %s\n", a->out);
    sq_latency_cache_clear(&cache);
    sq_space_free(space);
    return status;
}

static int run(const sq_options *options, const void *given)
{
    const arguments *a = given;
    if (!a->space || !a->out)
        return sq_command_usage("draw", "expected %s", expected);
    const sq_status status = draw(a, options->arguments[0]);
    return status == SQ_OK ? 0 : sq_command_fail("draw", status);
}

static const sq_option options[] = {SQ_TEXT("--space", space),
                                    SQ_TEXT("-o", out),
                                    SQ_TEXT("--out", out),
                                    SQ_TEXT("--latency", latency),
                                    SQ_WORD("--fill", fill, SQ_LUT_FILL_WORDS),
                                    SQ_TEXT("--title", title),
                                    SQ_INT("--columns", columns, 1, 2),
                                    SQ_LUT_SHAPE_OPTIONS(shape),
                                    SQ_OPTIONS_END};

const sq_command sq_command_draw = {
    .name = "draw", SQ_ARGUMENTS(.columns = 2), .argument_min = 1, .argument_max = 1, .expected = expected, .run = run};
