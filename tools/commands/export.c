/* squall export */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "supernet/export/export.h"
#include "supernet/space/cost.h"
#include "tools/commands/commands.h"
#include "tools/run/trained_run.h"

typedef struct {
    const char *arch, *out;
    int is_folded; /* index in "off on" */
    bool on_val;
} arguments;

static sq_status class_names(const sq_dataset *data, char **json)
{
    const int count = sq_dataset_class_count(data);
    const char **names = calloc((size_t)count + 1, sizeof *names);
    if (!names)
        return sq_fail(SQ_NO_MEMORY, "export: %d class names", count);
    for (int i = 0; i < count; i++)
        names[i] = sq_dataset_class(data, i);
    const sq_status status = sq_export_classes(names, count, json);
    free(names);
    return status;
}

/* Chooses the exported path as choices of the configured space. For a supernet, this is --arch or the result of the
 * search; for a run that trained one path, this is that path. */
static sq_status choose_path(const sq_trained_run *r, const char *run, const char *arch, int *path)
{
    char found[SQ_PATH_BYTES];
    if (arch && strcmp(arch, "best") != 0)
        return sq_trained_run_read_arch(r, arch, path);
    if (r->single)
        return sq_arch_read(r->session.space, r->single_arch, path);
    if (!sq_path_find(found, sizeof found, run, "search/arch.json"))
        return sq_fail(SQ_INVALID, "%s: no search/arch.json in it; run squall search first, or give --arch", run);
    return sq_arch_read(r->session.space, found, path);
}

static void print_file(const char *folder, const char *name)
{
    char path[SQ_PATH_BYTES], size[32];
    struct stat info;
    if (sq_text_path(path, sizeof path, folder, name) == SQ_OK && stat(path, &info) == 0)
        sq_print_row(name, "%s", sq_text_si(size, sizeof size, (double)info.st_size, "B"));
}

static void print_result(const sq_trained_run *r, const int *path, const sq_export_options *o, const arguments *a)
{
    char arch[1024];
    const sq_cost cost = sq_cost_path(r->space, path);
    (void)sq_arch_print(o->arch_space, o->arch_path, arch, sizeof arch);
    (void)printf("exported %s into %s\n", arch, o->folder);
    sq_print_row(a->on_val ? "test accuracy" : "held-out accuracy",
                 "%.2f %% top-1 with exactly these weights (%zu images)", 100 * o->accuracy, r->validation.count);
    sq_print_row("multiply-adds", "%.2f M", 1e-6 * (double)cost.macs);
    sq_print_row("parameters", "%.3f M", 1e-6 * (double)(cost.weights + cost.norm_weights));
    print_file(o->folder, "model.onnx");
    print_file(o->folder, "model.safetensors");
    print_file(o->folder, "arch.json");
    if (!o->is_folded)
        print_file(o->folder, "supernet.safetensors");
    (void)printf("next: python3 -c \"import onnxruntime; "
                 "print(onnxruntime.InferenceSession('%s/model.onnx').get_inputs()[0].shape)\"\n",
                 o->folder);
}

static sq_status export_run(sq_trained_run *r, const char *run, const arguments *a)
{
    int chosen[SQ_MAX_LAYERS];
    const int only[SQ_MAX_LAYERS] = {0}; /* the path of a space without choices */
    const int *path = r->single ? only : chosen;
    char folder[SQ_PATH_BYTES], *classes = NULL;
    sq_result result;
    SQ_TRY(choose_path(r, run, a->arch, chosen));
    SQ_TRY(sq_text_path(folder, sizeof folder, run, "export"));
    SQ_TRY(sq_evaluator_calibrate(r->evaluator, path));
    SQ_TRY(sq_evaluator_score(r->evaluator, path, 0, &result));
    SQ_TRY(class_names(r->session.all, &classes));
    const sq_export_options o = {.folder = a->out ? a->out : folder,
                                 .is_folded = a->is_folded,
                                 .opset = r->session.config->opset,
                                 .classes_json = classes,
                                 .arch_space = r->session.space,
                                 .arch_path = chosen,
                                 .crop_fraction = r->session.config->data.transform.crop_fraction,
                                 .accuracy = (double)result.top1 / (double)result.images};
    sq_status status = sq_export_network(sq_evaluator_model(r->evaluator), path, &o);
    if (status == SQ_OK && !o.is_folded)
        status = sq_export_supernet(r->model, o.folder);
    if (status == SQ_OK)
        print_result(r, path, &o, a);
    free(classes);
    return status;
}

static int run(const sq_options *options, const void *given)
{
    const arguments *a = given;
    sq_trained_run r = {0};
    sq_status status = sq_trained_run_open(&r, options->arguments[0], NULL, options, a->on_val);
    if (status == SQ_OK)
        status = sq_trained_run_open_evaluator(&r);
    if (status == SQ_OK)
        status = export_run(&r, options->arguments[0], a);
    sq_trained_run_close(&r);
    return status == SQ_OK ? 0 : sq_command_fail("export", status);
}

static const sq_option options[] = {SQ_TEXT("--arch", arch),
                                    SQ_TEXT("-o", out),
                                    SQ_TEXT("--out", out),
                                    SQ_WORD("--fold", is_folded, "off on"),
                                    SQ_FLAG("--on-val", on_val),
                                    SQ_KEY("--opset", "export.opset"),
                                    SQ_OPTIONS_END};

const sq_command sq_command_export = {.name = "export",
                                      SQ_ARGUMENTS(.is_folded = true),
                                      .has_config = true,
                                      .argument_min = 1,
                                      .argument_max = 1,
                                      .expected = "one run",
                                      .run = run};
