/* squall evaluate */
#include <stdio.h>
#include <string.h>

#include "tools/commands/command.h"
#include "tools/run/trained_run.h"

static sq_status score(sq_trained_run *r, const int *path, const char *what)
{
    sq_result result;
    SQ_TRY(sq_evaluator_score(r->evaluator, path, 0, &result));
    const double images = (double)result.images;
    sq_print_row(what, "%.2f %% top-1, %.2f %% top-5, loss %.4f", 100 * (double)result.top1 / images,
                 100 * (double)result.top5 / images, result.loss / images);
    return SQ_OK;
}

static sq_status evaluate(sq_trained_run *r, const char *arch, bool on_val)
{
    int asked[SQ_MAX_LAYERS] = {0}, path[SQ_MAX_LAYERS] = {0};
    char text[1024];
    SQ_TRY(sq_trained_run_read_arch(r, arch ? arch : r->single_arch, asked));
    if (!r->single)
        memcpy(path, asked, sizeof path);
    (void)sq_arch_print(r->session.space, asked, text, sizeof text);
    (void)printf("step %lld, %s\n", r->step, text);
    sq_print_row("images", "%zu %s, %zu for calibration", r->validation.count,
                 on_val ? "of the test split" : "held out", r->calibration.count);
    SQ_TRY(sq_evaluator_adopt(r->evaluator, r->model, path));
    SQ_TRY(score(r, path, "running statistics"));
    SQ_TRY(sq_evaluator_calibrate(r->evaluator, path));
    return score(r, path, "calibrated");
}

static int run(int argc, char **argv)
{
    static sq_options read; /* large; the program runs one command */
    const char *arch = NULL;
    bool on_val = false, is_help;
    const sq_option options[] = {
        {"--arch", &arch, NULL, NULL}, {"--on-val", NULL, &on_val, NULL}, {NULL, NULL, NULL, NULL}};
    sq_trained_run r = {0};
    const int code = sq_options_read(&read, options, argc, argv, &is_help);
    if (code)
        return code;
    if (read.argument_count != 1)
        return sq_command_usage("evaluate", "wanted one run");
    sq_status status = sq_trained_run_open(&r, read.arguments[0], NULL, &read, on_val);
    if (status == SQ_OK && !r.single && !arch)
        status = sq_fail(SQ_INVALID, "--arch: missing; %s holds a supernet", read.arguments[0]);
    if (status == SQ_OK)
        status = sq_trained_run_open_evaluator(&r);
    if (status == SQ_OK)
        status = evaluate(&r, arch, on_val);
    sq_trained_run_close(&r);
    return status == SQ_OK ? 0 : sq_command_fail("evaluate", status);
}

const sq_command sq_command_evaluate = {
    .name = "evaluate",
    .summary = "accuracy of one path, before and after calibration",
    .usage = "squall evaluate RUN --arch A [--on-val]",
    .help = "Scores one path of the supernet in RUN (or the one that RUN trained) with the running statistics of "
            "training, and with\n"
            "calibrated ones.\n\n"
            "  --arch A         tuple \"(2, 1, 0, ...)\", NNI JSON, or a file of either\n"
            "  --on-val         on the test split instead of the held-out images\n"
            "  --set key=value  replace one key; --device, --graphs, --engine, --threads, --seed as in train\n",
    .run = run,
};
