/* squall train */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "tools/commands/command.h"
#include "tools/run/training.h"

typedef struct {
    const char *run, *arch, *resume, *timeline;
    bool is_quiet;
} arguments;

/* Refuses to mix two runs in one folder. */
static sq_status check_folder(const arguments *a)
{
    struct stat info;
    const bool is_resumed = strcmp(a->resume, "auto") == 0;
    if (!is_resumed && strcmp(a->resume, "never") != 0)
        return sq_fail(SQ_INVALID, "--resume %s: wanted auto or never", a->resume);
    if (stat(a->run, &info) == 0 && !S_ISDIR(info.st_mode))
        return sq_fail(SQ_INVALID, "-o %s: a file, wanted a folder", a->run);
    return is_resumed ? SQ_OK : sq_training_check_free(a->run);
}

/* The folder of the timeline is there, or is the run's, which comes. */
static sq_status check_timeline(const arguments *a)
{
    char folder[SQ_PATH_BYTES];
    struct stat info;
    size_t length = strlen(a->run);
    while (length > 1 && a->run[length - 1] == '/')
        length--;
    if (!a->timeline || (strncmp(a->timeline, a->run, length) == 0 && a->timeline[length] == '/'))
        return SQ_OK;
    if (stat(a->timeline, &info) == 0 && S_ISDIR(info.st_mode))
        return sq_fail(SQ_INVALID, "--timeline %s: a folder, wanted a file", a->timeline);
    (void)snprintf(folder, sizeof folder, "%s", a->timeline);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = 0; /* of "/file": "/" */
    return access(slash ? folder : ".", W_OK) == 0
               ? SQ_OK
               : sq_fail(SQ_INVALID, "--timeline %s: %s", a->timeline, strerror(errno));
}

static sq_status check_first(const arguments *a)
{
    SQ_TRY(check_folder(a));
    return check_timeline(a);
}

static sq_status train(const sq_options *options, const arguments *a, sq_ranks *ranks)
{
    sq_session s = {.ranks = ranks};
    int path[SQ_MAX_LAYERS] = {0};
    SQ_TRY(sq_ranks_agree(ranks, sq_ranks_rank(ranks) == 0 ? check_first(a) : SQ_OK));
    SQ_TRY(sq_ranks_agree(ranks, sq_session_open(&s, options->arguments[0], options->overrides, options->override_count,
                                                 SQ_OPEN_DATA | SQ_OPEN_TRAINING)));
    sq_status status = a->arch ? sq_arch_read(s.space, a->arch, path) : SQ_OK;
    const sq_training_request training = {.run = a->run,
                                  .path = a->arch ? path : NULL,
                                  .is_resumed = strcmp(a->resume, "auto") == 0,
                                  .is_quiet = a->is_quiet,
                                  .timeline = a->timeline,
                                  .has_start = !a->is_quiet};
    if (status == SQ_OK)
        status = sq_training_run(&s, &training);
    sq_session_close(&s);
    return sq_ranks_agree(ranks, status);
}

/* What could not be decoded, if anything. */
static void print_bad_images(const char *run)
{
    char path[SQ_PATH_BYTES], *text = NULL;
    size_t bytes = 0, lines = 0;
    if (!sq_path_find(path, sizeof path, run, "bad-images.txt") || sq_file_read(path, 1 << 28, &text, &bytes) != SQ_OK)
        return;
    for (size_t i = 0; i < bytes; i++)
        lines += text[i] == '\n';
    (void)printf("%zu images could not be decoded and were replaced: %s\n", lines, path);
    free(text);
}

static int run_train(const sq_options *options, const arguments *a)
{
    sq_ranks *ranks = NULL;
    sq_status status = sq_session_join(&ranks, options);
    if (status != SQ_OK)
        return sq_command_fail("train", status);
    status = train(options, a, ranks);
    if (status == SQ_OK && sq_ranks_rank(ranks) == 0) {
        print_bad_images(a->run);
        if (!a->is_quiet)
            (void)printf("done: %s/last\nnext: squall %s %s\n", a->run, a->arch ? "export" : "search", a->run);
    }
    return sq_session_leave("train", ranks, status);
}

static int run(int argc, char **argv)
{
    arguments a = {.resume = "never"};
    const sq_option options[] = {{"-o", &a.run, NULL, NULL},
                                 {"--out", &a.run, NULL, NULL},
                                 {"--arch", &a.arch, NULL, NULL},
                                 {"--resume", &a.resume, NULL, NULL},
                                 {"--timeline", &a.timeline, NULL, NULL},
                                 {"--quiet", NULL, &a.is_quiet, NULL},
                                 {NULL, NULL, NULL, NULL}};
    sq_options read;
    bool is_help;
    const int code = sq_options_read(&read, options, argc, argv, &is_help);
    if (code)
        return code;
    if (read.argument_count != 1 || !a.run)
        return sq_command_usage("train", "wanted one configuration and -o RUN");
    return run_train(&read, &a);
}

const sq_command sq_command_train = {
    .name = "train",
    .summary = "train a supernet, or one path of it",
    .usage = "squall train CONFIG -o RUN [--resume auto] [--arch A] [--set key=value]...",
    .help =
        "Trains the space that CONFIG names on the images that it names, one random path a step (or several: "
        "train.paths,\n"
        "train.sampler), and writes checkpoints, log.jsonl and the resolved config.yaml into the folder RUN.\n\n"
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
        "  --timeline FILE     what each process did when in the first train.timeline_steps steps, for "
        "chrome://tracing\n"
        "  --quiet             no progress line\n\n"
        "mpirun -n N squall train ..., srun squall train ...: N processes, each with its share of a step's images.\n"
        "SIGINT, SIGTERM, SIGUSR1: the step is finished, a checkpoint written, exit 75.\n",
    .run = run,
    .works_in_several = true,
};
