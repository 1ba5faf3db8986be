/* squall evaluate */
#include <stdio.h>
#include <string.h>

#include "tools/commands/commands.h"
#include "tools/run/trained_run.h"

typedef struct {
    const char *arch;
    bool on_val;
} arguments;

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
    int found[SQ_MAX_LAYERS] = {0}, path[SQ_MAX_LAYERS] = {0};
    char text[1024];
    SQ_TRY(sq_trained_run_read_arch(r, arch ? arch : r->single_arch, found));
    if (!r->single)
        memcpy(path, found, sizeof path);
    (void)sq_arch_print(r->session.space, found, text, sizeof text);
    (void)printf("step %lld, %s\n", r->step, text);
    sq_print_row("images", "%zu %s, %zu for calibration", r->validation.count,
                 on_val ? "of the test split" : "held out", r->calibration.count);
    SQ_TRY(sq_evaluator_adopt(r->evaluator, r->model, path));
    SQ_TRY(score(r, path, "running statistics"));
    SQ_TRY(sq_evaluator_calibrate(r->evaluator, path));
    return score(r, path, "calibrated");
}

static int run(const sq_options *options, const void *given)
{
    const arguments *a = given;
    const char *folder = options->arguments[0];
    sq_trained_run r = {0};
    sq_status status = sq_trained_run_open(&r, folder, NULL, options, a->on_val);
    if (status == SQ_OK && !r.single && !a->arch)
        status = sq_fail(SQ_INVALID, "%s: found a supernet, expected --arch", folder);
    if (status == SQ_OK)
        status = sq_trained_run_open_evaluator(&r);
    if (status == SQ_OK)
        status = evaluate(&r, a->arch, a->on_val);
    sq_trained_run_close(&r);
    return status == SQ_OK ? 0 : sq_command_fail("evaluate", status);
}

static const sq_option options[] = {SQ_TEXT("--arch", arch), SQ_FLAG("--on-val", on_val), SQ_OPTIONS_END};

const sq_command sq_command_evaluate = {.name = "evaluate",
                                        SQ_ARGUMENTS(.arch = NULL),
                                        .has_config = true,
                                        .argument_min = 1,
                                        .argument_max = 1,
                                        .expected = "one run",
                                        .run = run};
