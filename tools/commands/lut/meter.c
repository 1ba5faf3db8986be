/* Measures with this program or with a runner. */
#include "tools/commands/lut/meter.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/loader/cores.h"
#include "kernels/base/clock.h"
#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "kernels/cpu/processor.h"
#include "search/cost/measure/runner_samples.h"
#include "search/cost/measure/runner_yaml.h"
#include "supernet/model/initialize.h"
#include "supernet/model/walk.h"
#include "supernet/train/signals.h"
#include "tools/run/session.h"
#include "tools/run/share_folder.h"

/* ---- Options ---- */

typedef struct {
    int batch, threads, repeats, rounds, warmup, opset;
} numbers;

static void set_number(int *to, int option)
{
    if (option != SQ_UNSET)
        *to = option;
}

/* Replaces the numbers for which options are given. */
static void set_numbers(numbers *n, const sq_meter_options *o)
{
    set_number(&n->batch, o->batch);
    set_number(&n->threads, o->threads);
    set_number(&n->repeats, o->repeats);
    set_number(&n->rounds, o->rounds);
    set_number(&n->warmup, o->warmup);
    set_number(&n->opset, o->opset);
}

static void show_progress(void *context, int done, int total)
{
    (void)context;
    const bool is_terminal = isatty(STDERR_FILENO) == 1;
    if (is_terminal)
        (void)fprintf(stderr, "\rmeasuring %d/%d\033[K%s", done, total, done == total ? "\n" : "");
}

/* ---- This program ---- */

typedef struct {
    const sq_meter_job *job;
    sq_model *model;
    numbers n;
    double *medians;     /* [items * rounds] */
    sq_samples *samples; /* [items] */
} bench;

static sq_status time_path(bench *b, const int *path, int item, int round)
{
    sq_backend *backend = sq_model_backend(b->model);
    sq_samples own = {0};
    sq_status status = SQ_OK;
    for (int i = -b->n.warmup; status == SQ_OK && i < b->n.repeats; i++) {
        const double begin = sq_seconds_now();
        status = sq_model_walk(b->model, path, SQ_EVALUATE);
        if (status == SQ_OK)
            status = backend->ops->wait(backend);
        const double ms = 1e3 * (sq_seconds_now() - begin);
        if (status == SQ_OK && i >= 0)
            status = sq_samples_add(&own, ms);
        if (status == SQ_OK && i >= 0)
            status = sq_samples_add(&b->samples[item], ms);
    }
    if (status == SQ_OK)
        b->medians[item * b->n.rounds + round] = sq_samples_median(&own);
    free(own.values);
    return status;
}

/* Times a block's program alone. The backend warms the program up and returns the median of its runs. */
static sq_status time_block(bench *b, const sq_block_place *block, int item, int round)
{
    double *median = &b->medians[item * b->n.rounds + round];
    SQ_TRY(sq_model_measure(b->model, block->layer, block->choice, b->n.repeats, median));
    return sq_samples_add(&b->samples[item], *median);
}

static sq_status run_rounds(bench *b)
{
    const int blocks = b->job->blocks->count, items = blocks + b->job->paths->count;
    for (int round = 0; round < b->n.rounds; round++)
        for (int i = 0; i < items; i++) {
            const int item =
                round % 2 ? items - 1 - i : i; /* the order alternates, so that no item profits from its position */
            if (sq_signals_received())
                return sq_fail(SQ_INTERRUPTED, "%s: the measurements were not written", sq_signals_name());
            SQ_TRY(item < blocks ? time_block(b, &b->job->blocks->blocks[item], item, round)
                                 : time_path(b, b->job->paths->paths[item - blocks], item, round));
            show_progress(NULL, round * items + i + 1, b->n.rounds * items);
        }
    return SQ_OK;
}

static sq_status run_bench(bench *b, sq_runner_time *times)
{
    const int items = b->job->blocks->count + b->job->paths->count;
    b->medians = calloc((size_t)items * (size_t)b->n.rounds, sizeof *b->medians);
    b->samples = calloc((size_t)items, sizeof *b->samples);
    sq_status status = b->medians && b->samples ? run_rounds(b) : sq_fail(SQ_NO_MEMORY, "measure: %d items", items);
    if (status == SQ_OK)
        status = sq_samples_level_rounds(b->medians, items, b->n.rounds);
    for (int i = 0; status == SQ_OK && i < items; i++) {
        status = sq_samples_summarise(&times[i], &b->samples[i], b->medians + i * b->n.rounds, b->n.rounds);
        if (i < b->job->blocks->count)
            times[i].count = b->n.rounds * b->n.repeats; /* each median is of n.repeats runs */
    }
    for (int i = 0; b->samples && i < items; i++)
        free(b->samples[i].values);
    free(b->samples);
    free(b->medians);
    return status;
}

static void find_threads(const sq_session *s, sq_meter_facts *facts)
{
    sq_cores cores;
    sq_cores_find(&cores, NULL);
    facts->threads = sq_session_threads(s);
    facts->is_all_threads = facts->threads == 0;
    if (facts->is_all_threads)
        facts->threads = cores.count;
}

static sq_status measure_here(const sq_meter_job *job, const numbers *n, sq_session *s, sq_runner_time *times,
                              sq_meter_facts *facts)
{
    bench b = {.job = job, .n = *n};
    char kernels[96];
    const sq_model_options options = {.block = {.batch = n->batch}};
    const sq_step step = {.valid_count = n->batch};
    sq_cpu_describe(kernels, sizeof kernels);
    const bool is_cpu = strcmp(s->backend->ops->name, "cpu") == 0;
    (void)snprintf(facts->name, sizeof facts->name, "%s", s->backend->ops->name);
    (void)snprintf(facts->runtime, sizeof facts->runtime, "squall %s%s%s", s->backend->ops->name, is_cpu ? ", " : "",
                   is_cpu ? kernels : "");
    (void)snprintf(facts->dtype, sizeof facts->dtype, "%s",
                   s->backend->ops->activation == SQ_BF16 ? "bfloat16" : "float32");
    facts->batch = n->batch;
    facts->rounds = n->rounds;
    if (is_cpu)
        find_threads(s, facts);
    facts->drift = NAN;
    sq_status status = sq_model_create(&b.model, s->backend, job->space, &options);
    if (status == SQ_OK)
        status = sq_model_initialize(b.model, 1);
    if (status == SQ_OK)
        status = sq_model_compile(b.model, 1u << SQ_EVALUATE);
    if (status == SQ_OK)
        status = sq_model_set_step(b.model, &step);
    if (status == SQ_OK)
        status = run_bench(&b, times);
    sq_model_destroy(b.model);
    return status;
}

static sq_status measure_with_squall(const sq_meter_job *job, const sq_meter_options *o, const sq_options *options,
                                     sq_runner_time *times, sq_meter_facts *facts)
{
    sq_session s = {0};
    numbers n = {.batch = 1, .repeats = 20, .rounds = 5, .warmup = 1};
    set_numbers(&n, o);
    SQ_TRY(sq_session_open(&s, NULL, options, SQ_OPEN_BACKEND));
    const sq_status status = measure_here(job, &n, &s, times, facts);
    sq_session_close(&s);
    return status;
}

/* ---- Another runtime ---- */

/* Finds the folder that contains measure/. This folder replaces {share} in the command of a runner. */
static bool find_share(char *out, size_t bytes)
{
    static const char *const places[] = {"measure/measuring.py", "tools/measure/measuring.py"};
    for (int i = 0; i < 2; i++)
        if (sq_share_path(out, bytes, places[i])) {
            out[strlen(out) - strlen("/measure/measuring.py")] = 0;
            return true;
        }
    return false;
}

static int is_runner(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot && strcmp(dot, ".yaml") == 0;
}

/* Returns SQ_INVALID with a message that lists the known runners. */
static sq_status fail_unknown(const char *name)
{
    enum { MOST = 32 };
    char shared[SQ_PATH_BYTES], all[512] = "", hint[SQ_TEXT_SUGGESTION];
    const char *words[MOST] = {"squall"};
    struct dirent **files = NULL;
    const int found = scandir(sq_share_find(shared, sizeof shared, "configs/runners"), &files, is_runner, alphasort);
    int count = 1;
    for (int i = 0; i < found && count < MOST; i++) {
        *strrchr(files[i]->d_name, '.') = 0;
        words[count++] = files[i]->d_name;
        const size_t length = strlen(all);
        (void)snprintf(all + length, sizeof all - length, "%s%s", length ? ", " : " (", files[i]->d_name);
    }
    const sq_status status =
        sq_fail(SQ_INVALID, "--runner: found '%s'%s, expected squall, a file, or one of configs/runners%s%s", name,
                sq_text_suggestion(hint, sizeof hint, name, words, count), all, *all ? ")" : "");
    for (int i = 0; i < found; i++)
        free(files[i]);
    free(files);
    return status;
}

/* Reads the runner o->runner, which is a file or a name in configs/runners. If o->runner is NULL, copies the runner of
 * the device. */
static sq_status find_runner(const sq_meter_job *job, const sq_meter_options *o, sq_runner *out)
{
    char name[SQ_PATH_BYTES], shared[SQ_PATH_BYTES];
    if (!o->runner) {
        *out = *job->default_runner;
        return SQ_OK;
    }
    if (sq_path_exists(o->runner))
        return sq_runner_read(out, o->runner);
    if ((size_t)snprintf(name, sizeof name, "configs/runners/%s.yaml", o->runner) >= sizeof name)
        return sq_fail(SQ_INVALID, "--runner: a name of more than %d characters", SQ_PATH_BYTES);
    const char *path = sq_share_find(shared, sizeof shared, name);
    if (!sq_path_exists(path))
        return fail_unknown(o->runner);
    return sq_runner_read(out, path);
}

static size_t item_count(const sq_meter_job *job)
{
    return job->model ? 1 : (size_t)(job->blocks->count + job->paths->count);
}

static sq_status list_files(const sq_meter_job *job, const char *folder, char **names, const char ***files)
{
    const size_t items = item_count(job);
    *names = calloc(items, SQ_PATH_BYTES);
    *files = calloc(items, sizeof **files);
    if (!*names || !*files)
        return sq_fail(SQ_NO_MEMORY, "measure: %zu files", items);
    for (size_t i = 0; i < items; i++) {
        if (job->model) {
            (*files)[i] = job->model;
            continue;
        }
        (*files)[i] = *names + i * SQ_PATH_BYTES;
        SQ_TRY(sq_block_models_name(job->blocks, folder, (int)i, *names + i * SQ_PATH_BYTES, SQ_PATH_BYTES));
    }
    return SQ_OK;
}

static sq_status run_runner(const sq_meter_job *job, const sq_runner *runner, const char *folder, sq_runner_time *times,
                            sq_meter_facts *facts)
{
    char share[SQ_PATH_BYTES], *names = NULL;
    const char **files = NULL;
    sq_runner_report report = {.times = times};
    const sq_runner_options options = {.share = find_share(share, sizeof share) ? share : NULL,
                                       .progress = show_progress};
    sq_status status = list_files(job, folder, &names, &files);
    if (status == SQ_OK)
        status = sq_runner_describe(runner, &options, facts->runtime, sizeof facts->runtime);
    if (status == SQ_OK)
        status = sq_runner_run(runner, files, (int)item_count(job), &options, &report);
    if (status == SQ_OK && report.cores < runner->threads)
        (void)fprintf(stderr, "only %d of %d cores are available: threads share them\n", report.cores, runner->threads);
    facts->drift = report.drift;
    free(names);
    free(files);
    return status;
}

static sq_status write_models(const sq_meter_job *job, const sq_runner *runner, int opset, const char *folder)
{
    const sq_block_models_options options = {
        .batch = runner->batch, .opset = opset, .is_half = strcmp(runner->dtype, "float16") == 0};
    sq_block_models *models = NULL;
    SQ_TRY(sq_block_models_open(&models, job->space, &options));
    const sq_status status = sq_block_models_write_all(models, job->blocks, job->paths, folder);
    sq_block_models_close(models);
    return status;
}

static sq_status measure_with_runner(const sq_meter_job *job, const sq_meter_options *o, sq_runner_time *times,
                                     sq_meter_facts *facts)
{
    static sq_runner runner;
    char scratch[SQ_PATH_BYTES];
    SQ_TRY(find_runner(job, o, &runner));
    numbers n = {runner.batch, runner.threads, runner.repeats, runner.rounds, runner.warmup, 13};
    set_numbers(&n, o);
    runner.batch = n.batch, runner.threads = n.threads, runner.repeats = n.repeats;
    runner.rounds = n.rounds, runner.warmup = n.warmup;
    SQ_TRY(sq_runner_check(&runner, o->runner ? o->runner : "runner"));
    if (!o->keep)
        SQ_TRY(sq_folder_scratch(scratch, sizeof scratch, "squall-models"));
    const char *folder = o->keep ? o->keep : scratch;
    sq_status status = job->model ? SQ_OK : write_models(job, &runner, n.opset, folder);
    if (status == SQ_OK)
        status = run_runner(job, &runner, folder, times, facts);
    if (!o->keep && sq_path_remove(scratch) != SQ_OK)
        (void)fprintf(stderr, "%s\n", sq_error_text());
    (void)snprintf(facts->name, sizeof facts->name, "%.60s", *runner.runtime ? runner.runtime : "runner");
    (void)snprintf(facts->dtype, sizeof facts->dtype, "%s", runner.dtype);
    facts->batch = runner.batch;
    facts->threads = runner.threads;
    facts->rounds = runner.rounds;
    facts->has_runner = true;
    facts->runner = runner;
    return status;
}

static bool is_by_squall(const sq_meter_job *job, const sq_meter_options *o)
{
    return o->runner ? strcmp(o->runner, "squall") == 0 : !job->default_runner;
}

sq_status sq_lut_meter_check(const sq_meter_job *job, const sq_meter_options *o)
{
    static sq_runner runner;
    if (is_by_squall(job, o))
        return job->model ? sq_fail(SQ_INVALID, "--model %s: squall runs no ONNX; give --runner", job->model) : SQ_OK;
    return find_runner(job, o, &runner);
}

sq_status sq_lut_meter(const sq_meter_job *job, const sq_meter_options *o, const sq_options *options,
                       sq_runner_time *times, sq_meter_facts *facts)
{
    memset(facts, 0, sizeof *facts);
    return is_by_squall(job, o) ? measure_with_squall(job, o, options, times, facts)
                                : measure_with_runner(job, o, times, facts);
}
