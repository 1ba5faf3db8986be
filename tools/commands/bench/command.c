/* squall bench: how fast a training step, its launches and the loader are. */
#include <stdlib.h>
#include <string.h>

#include "kernels/base/rng.h"
#include "kernels/base/text.h"
#include "supernet/model/initialize.h"
#include "tools/commands/bench/bench.h"
#include "tools/run/share_folder.h"

typedef struct {
    const char *batch, *steps, *path_count, *warmup, *repeats, *bandwidth, *gpu, *arch;
    bool is_dry, is_json;
} arguments;

/* ---- The command ---- */

static sq_status run_bench(const sq_options *read, const sq_bench_options *options, bool is_step)
{
    sq_session s = {0};
    sq_space *space = NULL;
    char shared[4096];
    SQ_TRY(sq_space_read(&space, sq_share_find(shared, sizeof shared, options->file), 0, 0)); /* before any device */
    sq_space_free(space);
    SQ_TRY(sq_session_open(&s, NULL, read->overrides, read->override_count, options->is_dry ? 0 : SQ_OPEN_BACKEND));
    const sq_status status = is_step ? sq_bench_step(&s, options) : sq_bench_kernels(&s, options);
    sq_session_close(&s);
    return status;
}

/* 0, or 2 after telling what is wrong. */
static int read_numbers(const arguments *a, sq_bench_options *o)
{
    int code = sq_options_number("bench", "--batch", a->batch, 2, 65536, &o->batch); /* batch norm needs two */
    if (code == 0)
        code = sq_options_number("bench", a->path_count ? "--path-count" : "--steps", a->steps, 1, 10000000, &o->steps);
    if (code == 0)
        code = sq_options_number("bench", "--warmup", a->warmup, 0, 10000000, &o->warmup);
    if (code == 0)
        code = sq_options_number("bench", "--repeats", a->repeats, 1, 1000000, &o->repeats);
    if (code)
        return code;
    double bandwidth = 0;
    if (a->bandwidth && !sq_text_double(a->bandwidth, 1e-3, 1e9, &bandwidth))
        return sq_command_usage("bench", "--bandwidth: '%s', wanted GB/s above 0", a->bandwidth);
    o->bandwidth = 1e9 * bandwidth;
    return 0;
}

static int run(int argc, char **argv)
{
    static sq_options read; /* large; the program runs one command */
    arguments a = {.warmup = "10"};
    bool is_help;
    const sq_option options[] = {{"--batch", &a.batch, NULL, NULL},         {"--steps", &a.steps, NULL, NULL},
                                 {"--warmup", &a.warmup, NULL, NULL},       {"--repeats", &a.repeats, NULL, NULL},
                                 {"--bandwidth", &a.bandwidth, NULL, NULL}, {"--path-count", &a.path_count, NULL, NULL},
                                 {"--gpu", &a.gpu, NULL, NULL},             {"--arch", &a.arch, NULL, NULL},
                                 {"--dry", NULL, &a.is_dry, NULL},          {"--json", NULL, &a.is_json, NULL},
                                 {NULL, NULL, NULL, NULL}};
    int code = sq_options_read(&read, options, argc, argv, &is_help);
    if (code)
        return code;
    const bool is_step = read.argument_count == 2 && strcmp(read.arguments[0], "step") == 0;
    const bool is_kernels =
        read.argument_count >= 1 && read.argument_count <= 2 && strcmp(read.arguments[0], "kernels") == 0;
    const bool is_loader = read.argument_count == 2 && strcmp(read.arguments[0], "loader") == 0;
    if (!is_step && !is_kernels && !is_loader)
        return sq_command_usage("bench", "wanted 'step SPACE', 'kernels [SPACE]' or 'loader SOURCE|CONFIG'");
    if ((a.gpu || a.arch || a.path_count) && !(is_step && a.is_dry))
        return sq_command_usage("bench", "%s: only valid with 'step SPACE --dry'",
                                a.gpu ? "--gpu" : a.arch ? "--arch" : "--path-count");
    if (a.path_count && a.steps)
        return sq_command_usage("bench", "--path-count and --steps: with --dry both are the number of paths, give one");
    a.steps = a.path_count ? a.path_count : a.steps;
    a.batch = a.batch ? a.batch : is_loader ? "64" : "256";
    a.steps = a.steps ? a.steps : is_loader ? "20" : a.is_dry ? "200" : "100";
    a.repeats = a.repeats ? a.repeats : is_loader ? "5" : "20";
    sq_bench_options wanted = {.file = read.argument_count == 2 ? read.arguments[1] : "configs/spaces/spos.yaml",
                               .arch = a.arch,
                               .is_dry = a.is_dry,
                               .is_json = a.is_json};
    code = read_numbers(&a, &wanted);
    if (code)
        return code;
    sq_gpu gpu;
    if (a.gpu) {
        const sq_status status = sq_bench_gpu(&gpu, a.gpu);
        if (status != SQ_OK)
            return sq_command_fail("bench", status);
        wanted.gpu = &gpu;
    }
    const sq_status status = is_loader ? sq_bench_loader(&read, &wanted) : run_bench(&read, &wanted, is_step);
    return status == SQ_OK ? 0 : sq_command_fail("bench", status);
}

const sq_command sq_command_bench = {
    .name = "bench",
    .summary = "the speed of training steps, of single launches and of the loader",
    .usage = "squall bench step SPACE [--batch N] [--steps N] [--dry] [--json] | squall bench kernels [SPACE] [--dry]\n"
             "       squall bench step SPACE --dry --gpu NAME|FILE [--batch N] [--arch A] [--path-count N] [--json]\n"
             "       squall bench loader SOURCE|CONFIG [--threads N] [--batch N] [--steps N] [--repeats N] [--json]",
    .help =
        "bench step: trains SPACE on random images that stay on the device, each step on the path that a training run "
        "with\n"
        "this seed would draw, and times blocks of 10 steps. On cuda also the bytes that the launches of these paths "
        "move by\n"
        "construction, and which share of the bandwidth they reach.\n"
        "bench kernels: every distinct launch of SPACE (default: SPOS), forward and backward: bytes, multiply-adds, "
        "time, share\n"
        "of a measured copy's bandwidth; then what a width costs that is no multiple of 8.\n"
        "bench loader: images/s of random resized crops from SOURCE (its train split, else val) or from the training "
        "images of\n"
        "CONFIG (*.yaml), on one thread and on all, and what reading, decoding, resizing and copying take of one "
        "core.\n\n"
        "  --batch N            images of a step (default 256; loader: 64)\n"
        "  --steps N            timed steps (default 100); with --dry, paths counted (default 200); loader: batches of "
        "a round\n"
        "                       (default 20)\n"
        "  --warmup N           steps before them (default 10)\n"
        "  --repeats N          bench kernels: runs of each launch, of which the median counts (default 20); loader: "
        "rounds\n"
        "                       (default 5)\n"
        "  --bandwidth G        GB/s that bytes are held against (default: 4300 in step, a measured copy in kernels)\n"
        "  --dry                no device: only what cuda would launch on an H200, counted\n"
        "  --gpu NAME|FILE      with step --dry: model the time on this GPU: a100, h100, h200, rtx3090 (configs/gpus), or "
        "a file\n"
        "                       that describes one\n"
        "  --arch A             with step --dry: this path, as in evaluate (default: random ones)\n"
        "  --path-count N       with step --dry: number of random paths (default 200)\n"
        "  --json               one line of JSON\n"
        "  --threads N          loader: decoding threads (default: data.threads, else one per core)\n"
        "  --device D, --graphs on|off, --engine E, --threads N, --seed N, --set key=value   as in train\n",
    .run = run,
};
