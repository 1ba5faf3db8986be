/* squall bench: measures the speed of a training step, of its launches and of the loader. */
#include "tools/commands/bench/bench.h"
#include "tools/commands/commands.h"
#include "tools/run/share_folder.h"

#define DEFAULT_SPACE "configs/spaces/spos.yaml"
enum { DEFAULT_STEPS = 100, DEFAULT_PATHS = 200 /* the default of --steps with --dry */ };

typedef struct {
    sq_bench_options bench; /* steps SQ_UNSET: DEFAULT_PATHS with --dry, else DEFAULT_STEPS */
    const char *gpu;
    double gb_per_second; /* 0: not given */
} arguments;

typedef sq_status (*work)(const sq_session *session, const sq_bench_options *options);

static sq_status run_session(const sq_options *options, const sq_bench_options *bench, work measure)
{
    sq_session s = {0};
    sq_space *space = NULL;
    char shared[4096];
    SQ_TRY(sq_space_read(&space, sq_share_find(shared, sizeof shared, bench->file), 0, 0)); /* before a device opens */
    sq_space_free(space);
    SQ_TRY(sq_session_open(&s, NULL, options, bench->is_dry ? 0 : SQ_OPEN_BACKEND));
    const sq_status status = measure(&s, bench);
    sq_session_close(&s);
    return status;
}

static sq_bench_options bench_options(const sq_options *options, const arguments *a)
{
    sq_bench_options bench = a->bench;
    bench.file = options->argument_count ? options->arguments[0] : DEFAULT_SPACE;
    bench.bandwidth = 1e9 * a->gb_per_second;
    if (bench.steps == SQ_UNSET)
        bench.steps = bench.is_dry ? DEFAULT_PATHS : DEFAULT_STEPS;
    return bench;
}

static int run_step(const sq_options *options, const void *given)
{
    const arguments *a = given;
    sq_bench_options bench = bench_options(options, a);
    sq_gpu gpu;
    if ((a->gpu || bench.arch) && !bench.is_dry)
        return sq_command_usage("bench step", "%s: needs --dry", a->gpu ? "--gpu" : "--arch");
    sq_status status = a->gpu ? sq_bench_gpu(&gpu, a->gpu) : SQ_OK;
    bench.gpu = a->gpu ? &gpu : NULL;
    if (status == SQ_OK)
        status = run_session(options, &bench, sq_bench_step);
    return status == SQ_OK ? 0 : sq_command_fail("bench step", status);
}

static int run_kernels(const sq_options *options, const void *given)
{
    const sq_bench_options bench = bench_options(options, given);
    const sq_status status = run_session(options, &bench, sq_bench_kernels);
    return status == SQ_OK ? 0 : sq_command_fail("bench kernels", status);
}

static int run_loader(const sq_options *options, const void *given)
{
    const sq_bench_options bench = bench_options(options, given);
    const sq_status status = sq_bench_loader(options, &bench);
    return status == SQ_OK ? 0 : sq_command_fail("bench loader", status);
}

#define BATCH     SQ_INT("--batch", bench.batch, 2, 65536) /* batch norm needs at least two images */
#define STEPS     SQ_INT("--steps", bench.steps, 1, 1e7)
#define REPEATS   SQ_INT("--repeats", bench.repeats, 1, 1e6)
#define BANDWIDTH SQ_REAL("--bandwidth", gb_per_second, 1e-3, 1e9)
#define DRY       SQ_FLAG("--dry", bench.is_dry)
#define JSON      SQ_FLAG("--json", bench.is_json)

static const sq_option step_options[] = {BATCH,
                                         STEPS,
                                         SQ_INT("--warmup", bench.warmup, 0, 1e7),
                                         BANDWIDTH,
                                         DRY,
                                         SQ_TEXT("--gpu", gpu),
                                         SQ_TEXT("--arch", bench.arch),
                                         JSON,
                                         SQ_OPTIONS_END};
static const sq_option kernel_options[] = {BATCH, REPEATS, BANDWIDTH, DRY, JSON, SQ_OPTIONS_END};
static const sq_option loader_options[] = {BATCH, STEPS, REPEATS, SQ_KEY("--threads", "threads"), JSON, SQ_OPTIONS_END};

static const sq_command step = {.name = "step",
                                .options = step_options,
                                .has_config = true,
                                .defaults =
                                    &(const arguments){.bench = {.batch = 256, .steps = SQ_UNSET, .warmup = 10}},
                                .arguments_bytes = sizeof(arguments),
                                .argument_min = 1,
                                .argument_max = 1,
                                .expected = "one space file",
                                .run = run_step};

static const sq_command kernels = {.name = "kernels",
                                   .options = kernel_options,
                                   .has_config = true,
                                   .defaults = &(const arguments){.bench = {.batch = 256, .repeats = 20}},
                                   .arguments_bytes = sizeof(arguments),
                                   .argument_max = 1,
                                   .expected = "at most one space file",
                                   .run = run_kernels};

static const sq_command loader = {.name = "loader",
                                  .options = loader_options,
                                  .has_config = true,
                                  .defaults = &(const arguments){.bench = {.batch = 64, .steps = 20, .repeats = 5}},
                                  .arguments_bytes = sizeof(arguments),
                                  .argument_min = 1,
                                  .argument_max = 1,
                                  .expected = "one source of images or one configuration",
                                  .run = run_loader};

static const sq_command *const parts[] = {&step, &kernels, &loader, NULL};

const sq_command sq_command_bench = {.name = "bench", .parts = parts};
