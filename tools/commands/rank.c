/* squall rank: every path is an ordinary run in a folder of its own, so what was killed goes on where it was. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "search/rank.h"
#include "supernet/train/checkpoint.h"
#include "supernet/train/signals.h"
#include "tools/commands/command.h"
#include "tools/run/training.h"
#include "tools/run/trained_run.h"

enum { SHARE = 4 }; /* without --steps: a quarter of the run's */

typedef struct {
    const char *run, *alone, *resume;
    const char *paths_text, *steps_text, *seed_text;
    bool on_val, is_quiet;
    int path_count;
    int64_t steps, seed;
} arguments;

typedef struct {
    sq_trained_run run;
    const arguments *a;
    sq_rank_facts facts;
    sq_space *space;                /* the supernet's: the session's */
    char folder[SQ_PATH_BYTES / 2]; /* of the paths' runs */
    char file[SQ_PATH_BYTES];       /* the report */
    sq_ranked list[SQ_MAX_RANKED];
    int count;
} ranking;

/* ---- Training one path alone ---- */

/* The run's recipe for another number of steps: a schedule of the same shape, and nothing to sample. */
static void set_recipe(sq_config *config, int64_t steps)
{
    sq_train_options *o = &config->train;
    o->schedule.warmup_steps = (int64_t)llround((double)o->schedule.warmup_steps * (double)steps / (double)o->steps);
    o->steps = o->schedule.steps = steps;
    o->sampler.sampling = SQ_SAMPLE_UNIFORM;
    o->sampler.paths = 1;
}

/* What lies in the folder must be a training of this path by this recipe. */
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
                       "%s: trains another path; the same --paths and --seed go on, --resume never begins anew",
                       folder);
    SQ_TRY(sq_config_read(&config, config_file, NULL, 0));
    const char *key = sq_config_difference(config, k->run.session.config);
    sq_config_free(config);
    return key ? sq_fail(SQ_INVALID,
                         "%s: was begun with another %s; the same value goes on, --resume never begins anew", folder,
                         key)
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
    if (strcmp(k->a->resume, "never") == 0)
        SQ_TRY(sq_path_remove(folder));
    SQ_TRY(check_folder(k, r, folder));
    const sq_training_request training = {.run = folder, .path = r->path, .is_resumed = true, .is_quiet = k->a->is_quiet};
    sq_trained_run_unload(&k->run); /* its memory */
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
               ? sq_fail(SQ_INTERRUPTED, "%s: %d of %d paths are %s; the same command goes on", sq_signals_name(), done,
                         count, what)
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
                 k->a->run, k->facts.step, k->facts.steps_alone, k->folder);
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

/* What chance alone does to one score: the deviation of a share of so many images, at the mean of all paths. */
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
    sq_print_row("standard error", "%.2f %% in the supernet, %.2f %% alone: of one score, by the number of images",
                 100 * standard_error(k, false), 100 * standard_error(k, true));
    sq_print_row("file", "%s", k->file);
    return SQ_OK;
}

static sq_status open_ranking(ranking *k)
{
    char own[SQ_PATH_BYTES];
    sq_config *config = k->run.session.config;
    if (k->run.single)
        return sq_fail(SQ_INVALID, "%s: trained one path; there is nothing to rank", k->a->run);
    SQ_TRY(sq_text_path(own, sizeof own, k->a->run, "rank"));
    SQ_TRY(sq_text_path(k->file, sizeof k->file, own, "rank.json"));
    if ((size_t)snprintf(k->folder, sizeof k->folder, "%s", k->a->alone ? k->a->alone : own) >= sizeof k->folder)
        return sq_fail(SQ_INVALID, "%s: the path is too long", k->a->run);
    const int64_t share = config->train.steps / SHARE;
    k->space = k->run.session.space;
    k->count = k->a->path_count;
    k->facts = (sq_rank_facts){.step = k->run.step,
                               .steps_alone = k->a->steps ? k->a->steps
                                              : share > 0 ? share
                                                          : 1,
                               .seed = (uint64_t)(k->a->seed_text ? k->a->seed : config->seed),
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

static int read_numbers(arguments *a)
{
    a->path_count = 8;
    if (a->paths_text) {
        const int code = sq_options_number("rank", "--paths", a->paths_text, 2, SQ_MAX_RANKED, &a->path_count);
        if (code)
            return code;
    }
    if (a->steps_text && !sq_text_int(a->steps_text, 1, INT64_C(1000000000000), &a->steps))
        return sq_command_usage("rank", "--steps: '%s', wanted a whole number above 0", a->steps_text);
    if (a->seed_text && !sq_text_int(a->seed_text, 0, INT64_C(1000000000000000), &a->seed))
        return sq_command_usage("rank", "--seed: '%s', wanted a whole number from 0 on", a->seed_text);
    if (strcmp(a->resume, "auto") != 0 && strcmp(a->resume, "never") != 0)
        return sq_command_usage("rank", "--resume %s: wanted auto or never", a->resume);
    return 0;
}

static int run(int argc, char **argv)
{
    static sq_options read; /* large, like the ranking; the program runs one command */
    static ranking k;
    arguments a = {.resume = "auto"};
    const sq_option options[] = {{"--paths", &a.paths_text, NULL, NULL}, {"--steps", &a.steps_text, NULL, NULL},
                                 {"--seed", &a.seed_text, NULL, NULL},   {"--alone", &a.alone, NULL, NULL},
                                 {"--resume", &a.resume, NULL, NULL},    {"--on-val", NULL, &a.on_val, NULL},
                                 {"--quiet", NULL, &a.is_quiet, NULL},   {NULL, NULL, NULL, NULL}};
    bool is_help;
    int code = sq_options_read(&read, options, argc, argv, &is_help);
    if (code)
        return code;
    if (read.argument_count != 1)
        return sq_command_usage("rank", "wanted one run");
    a.run = read.arguments[0];
    code = read_numbers(&a);
    if (code)
        return code;
    k.a = &a;
    sq_status status = sq_trained_run_open(&k.run, a.run, NULL, &read, a.on_val);
    if (status == SQ_OK)
        status = sq_trained_run_open_evaluator(&k.run);
    if (status == SQ_OK)
        status = rank(&k);
    sq_trained_run_close(&k.run);
    return status == SQ_OK ? 0 : sq_command_fail("rank", status);
}

const sq_command sq_command_rank = {
    .name = "rank",
    .summary = "does the supernet order paths as training them alone does",
    .usage = "squall rank RUN [--paths N] [--steps S] [--seed K]",
    .help =
        "Draws paths of the supernet in RUN, spread over their costs, and scores each twice on images held out from "
        "training, after\n"
        "calibrating its batch norm: with the supernet's weights, and trained alone from scratch by the run's recipe. "
        "Kendall's\n"
        "tau-b between both orders says how far a search on this supernet can be trusted: 1 the same order, 0 "
        "unrelated.\n\n"
        "  --paths N        how many paths (default 8, up to 100)\n"
        "  --steps S        steps of each training, the schedule scaled to them (default a quarter of the run's)\n"
        "  --seed K         which paths are drawn (default the run's seed); they are trained with the run's seed\n"
        "  --alone FOLDER   where the trainings are (default RUN/rank): another supernet of the same recipe, trained "
        "with another\n"
        "                   sampler, is then held against the same trainings\n"
        "  --resume never   train every path anew (default: auto)\n"
        "  --on-val         score on the test split instead of the held-out images\n"
        "  --set key=value  replace one key; --device, --graphs, --engine, --threads as in train\n"
        "  --quiet          no progress line\n\n"
        "Each path is an ordinary run, RUN/rank/path-000 and so on; what was killed goes on where it was. Writes "
        "RUN/rank/rank.json.\n",
    .run = run,
};
