/* squall train */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "supernet/checkpoint.h"
#include "supernet/cost.h"
#include "tools/command.h"

enum { PATH_BYTES = 4096 };

typedef struct {
    const char *run, *arch, *resume;
    bool is_quiet;
} arguments;

static void print_start(const sq_session *s, const sq_space *space, const sq_model *model, const arguments *a)
{
    const sq_plan *plan = sq_model_plan(model);
    const sq_train_options *o = &s->config->train;
    char parameters[32], memory[32];
    double paths = 1;
    size_t bytes = 0;
    for (int l = 0; l < space->layer_count; l++)
        paths *= space->layers[l].choice_count;
    for (int role = 0; role < SQ_ROLES; role++)
        bytes += plan->role_bytes[role];
    size_t count = 0;
    for (int i = 0; i < plan->parameter_count; i++)
        count += plan->parameters[i].role == SQ_ROLE_WEIGHT ? plan->parameters[i].count : 0;
    (void)printf("training %s into %s\n", a->arch ? "one path" : "the supernet", a->run);
    sq_print_row("space", "%s: %d layers, %d searched, %.3g paths, %s", space->name, space->layer_count,
                 space->searched_count, paths, sq_text_si(parameters, sizeof parameters, (double)count, " parameters"));
    sq_print_row("images", "%zu to train on, %zu held out, %d classes, %d x %d", sq_dataset_count(s->train),
                 s->held_out ? sq_dataset_count(s->held_out) : 0, space->classes, space->resolution, space->resolution);
    sq_print_row("schedule", "%lld steps of %d images (%.1f epochs), learning rate %g", (long long)o->steps, o->batch,
                 (double)o->steps * o->batch / (double)sq_dataset_count(s->train), o->schedule.base);
    sq_print_row("device", "%s, %s planned", s->backend->ops->name,
                 sq_text_si(memory, sizeof memory, (double)bytes, "B"));
    (void)fflush(stdout);
}

/* Refuses to mix two runs in one folder. */
static sq_status check_folder(const arguments *a)
{
    char path[PATH_BYTES];
    const bool is_resumed = strcmp(a->resume, "auto") == 0;
    if (!is_resumed && strcmp(a->resume, "never") != 0)
        return sq_fail(SQ_INVALID, "--resume %s: wanted auto or never", a->resume);
    if (!sq_text_path(path, sizeof path, a->run, "config.yaml"))
        return sq_fail(SQ_INVALID, "%s: the path is too long", a->run);
    if (sq_path_exists(path) && !is_resumed)
        return sq_fail(SQ_INVALID, "%s: holds a run already; --resume auto continues it, another -o begins a new one",
                       a->run);
    return SQ_OK;
}

/* config.yaml, and arch.json of a single path. */
static sq_status write_config(const sq_session *s, const arguments *a, const int *path)
{
    char file[PATH_BYTES], tuple[1024], text[1200];
    SQ_TRY(sq_folder_make(a->run));
    if (!sq_text_path(file, sizeof file, a->run, "config.yaml"))
        return sq_fail(SQ_INVALID, "%s: the path is too long", a->run);
    SQ_TRY(sq_config_write(s->config, file));
    if (!a->arch)
        return SQ_OK;
    (void)sq_arch_print(s->space, path, tuple, sizeof tuple);
    tuple[0] = '[';
    tuple[strlen(tuple) - 1] = ']';
    const int length = snprintf(text, sizeof text, "{\"arch\": %s}\n", tuple);
    const sq_piece piece = {text, (size_t)length};
    return sq_text_path(file, sizeof file, a->run, "arch.json")
               ? sq_file_replace(file, &piece, 1)
               : sq_fail(SQ_INVALID, "%s: the path is too long", a->run);
}

static sq_status train(const sq_session *s, const sq_space *space, const arguments *a)
{
    char bad_log[PATH_BYTES];
    sq_model *model = NULL;
    const sq_model_options options = {.block = sq_session_block(s, s->config->train.batch, !a->arch),
                                      .is_training = true};
    sq_loader_options loader = sq_session_loader(s, true);
    const sq_train_run run = {.run = a->run, .is_resumed = strcmp(a->resume, "auto") == 0, .is_quiet = a->is_quiet};
    loader.bad_log = sq_text_path(bad_log, sizeof bad_log, a->run, "bad-images.txt") ? bad_log : NULL;
    SQ_TRY(sq_model_create(&model, s->backend, space, &options));
    if (!a->is_quiet)
        print_start(s, space, model, a);
    const sq_status status = sq_train(model, s->train, &loader, &s->config->train, &run);
    sq_model_destroy(model);
    return status;
}

static sq_status run_train(const sq_options *options, const arguments *a)
{
    sq_session s = {0};
    sq_space *single = NULL;
    int path[SQ_MAX_LAYERS] = {0};
    SQ_TRY(check_folder(a));
    SQ_TRY(sq_session_open(&s, options->arguments[0], options->overrides, options->override_count,
                           SQ_OPEN_DATA | SQ_OPEN_BACKEND));
    sq_status status = a->arch ? sq_arch_read(s.space, a->arch, path) : SQ_OK;
    if (status == SQ_OK && a->arch)
        status = sq_space_single(&single, s.space, path);
    if (status == SQ_OK)
        status = write_config(&s, a, path);
    if (status == SQ_OK)
        status = train(&s, single ? single : s.space, a);
    sq_space_free(single);
    sq_session_close(&s);
    return status;
}

/* What could not be decoded, if anything. */
static void print_bad_images(const char *run)
{
    char path[PATH_BYTES], *text = NULL;
    size_t bytes = 0, lines = 0;
    if (!sq_text_path(path, sizeof path, run, "bad-images.txt") || !sq_path_exists(path) ||
        sq_file_read(path, 1 << 28, &text, &bytes) != SQ_OK)
        return;
    for (size_t i = 0; i < bytes; i++)
        lines += text[i] == '\n';
    (void)printf("%zu images could not be decoded and were replaced: %s\n", lines, path);
    free(text);
}

static int run(int argc, char **argv)
{
    arguments a = {.resume = "never"};
    const sq_option options[] = {{"-o", &a.run, NULL, NULL},           {"--out", &a.run, NULL, NULL},
                                 {"--arch", &a.arch, NULL, NULL},      {"--resume", &a.resume, NULL, NULL},
                                 {"--quiet", NULL, &a.is_quiet, NULL}, {NULL, NULL, NULL, NULL}};
    sq_options read;
    bool is_help;
    const int code = sq_options_read(&read, options, argc, argv, &is_help);
    if (code)
        return code;
    if (read.argument_count != 1 || !a.run)
        return sq_command_usage("train", "wanted one configuration and -o RUN");
    const sq_status status = run_train(&read, &a);
    if (status != SQ_OK)
        return sq_command_fail("train", status);
    print_bad_images(a.run);
    if (!a.is_quiet)
        (void)printf("done: %s/last\nnext: squall %s %s\n", a.run, a.arch ? "export" : "search", a.run);
    return 0;
}

const sq_command sq_command_train = {
    .name = "train",
    .summary = "train a supernet, or one path of it",
    .usage = "squall train CONFIG -o RUN [--resume auto] [--arch A] [--set key=value]...",
    .help =
        "Trains the space that CONFIG names on the images that it names, one random path a step, and writes "
        "checkpoints,\n"
        "log.jsonl and the resolved config.yaml into the folder RUN.\n\n"
        "  -o, --out RUN       folder of the run\n"
        "  --resume auto       go on from the newest whole checkpoint of RUN, if there is one; exact to the last bit\n"
        "  --arch A            train only this path, from scratch: a tuple \"(2, 1, 0, ...)\", NNI JSON, or a file of "
        "either\n"
        "  --set key=value     replace one key of CONFIG (squall help config lists them)\n"
        "  --device D          auto, cuda, cuda:N, cpu, reference\n"
        "  --graphs on|off     cuda: programs as CUDA graphs, or plain launches (default on); the same bits\n"
        "  --engine E          cuda: squall (default), vendor: cuDNN and cuBLASLt, auto: the faster for each shape,\n"
        "                      measured once for each GPU; the bits depend on it\n"
        "  --threads N         threads of the device; 0: all cores\n"
        "  --seed N            everything random follows from it\n"
        "  --quiet             no progress line\n\n"
        "SIGINT, SIGTERM, SIGUSR1: the step is finished, a checkpoint written, exit 75.\n",
    .run = run,
};
