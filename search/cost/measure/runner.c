/* Measures models with another runtime. The outer loop runs over rounds. The time of a model is the median of its
 * rounds' medians, and the spread of these medians shows how much the machine changed between the rounds. */
#include "search/cost/measure/runner.h"

#include <ctype.h>
#include <math.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "search/cost/measure/argument_vector.h"
#include "search/cost/measure/process.h"
#include "search/cost/measure/runner_samples.h"
#include "search/cost/time_unit.h"

enum { NUMBER_BYTES = 64, MOST_GROUPS = 3 };

static const char *const placeholders[] = {"model",   "stem",  "list",   "folder", "share",
                                           "threads", "batch", "warmup", "repeats"};
enum { PATH_PLACEHOLDERS = 5 };

/* ---- Checking ---- */

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool has(char *const *arguments, const char *placeholder)
{
    for (; *arguments; arguments++)
        if (strstr(*arguments, placeholder))
            return true;
    return false;
}

/* Rejects unknown placeholders, and placeholders of paths inside a shell script, because the shell would interpret
 * special characters in the path. */
static sq_status check_argument(const char *argument, const char *where)
{
    size_t length;
    for (const char *at = argument; (at = sq_argument_vector_placeholder(at, &length)); at += length) {
        size_t i = 0;
        while (i < sizeof placeholders / sizeof *placeholders &&
               (strlen(placeholders[i]) != length - 2 || strncmp(at + 1, placeholders[i], length - 2) != 0))
            i++;
        if (i == sizeof placeholders / sizeof *placeholders)
            return sq_fail(SQ_INVALID,
                           "%s: unknown %.*s, expected {model}, {stem}, {list}, {folder}, {share}, {threads}, "
                           "{batch}, {warmup} or {repeats}",
                           where, (int)length, at);
        if (i < PATH_PLACEHOLDERS && strpbrk(argument, " \t\n;|&$`<>()\"'"))
            return sq_fail(SQ_INVALID, "%s: %.*s inside a script, expected a separate argument; the script calls it $1",
                           where, (int)length, at);
    }
    return SQ_OK;
}

static sq_status check_arguments(const char *text, const char *where, bool is_command)
{
    char **arguments;
    SQ_TRY(sq_argument_vector_split(&arguments, text, where));
    sq_status status = SQ_OK;
    for (char **argument = arguments; status == SQ_OK && *argument; argument++)
        status = check_argument(*argument, where);
    const bool has_list = has(arguments, "{list}"), has_model = has(arguments, "{model}") || has(arguments, "{stem}");
    if (status == SQ_OK && is_command && has_list == has_model)
        status = sq_fail(SQ_INVALID, "%s: %s, expected {model} (or {stem}) or {list}", where,
                         has_list ? "{list} and {model}" : "no {model} and no {list}");
    if (status == SQ_OK && !is_command && (has_list || has_model))
        status = sq_fail(SQ_INVALID, "%s: found {model} or {list}, but this command only describes the runtime", where);
    sq_argument_vector_free(arguments);
    return status;
}

static bool uses_list(const sq_runner *runner)
{
    return strstr(runner->command, "{list}");
}

/* Compiles the pattern and checks its number of groups. The caller frees *regex. */
static sq_status compile(regex_t *regex, const sq_runner *runner, const char *where)
{
    const size_t wanted = uses_list(runner) ? 2 : 1;
    const int error = regcomp(regex, runner->pattern, REG_EXTENDED | REG_NEWLINE);
    if (error) {
        char reason[128];
        (void)regerror(error, regex, reason, sizeof reason);
        return sq_fail(SQ_INVALID, "%s: pattern '%s': %s", where, runner->pattern, reason);
    }
    const size_t found = regex->re_nsub;
    if (found == wanted)
        return SQ_OK;
    regfree(regex);
    return sq_fail(SQ_INVALID, "%s: pattern '%s' has %zu groups, expected %s", where, runner->pattern, found,
                   wanted == 2 ? "2: the model's file name and the time" : "1: the time");
}

sq_status sq_runner_check(const sq_runner *runner, const char *where)
{
    const struct {
        const char *name;
        int value, least, most;
    } ranges[] = {{"warmup", runner->warmup, 0, 1000000},
                  {"repeats", runner->repeats, 1, 1000000},
                  {"rounds", runner->rounds, 2, 1000},
                  {"threads", runner->threads, 0, 4096},
                  {"batch", runner->batch, 1, 65536}};
    regex_t regex;
    SQ_TRY(check_arguments(runner->command, where, true));
    if (runner->info[0])
        SQ_TRY(check_arguments(runner->info, where, false));
    SQ_TRY(compile(&regex, runner, where));
    regfree(&regex);
    if (sq_time_unit_ms(runner->unit) <= 0)
        return sq_fail(SQ_INVALID, "%s: unit '%s', expected " SQ_TIME_UNIT_WORDS, where, runner->unit);
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (ranges[i].value < ranges[i].least || ranges[i].value > ranges[i].most)
            return sq_fail(SQ_INVALID, "%s: %s %d, expected %d to %d", where, ranges[i].name, ranges[i].value,
                           ranges[i].least, ranges[i].most);
    if (!(runner->time_limit_seconds > 0) || runner->time_limit_seconds > 1e6)
        return sq_fail(SQ_INVALID, "%s: time_limit_seconds %g, expected a number above 0 and at most 1e6", where,
                       runner->time_limit_seconds);
    return SQ_OK;
}

/* ---- One start ---- */

typedef struct {
    const sq_runner *runner;
    const sq_runner_options *options;
    const char *const *models;
    int model_count, done, cores;
    regex_t regex;
    char **arguments; /* of the command, with placeholders */
    char folder[SQ_PATH_BYTES];
    bool owns_folder;
    const char *where; /* the runner's name in messages */
    sq_samples *all;   /* [model] */
    sq_samples *fresh; /* [model], samples of the current run of the command */
    double *medians;   /* [model][round] */
} job;

/* Holds the values of the placeholders for paths. */
typedef struct {
    const char *share, *folder, *path; /* path: path of the model or of the list */
} place_values;

static sq_status fill(char ***out, char *const *arguments, const sq_runner *runner, const place_values *places)
{
    const char *path = places->path;
    char numbers[4][NUMBER_BYTES], stem[SQ_PATH_BYTES];
    const int given[] = {runner->threads, runner->batch, runner->warmup, runner->repeats};
    for (int i = 0; i < 4; i++)
        (void)snprintf(numbers[i], NUMBER_BYTES, "%d", given[i]);
    (void)snprintf(stem, sizeof stem, "%s", path);
    char *dot = strrchr(base_of(stem) == stem ? stem : strrchr(stem, '/'), '.');
    if (dot)
        *dot = 0;
    const sq_argument_value values[] = {{"model", path},          {"stem", stem},
                                        {"list", path},           {"folder", places->folder},
                                        {"share", places->share}, {"threads", numbers[0]},
                                        {"batch", numbers[1]},    {"warmup", numbers[2]},
                                        {"repeats", numbers[3]},  {NULL, NULL}};
    return sq_argument_vector_fill(out, arguments, values);
}

/* Converts a matched time to milliseconds. */
static sq_status read_time(double *out, const job *j, const char *name, const char *text, regmatch_t where)
{
    char number[NUMBER_BYTES], *end;
    const size_t length = (size_t)(where.rm_eo - where.rm_so);
    (void)snprintf(number, sizeof number, "%.*s", length < NUMBER_BYTES ? (int)length : NUMBER_BYTES - 1,
                   text + where.rm_so);
    const double value = strtod(number, &end) * sq_time_unit_ms(j->runner->unit);
    if (end == number || *end || length >= NUMBER_BYTES)
        return sq_fail(SQ_DEVICE, "%s: the pattern found '%s' as the time, expected a number", name, number);
    if (!isfinite(value) || value <= 0)
        return sq_fail(SQ_DEVICE, "%s: a time of %s %s, expected a finite number above 0", name, number,
                       j->runner->unit);
    *out = value;
    return SQ_OK;
}

static sq_status find_model(int *out, const job *j, const char *name, const char *text, regmatch_t where)
{
    const size_t length = (size_t)(where.rm_eo - where.rm_so);
    for (int i = 0; i < j->model_count; i++) {
        const char *base = base_of(j->models[i]);
        if (strlen(base) == length && strncmp(base, text + where.rm_so, length) == 0) {
            *out = i;
            return SQ_OK;
        }
    }
    return sq_fail(SQ_DEVICE, "%s: found a time for '%.*s', which is not in the list of models", name,
                   length < 200 ? (int)length : 200, text + where.rm_so);
}

/* Adds every match of the pattern in the output as a sample of `model`. If model < 0, the first group of each match
 * names the model. */
static sq_status scan(job *j, const char *name, int model, const sq_process_output *output)
{
    regmatch_t found[MOST_GROUPS];
    size_t at = 0;
    while (at <= output->bytes) {
        const bool is_inside = at && output->text[at - 1] != '\n';
        double time = 0;
        int owner = model;
        found[0] = (regmatch_t){.rm_so = (regoff_t)at, .rm_eo = (regoff_t)output->bytes};
        if (regexec(&j->regex, output->text, MOST_GROUPS, found, REG_STARTEND | (is_inside ? REG_NOTBOL : 0)) != 0)
            break;
        if (model < 0)
            SQ_TRY(find_model(&owner, j, name, output->text, found[1]));
        SQ_TRY(read_time(&time, j, name, output->text, found[model < 0 ? 2 : 1]));
        SQ_TRY(sq_samples_add(&j->fresh[owner], time));
        at = (size_t)found[0].rm_eo + (found[0].rm_eo == found[0].rm_so);
    }
    return SQ_OK;
}

static sq_status report_missing(const job *j, const char *name, int model, const sq_process_output *output)
{
    char line[200];
    (void)sq_process_last_line(line, sizeof line, output->text);
    return sq_fail(SQ_DEVICE, "%s: no time%s%s in its output%s; pattern '%s', last line '%s'", name,
                   uses_list(j->runner) ? " of " : "", uses_list(j->runner) ? base_of(j->models[model]) : "",
                   output->is_cut ? " (only its end is stored)" : "", j->runner->pattern, line);
}

/* Runs the command once and stores the samples in j->fresh. model >= 0: `path` is this model; model < 0: `path` is the
 * list of all models. */
static sq_status start(job *j, int model, const char *path)
{
    char name[SQ_PATH_BYTES], **arguments = NULL;
    sq_process_output output = {.text = NULL};
    const int first = model < 0 ? 0 : model, last = model < 0 ? j->model_count - 1 : model;
    (void)snprintf(name, sizeof name, "%s: %s", j->where, model < 0 ? "all models" : base_of(path));
    for (int i = first; i <= last; i++)
        j->fresh[i].count = 0;
    SQ_TRY(fill(&arguments, j->arguments, j->runner, &(place_values){j->options->share, j->folder, path}));
    sq_status status = sq_process_run(&output, &(sq_process_options){.name = name,
                                                                     .arguments = arguments,
                                                                     .core_count = j->runner->threads,
                                                                     .limit_seconds = j->runner->time_limit_seconds});
    if (status == SQ_OK)
        status = scan(j, name, model, &output);
    for (int i = first; status == SQ_OK && i <= last; i++)
        if (!j->fresh[i].count)
            status = report_missing(j, name, i, &output);
    if (status == SQ_OK)
        j->cores = output.cores;
    sq_process_clear(&output);
    sq_argument_vector_free(arguments);
    return status;
}

/* ---- Rounds ---- */

static sq_status keep(job *j, int model, int round)
{
    j->medians[model * j->runner->rounds + round] = sq_samples_median(&j->fresh[model]);
    for (int i = 0; i < j->fresh[model].count; i++)
        SQ_TRY(sq_samples_add(&j->all[model], j->fresh[model].values[i]));
    return SQ_OK;
}

static void step(job *j)
{
    const bool is_list = uses_list(j->runner);
    j->done++;
    if (j->options->progress)
        j->options->progress(j->options->context, j->done,
                             is_list ? j->runner->rounds : j->runner->rounds * j->model_count + 1);
}

static sq_status write_list(const job *j, const char *path, int round)
{
    size_t bytes = 0, used = 0;
    for (int i = 0; i < j->model_count; i++)
        bytes += strlen(j->models[i]) + 1;
    char *text = malloc(bytes + 1);
    if (!text)
        return sq_fail(SQ_NO_MEMORY, "%s: %zu bytes", path, bytes);
    for (int i = 0; i < j->model_count; i++)
        used += (size_t)sprintf(text + used, "%s\n", j->models[round % 2 ? j->model_count - 1 - i : i]);
    const sq_status status = sq_file_replace(path, &(sq_piece){text, used}, 1);
    free(text);
    return status;
}

/* Sets *drift to the median over the models of (last round / first round), minus 1. The median is used because single
 * models may have been disturbed. */
static sq_status find_drift(const job *j, double *drift)
{
    const int rounds = j->runner->rounds;
    sq_samples ratios = {0};
    sq_status status = SQ_OK;
    for (int i = 0; status == SQ_OK && i < j->model_count; i++)
        status = sq_samples_add(&ratios, j->medians[i * rounds + rounds - 1] / j->medians[i * rounds]);
    if (status == SQ_OK)
        *drift = sq_samples_median(&ratios) - 1;
    free(ratios.values);
    return status;
}

static sq_status run_list(job *j, double *drift)
{
    char path[SQ_PATH_BYTES + 16];
    const int rounds = j->runner->rounds;
    (void)snprintf(path, sizeof path, "%s/models.txt", j->folder);
    for (int round = 0; round < rounds; round++) {
        SQ_TRY(write_list(j, path, round));
        SQ_TRY(start(j, -1, path));
        for (int i = 0; i < j->model_count; i++)
            SQ_TRY(keep(j, i, round));
        step(j);
    }
    return find_drift(j, drift);
}

static sq_status run_models(job *j, double *drift)
{
    for (int round = 0; round < j->runner->rounds; round++)
        for (int i = 0; i < j->model_count; i++) {
            const int model = round % 2 ? j->model_count - 1 - i : i;
            SQ_TRY(start(j, model, j->models[model]));
            SQ_TRY(keep(j, model, round));
            step(j);
        }
    SQ_TRY(start(j, 0, j->models[0]));
    step(j);
    *drift = sq_samples_median(&j->fresh[0]) / j->medians[0] - 1;
    return SQ_OK;
}

/* ---- The job ---- */

static sq_status check_models(const job *j)
{
    const bool is_list = uses_list(j->runner);
    if (j->model_count < 1)
        return sq_fail(SQ_INVALID, "%s: no models to measure", j->where);
    for (int i = 0; i < j->model_count; i++) {
        if (strlen(j->models[i]) >= SQ_PATH_BYTES)
            return sq_fail(SQ_INVALID, "%s: a model's path of %zu bytes", j->where, strlen(j->models[i]));
        if (is_list && strpbrk(j->models[i], "\r\n"))
            return sq_fail(SQ_INVALID, "%s: model %d of the list has a line end in its path", j->where, i);
        for (int k = 0; is_list && k < i; k++)
            if (strcmp(base_of(j->models[i]), base_of(j->models[k])) == 0)
                return sq_fail(SQ_INVALID, "%s: two models are called '%s', expected different file names", j->where,
                               base_of(j->models[i]));
    }
    return SQ_OK;
}

static sq_status check_share(const char *command, const sq_runner_options *options, const char *where)
{
    if (!options->share && strstr(command, "{share}"))
        return sq_fail(SQ_INVALID, "%s: found {share}, but Squall's data files are missing", where);
    return SQ_OK;
}

static sq_status open_folder(job *j)
{
    if (j->options->folder) {
        (void)snprintf(j->folder, sizeof j->folder, "%s", j->options->folder);
        return SQ_OK;
    }
    SQ_TRY(sq_folder_scratch(j->folder, sizeof j->folder, "squall-runner"));
    j->owns_folder = true;
    return SQ_OK;
}

static sq_status open_job(job *j)
{
    const size_t count = (size_t)j->model_count;
    SQ_TRY(open_folder(j));
    j->all = calloc(count, sizeof *j->all);
    j->fresh = calloc(count, sizeof *j->fresh);
    j->medians = calloc(count * (size_t)j->runner->rounds, sizeof *j->medians);
    if (!j->all || !j->fresh || !j->medians)
        return sq_fail(SQ_NO_MEMORY, "%s: times of %zu models", j->where, count);
    return sq_argument_vector_split(&j->arguments, j->runner->command, j->where);
}

static sq_status close_job(job *j, sq_status status)
{
    for (int i = 0; i < j->model_count; i++) {
        if (j->all)
            free(j->all[i].values);
        if (j->fresh)
            free(j->fresh[i].values);
    }
    free(j->all);
    free(j->fresh);
    free(j->medians);
    sq_argument_vector_free(j->arguments);
    regfree(&j->regex);
    if (!j->owns_folder)
        return status;
    char text[512];
    (void)snprintf(text, sizeof text, "%s", sq_error_text());
    const sq_status removed = sq_path_remove(j->folder);
    return status == SQ_OK ? removed : sq_fail(status, "%s", text); /* the earlier failure is reported */
}

static const char *name_of(const sq_runner *runner)
{
    return runner->runtime[0] ? runner->runtime : "runner";
}

sq_status sq_runner_run(const sq_runner *runner, const char *const *models, int count, const sq_runner_options *options,
                        sq_runner_report *out)
{
    static const sq_runner_options none;
    job j = {.runner = runner,
             .options = options ? options : &none,
             .models = models,
             .model_count = count,
             .where = name_of(runner)};
    double drift = 0;
    SQ_TRY(sq_runner_check(runner, j.where));
    SQ_TRY(check_models(&j));
    SQ_TRY(check_share(runner->command, j.options, j.where));
    SQ_TRY(compile(&j.regex, runner, j.where));
    sq_status status = open_job(&j);
    if (status == SQ_OK)
        status = uses_list(runner) ? run_list(&j, &drift) : run_models(&j, &drift);
    if (status == SQ_OK)
        status = sq_samples_level_rounds(j.medians, count, runner->rounds);
    for (int i = 0; status == SQ_OK && i < count; i++)
        status = sq_samples_summarise(&out->times[i], &j.all[i], j.medians + i * runner->rounds, runner->rounds);
    if (status == SQ_OK) {
        out->drift = drift;
        out->cores = j.cores;
    }
    return close_job(&j, status);
}

/* ---- Description of the runtime ---- */

/* Copies the rest of the first line that begins with `key`, without leading blanks; "" if no line does. */
static void value_after(char *value, size_t bytes, const char *text, const char *key)
{
    value[0] = 0;
    for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, key, strlen(key)) == 0) {
            const char *start = line + strlen(key);
            start += strspn(start, " \t");
            (void)snprintf(value, bytes, "%.*s", (int)strcspn(start, "\r\n"), start);
            return;
        }
}

sq_status sq_runner_describe(const sq_runner *runner, const sq_runner_options *options, char *text, size_t bytes)
{
    static const sq_runner_options none;
    char **arguments = NULL, **filled = NULL, name[64], version[64], device[96];
    sq_process_output output = {.text = NULL};
    options = options ? options : &none;
    if (!runner->info[0]) {
        (void)snprintf(text, bytes, "%s", runner->runtime);
        return SQ_OK;
    }
    SQ_TRY(sq_runner_check(runner, name_of(runner)));
    SQ_TRY(check_share(runner->info, options, name_of(runner)));
    SQ_TRY(sq_argument_vector_split(&arguments, runner->info, name_of(runner)));
    sq_status status = fill(&filled, arguments, runner,
                            &(place_values){options->share, options->folder ? options->folder : "/tmp", ""});
    if (status == SQ_OK)
        status = sq_process_run(&output, &(sq_process_options){.name = name_of(runner),
                                                               .arguments = filled,
                                                               .core_count = runner->threads,
                                                               .limit_seconds = runner->time_limit_seconds});
    if (status == SQ_OK) {
        value_after(name, sizeof name, output.text, "runtime:");
        value_after(version, sizeof version, output.text, "version:");
        value_after(device, sizeof device, output.text, "device:");
        (void)snprintf(text, bytes, "%s%s%s%s%s", name[0] ? name : runner->runtime, version[0] ? " " : "", version,
                       device[0] ? ", " : "", device);
    }
    sq_process_clear(&output);
    sq_argument_vector_free(filled);
    sq_argument_vector_free(arguments);
    return status;
}
