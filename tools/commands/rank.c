/* squall rank: compares the order of paths in the supernet with the order of the same paths trained alone. Each
 * training is an ordinary run in its own folder, so that a stopped command can continue. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "search/rank.h"
#include "supernet/train/checkpoint.h"
#include "supernet/train/signals.h"
#include "tools/commands/commands.h"
#include "tools/run/trained_run.h"
#include "tools/run/training.h"

enum { SHARE = 4 }; /* default of --steps: 1/SHARE of the run's steps */

typedef struct {
    const char *alone;
    int is_resumed;      /* index in "never auto" */
    int64_t steps, seed; /* SQ_UNSET: derived from the run */
    int path_count;
    bool on_val, is_quiet;
} arguments;

typedef struct {
    sq_trained_run run;
    const arguments *a;
    const char *folder_of_run;
    sq_rank_facts facts;
    sq_space *space;                /* the supernet's space; borrowed from the session */
    char folder[SQ_PATH_BYTES / 2]; /* contains the runs of the paths */
    char file[SQ_PATH_BYTES];       /* rank.json */
    sq_ranked list[SQ_MAX_RANKED];
    int count;
} ranking;

/* ---- Training one path alone ---- */

/* Changes the number of steps in the run's configuration, scales the warm-up accordingly, and trains one path per
 * step. */
static void set_recipe(sq_config *config, int64_t steps)
{
    sq_train_options *o = &config->train;
    o->schedule.warmup_steps = (int64_t)llround((double)o->schedule.warmup_steps * (double)steps / (double)o->steps);
    o->steps = o->schedule.steps = steps;
    o->sampler.sampling = SQ_SAMPLE_UNIFORM;
    o->sampler.paths = 1;
}

/* Refuses a folder that holds a training of a different path or with a different configuration. */
static sq_status check_folder(const ranking *k, const sq_ranked *r, const char *folder)
{
    char arch[SQ_PATH_BYTES], config_file[SQ_PATH_BYTES];
    int path[SQ_MAX_LAYERS] = {0};
    sq_config *config = NULL;
    SQ_TRY(sq_text_path(arch, sizeof arch, folder, "arch.json"));
    SQ_TRY(sq_text_path(config_file, sizeof config_file, folder, "config.yaml"));
    if (!sq_path_exists(arch))
        return SQ_OK;
    SQ_TRY(sq_arch_read(k->space, arch, path));
    if (memcmp(path, r->path, sizeof path) != 0)
        return sq_fail(SQ_INVALID,
                       "%s: holds the training of a different path; use the same --paths and --seed to continue, or "
                       "--resume=never to start over",
                       folder);
    SQ_TRY(sq_config_read(&config, config_file, NULL, 0));
    const char *key = sq_config_difference(config, k->run.session.config);
    sq_config_free(config);
    return key ? sq_fail(SQ_INVALID,
                         "%s: was started with a different %s; use the same value to continue, or --resume=never to "
                         "start over",
                         folder, key)
               : SQ_OK;
}

static bool is_done(const char *folder, int64_t steps)
{
    char found[SQ_PATH_BYTES];
    int64_t step = 0;
    return sq_checkpoint_find(folder, found, sizeof found, &step, NULL) == SQ_OK && step == steps;
}

static sq_status train_alone(ranking *k, sq_ranked *r, int index)
{
    char folder[SQ_PATH_BYTES];
    (void)snprintf(folder, sizeof folder, "%s/path-%03d", k->folder, index);
    if (!k->a->is_resumed)
        SQ_TRY(sq_path_remove(folder));
    SQ_TRY(check_folder(k, r, folder));
    const sq_training_request training = {
        .run = folder, .path = r->path, .is_resumed = true, .is_quiet = k->a->is_quiet};
    sq_trained_run_unload(&k->run); /* frees the memory of the previous model */
    if (!is_done(folder, k->facts.steps_alone))
        SQ_TRY(sq_training_run(&k->run.session, &training));
    SQ_TRY(sq_trained_run_load(&k->run, folder));
    const int path[SQ_MAX_LAYERS] = {0};
    return sq_rank_measure(&r->alone, k->run.evaluator, path);
}

/* ---- All of them ---- */

static sq_status poll(int done, int count, const char *what)
{
    return sq_signals_received() && done < count
               ? sq_fail(SQ_INTERRUPTED, "%s: %d of %d paths are %s; run the same command to continue",
                         sq_signals_name(), done, count, what)
               : SQ_OK;
}

static sq_status score_in_supernet(ranking *k)
{
    for (int i = 0; i < k->count; i++) {
        SQ_TRY(sq_rank_measure(&k->list[i].supernet, k->run.evaluator, k->list[i].path));
        SQ_TRY(poll(i + 1, k->count, "scored"));
    }
    return SQ_OK;
}

static void print_head(const ranking *k)
{
    (void)printf("%d paths of %s at step %" PRId64 ", each trained alone for %" PRId64 " steps in %s\n", k->count,
                 k->folder_of_run, k->facts.step, k->facts.steps_alone, k->folder);
    sq_print_row("images", "%zu %s, %zu for calibration", k->run.validation.count,
                 k->a->on_val ? "of the test split" : "held out", k->run.calibration.count);
    (void)printf("  %10s %10s %10s %10s  path\n", "M macs", "M params", "supernet", "alone");
    (void)fflush(stdout);
}

static void print_path(const ranking *k, const sq_ranked *r)
{
    char arch[1024];
    (void)sq_arch_print(k->space, r->path, arch, sizeof arch);
    (void)printf("  %10.3f %10.4f %8.2f %% %8.2f %%  %s\n", r->macs, r->parameters, 100 * r->supernet.top1,
                 100 * r->alone.top1, arch);
    (void)fflush(stdout);
}

/* Returns the standard error of one accuracy, sqrt(p (1 - p) / images), where p is the mean accuracy of all paths. */
static double standard_error(const ranking *k, bool is_alone)
{
    double sum = 0;
    for (int i = 0; i < k->count; i++)
        sum += is_alone ? k->list[i].alone.top1 : k->list[i].supernet.top1;
    const double mean = sum / k->count;
    return sqrt(mean * (1 - mean) / (double)k->facts.images);
}

static sq_status print_agreement(const ranking *k)
{
    sq_rank_agreement found;
    SQ_TRY(sq_rank_compare(&found, k->list, k->count));
    if (isnan(found.tau))
        sq_print_row("Kendall tau-b", "none: all %d paths score the same on one side", k->count);
    else
        sq_print_row("Kendall tau-b", "%.3f over %zu pairs; unrelated orders reach it with probability %.3g", found.tau,
                     found.pairs, found.chance);
    if (!isnan(found.spearman))
        sq_print_row("Spearman", "%.3f", found.spearman);
    sq_print_row("standard error", "%.2f %% in the supernet, %.2f %% alone, from the number of images",
                 100 * standard_error(k, false), 100 * standard_error(k, true));
    sq_print_row("file", "%s", k->file);
    return SQ_OK;
}

static sq_status open_ranking(ranking *k)
{
    char own[SQ_PATH_BYTES];
    sq_config *config = k->run.session.config;
    if (k->run.single)
        return sq_fail(SQ_INVALID, "%s: trained one path; there is nothing to rank", k->folder_of_run);
    SQ_TRY(sq_text_path(own, sizeof own, k->folder_of_run, "rank"));
    SQ_TRY(sq_text_path(k->file, sizeof k->file, own, "rank.json"));
    if ((size_t)snprintf(k->folder, sizeof k->folder, "%s", k->a->alone ? k->a->alone : own) >= sizeof k->folder)
        return sq_fail(SQ_INVALID, "%s: the path is too long", k->folder_of_run);
    const int64_t share = config->train.steps / SHARE;
    k->space = k->run.session.space;
    k->count = k->a->path_count;
    k->facts = (sq_rank_facts){.step = k->run.step,
                               .steps_alone = k->a->steps > 0 ? k->a->steps
                                              : share > 0     ? share
                                                              : 1,
                               .seed = (uint64_t)(k->a->seed >= 0 ? k->a->seed : config->seed),
                               .images = k->run.validation.count,
                               .is_test = k->a->on_val};
    SQ_TRY(sq_rank_draw(k->list, k->count, k->space, NULL, k->facts.seed));
    set_recipe(config, k->facts.steps_alone);
    return sq_folder_make(own);
}

static sq_status rank(ranking *k)
{
    SQ_TRY(open_ranking(k));
    print_head(k);
    SQ_TRY(score_in_supernet(k));
    for (int i = 0; i < k->count; i++) {
        SQ_TRY(train_alone(k, &k->list[i], i));
        print_path(k, &k->list[i]);
        SQ_TRY(sq_rank_write(k->file, &k->facts, k->space, k->list, k->count));
        SQ_TRY(poll(i + 1, k->count, "done"));
    }
    return print_agreement(k);
}

/* ---- The command ---- */

static int run(const sq_options *options, const void *given)
{
    const arguments *a = given;
    ranking *k = calloc(1, sizeof *k);
    if (!k)
        return sq_command_fail("rank", sq_fail(SQ_NO_MEMORY, "rank: %d paths", a->path_count));
    k->a = a;
    k->folder_of_run = options->arguments[0];
    sq_status status = sq_trained_run_open(&k->run, k->folder_of_run, NULL, options, a->on_val);
    if (status == SQ_OK)
        status = sq_trained_run_open_evaluator(&k->run);
    if (status == SQ_OK)
        status = rank(k);
    sq_trained_run_close(&k->run);
    free(k);
    return status == SQ_OK ? 0 : sq_command_fail("rank", status);
}

static const sq_option options[] = {SQ_INT("--paths", path_count, 2, SQ_MAX_RANKED),
                                    SQ_LONG("--steps", steps, 1, 1e12),
                                    SQ_LONG("--seed", seed, 0, 1e15),
                                    SQ_TEXT("--alone", alone),
                                    SQ_WORD("--resume", is_resumed, "never auto"),
                                    SQ_FLAG("--on-val", on_val),
                                    SQ_FLAG("--quiet", is_quiet),
                                    SQ_OPTIONS_END};

const sq_command sq_command_rank = {
    .name = "rank",
    SQ_ARGUMENTS(.is_resumed = true, .path_count = 8, .steps = SQ_UNSET, .seed = SQ_UNSET),
    .has_config = true,
    .argument_min = 1,
    .argument_max = 1,
    .expected = "one run",
    .run = run};
