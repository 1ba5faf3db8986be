/* squall train */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "tools/commands/commands.h"
#include "tools/run/training.h"

typedef struct {
    const char *run, *arch, *timeline;
    int is_resumed; /* index in "never auto" */
    bool is_quiet;
} arguments;

static const char expected[] = "one configuration and -o RUN";

/* Refuses -o if the path is a file or, unless the training is resumed, a folder that already holds a run. */
static sq_status check_folder(const arguments *a)
{
    struct stat info;
    if (stat(a->run, &info) == 0 && !S_ISDIR(info.st_mode))
        return sq_fail(SQ_INVALID, "-o %s: found a file, expected a folder", a->run);
    return a->is_resumed ? SQ_OK : sq_training_check_free(a->run);
}

/* Checks that the folder of the timeline exists. A timeline in the run's folder is not checked, because training
 * creates that folder. */
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
        return sq_fail(SQ_INVALID, "--timeline %s: found a folder, expected a file", a->timeline);
    (void)snprintf(folder, sizeof folder, "%s", a->timeline);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = 0; /* keeps the "/" of "/file" */
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
    SQ_TRY(sq_ranks_agree(ranks, sq_session_open(&s, options->arguments[0], options, SQ_OPEN_DATA | SQ_OPEN_TRAINING)));
    sq_status status = a->arch ? sq_arch_read(s.space, a->arch, path) : SQ_OK;
    const sq_training_request training = {.run = a->run,
                                          .path = a->arch ? path : NULL,
                                          .is_resumed = a->is_resumed,
                                          .is_quiet = a->is_quiet,
                                          .timeline = a->timeline,
                                          .has_start = !a->is_quiet};
    if (status == SQ_OK)
        status = sq_training_run(&s, &training);
    sq_session_close(&s);
    return sq_ranks_agree(ranks, status);
}

/* Reports images that could not be decoded. */
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

static int run(const sq_options *options, const void *given)
{
    const arguments *a = given;
    sq_ranks *ranks = NULL;
    if (!a->run)
        return sq_command_usage("train", "expected %s", expected);
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

static const sq_option options[] = {SQ_TEXT("-o", run),
                                    SQ_TEXT("--out", run),
                                    SQ_TEXT("--arch", arch),
                                    SQ_WORD("--resume", is_resumed, "never auto"),
                                    SQ_TEXT("--timeline", timeline),
                                    SQ_FLAG("--quiet", is_quiet),
                                    SQ_OPTIONS_END};

const sq_command sq_command_train = {.name = "train",
                                     SQ_ARGUMENTS(.run = NULL),
                                     .has_config = true,
                                     .argument_min = 1,
                                     .argument_max = 1,
                                     .expected = expected,
                                     .run = run,
                                     .works_on_ranks = true};
