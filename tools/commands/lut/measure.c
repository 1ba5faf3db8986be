/* squall lut measure makes the table of a device; squall lut networks measures whole networks, which test the table. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "search/cost/fit/fit.h"
#include "search/cost/latency_table.h"
#include "tools/commands/lut/meter.h"

enum { ARCH_BYTES = 1024, FEWEST_FOR_A_LINE = 8 };

typedef struct {
    sq_meter_options meter;
    const char *out, *name, *arch, *against, *model;
    int networks;
    bool is_repeat; /* this is the second measurement of lut measure */
} arguments;

/* A space and its measurements. */
typedef struct {
    sq_space *space;
    sq_block_list blocks;
    sq_path_list paths;
    sq_runner_time *times; /* times of the blocks, then of the paths */
    sq_meter_facts facts;
} job;

static void clear(job *j)
{
    free(j->times);
    sq_path_list_clear(&j->paths);
    sq_block_list_clear(&j->blocks);
    sq_space_free(j->space);
}

static sq_status open_job(job *j, const char *file, const arguments *a, bool has_blocks, int networks)
{
    SQ_TRY(sq_lut_space(&j->space, file, &a->meter.shape));
    if (has_blocks)
        SQ_TRY(sq_block_list_make(&j->blocks, j->space));
    SQ_TRY(sq_path_list_draw(&j->paths, j->space, has_blocks ? 0 : 1,
                             networks)); /* tests use different networks from the fit */
    if (a->arch)
        SQ_TRY(sq_arch_read(j->space, a->arch, j->paths.paths[0]));
    j->times = calloc((size_t)(j->blocks.count + j->paths.count) + 1, sizeof *j->times);
    return j->times ? SQ_OK : sq_fail(SQ_NO_MEMORY, "measure: %d times", j->blocks.count + j->paths.count);
}

static void print_start(const job *j, const char *model)
{
    const int blocks = j->blocks.count, networks = j->paths.count;
    if (model) {
        (void)printf("measuring %s\n", model);
        return;
    }
    (void)printf("measuring ");
    if (blocks)
        (void)printf("%d block%s%s", blocks, blocks == 1 ? "" : "s", networks ? " and " : "");
    if (networks)
        (void)printf("%d whole network%s", networks, networks == 1 ? "" : "s");
    (void)printf(" of %s at %d pixels\n", j->space->name, j->space->resolution);
}

static sq_status measure_job(job *j, const arguments *a, const sq_options *options, const sq_runner *default_runner)
{
    const sq_meter_job meter = {j->space, &j->blocks, &j->paths, a->model, default_runner};
    char threads[32];
    SQ_TRY(sq_lut_meter_check(&meter, &a->meter));
    if (!a->is_repeat)
        print_start(j, a->model);
    (void)fflush(stdout);
    SQ_TRY(sq_lut_meter(&meter, &a->meter, options, j->times, &j->facts));
    if (!a->is_repeat)
        sq_print_row("runtime", "%s, batch %d%s", j->facts.runtime, j->facts.batch,
                     sq_lut_threads(threads, sizeof threads, j->facts.threads, j->facts.is_all_threads));
    if (isfinite(j->facts.drift))
        sq_print_row("drift", "%+.1f %% from the first round to the last", 100 * j->facts.drift);
    return SQ_OK;
}

/* Writes a CSV file with the columns arch, ms, std_ms and count, which squall lut calibrate and compare read. */
static sq_status write_networks(const job *j, const char *path)
{
    sq_file_writer w;
    SQ_TRY(sq_file_begin(&w, path));
    (void)fprintf(w.stream, "arch,ms,std_ms,count\n");
    for (int i = 0; i < j->paths.count; i++) {
        const sq_runner_time *t = &j->times[j->blocks.count + i];
        char arch[ARCH_BYTES];
        (void)sq_arch_print(j->space, j->paths.paths[i], arch, sizeof arch);
        (void)fprintf(w.stream, "\"%s\",%.9g,%.6g,%d\n", arch, t->median_ms, t->deviation_ms, t->count);
    }
    return sq_file_finish(&w, path);
}

/* ---- measure ---- */

static void describe(sq_device_info *info, const sq_meter_facts *f, const arguments *a)
{
    const time_t now = time(NULL);
    struct tm date;
    *info = (sq_device_info){.batch = f->batch,
                             .threads = f->threads,
                             .scale = 1,
                             .is_measured = true,
                             .has_runner = f->has_runner,
                             .runner = f->runner};
    (void)snprintf(info->name, sizeof info->name, "%s", a->name ? a->name : f->name);
    (void)snprintf(info->runtime, sizeof info->runtime, "%s", f->runtime);
    (void)snprintf(info->dtype, sizeof info->dtype, "%s", f->dtype);
    (void)snprintf(info->source, sizeof info->source, "squall lut measure");
    if (gmtime_r(&now, &date))
        (void)strftime(info->date, sizeof info->date, "%Y-%m-%d", &date);
}

/* Returns a line with scale 1, whose base is the mean difference. This line is used for few networks or noisy times. */
static sq_line base_alone(const double *predicted, const double *measured, int count)
{
    sq_line line = {.scale = 1};
    for (int i = 0; i < count; i++)
        line.base += (measured[i] - predicted[i]) / count;
    return line;
}

static void apply_line(double *out, const sq_line *line, const double *predicted, int count)
{
    for (int i = 0; i < count; i++)
        out[i] = line->base + line->scale * predicted[i];
}

/* Fits base and scale, or only the base if there are few networks. If the fitted line is implausible, fits only the
 * base, because a search would use the implausible line, and writes the reason to info->doubt. */
static sq_status choose_line(const job *j, const double *predicted, const double *measured, double *lined,
                             sq_device_info *info)
{
    const int count = j->paths.count;
    sq_line line = base_alone(predicted, measured, count);
    sq_quality quality;
    double mean = 0, squares = 0;
    for (int i = 0; i < count; i++)
        mean += measured[i] / count;
    if (count >= FEWEST_FOR_A_LINE && j->space->searched_count)
        SQ_TRY(sq_fit_line(&line, predicted, measured, (size_t)count, true));
    const bool is_noise = sq_line_doubt(info->doubt, sizeof info->doubt, &line, mean, 0);
    if (is_noise)
        line = base_alone(predicted, measured, count);
    apply_line(lined, &line, predicted, count);
    SQ_TRY(sq_fit_quality(&quality, lined, measured, (size_t)count));
    if (!is_noise)
        (void)sq_line_doubt(info->doubt, sizeof info->doubt, &line, mean,
                            quality.mape); /* leaves info->doubt empty if the line is plausible */
    for (int i = 0; i < count; i++)
        squares += pow(lined[i] - measured[i], 2);
    info->base_ms = line.base;
    info->scale = line.scale;
    info->residual_ms = sqrt(squares / (count > 2 ? count - 2 : 1));
    sq_print_row("whole networks",
                 "%d: base %.4f ms, scale %.4f; predicted within %.1f %% on average, %.1f %% at worst", count,
                 line.base, line.scale, quality.mape, fabs(quality.worst_percent));
    return SQ_OK;
}

/* Fits base and scale to the measured networks. */
static sq_status fit_networks(job *j, sq_latency *table)
{
    const int count = j->paths.count;
    if (count == 0)
        return SQ_OK;
    double *predicted = calloc((size_t)count, 3 * sizeof *predicted), *measured = predicted + count;
    sq_latency_cache cache = {0};
    sq_status status = predicted ? sq_latency_prepare(&cache, table, j->space, SQ_FILL_NONE)
                                 : sq_fail(SQ_NO_MEMORY, "measure: %d networks", count);
    for (int i = 0; status == SQ_OK && i < count; i++) {
        predicted[i] = sq_latency_predict(&cache, j->space, j->paths.paths[i]).ms;
        measured[i] = j->times[j->blocks.count + i].median_ms;
    }
    if (status == SQ_OK)
        status = choose_line(j, predicted, measured, measured + count, &table->info);
    sq_latency_cache_clear(&cache);
    free(predicted);
    return status;
}

static sq_status make_table(job *j, const arguments *a, sq_latency *table)
{
    char path[SQ_PATH_BYTES];
    describe(&table->info, &j->facts, a);
    for (int i = 0; i < j->blocks.count; i++) {
        const sq_runner_time *t = &j->times[i];
        sq_block_time time = sq_block_time_of(t->median_ms, t->deviation_ms, t->count);
        time.outliers = t->outlier_count;
        SQ_TRY(sq_latency_add(table, &j->blocks.blocks[i].key, &time));
    }
    SQ_TRY(sq_latency_sort(table, a->out));
    SQ_TRY(fit_networks(j, table));
    SQ_TRY(sq_latency_write(table, a->out));
    if (j->paths.count == 0)
        return SQ_OK;
    SQ_TRY(sq_text_path(path, sizeof path, a->out, "measured.csv"));
    return write_networks(j, path);
}

/* Measures the table and writes it immediately, so that the first table is kept if the second measurement fails. */
static sq_status measure_table(job *j, const arguments *a, const sq_options *options, char *doubt, size_t bytes)
{
    sq_latency *table = NULL;
    sq_status status = sq_latency_create(&table, a->out);
    if (status == SQ_OK)
        status = measure_job(j, a, options, NULL);
    if (status == SQ_OK)
        status = make_table(j, a, table);
    if (status == SQ_OK)
        (void)snprintf(doubt, bytes, "%s", table->info.doubt);
    sq_latency_close(table);
    return status;
}

/* Measures the table. If base and scale are implausible, measures again with twice the rounds before it reports the
 * problem, because the usual cause is a busy machine. */
static sq_status measure(job *j, const char *file, const arguments *a, const sq_options *options)
{
    char doubt[128];
    sq_status status = open_job(j, file, a, true, a->networks);
    if (status == SQ_OK)
        status = measure_table(j, a, options, doubt, sizeof doubt);
    if (status == SQ_OK && *doubt) {
        arguments again = *a;
        again.meter.rounds = 2 * j->facts.rounds;
        again.is_repeat = true;
        sq_print_row("measuring again", "%d rounds: %s", again.meter.rounds, doubt);
        status = measure_table(j, &again, options, doubt, sizeof doubt);
    }
    if (status == SQ_OK)
        sq_print_row("files", "%s/device.yaml, %s/table.csv", a->out, a->out);
    if (status == SQ_OK && *doubt) {
        (void)fflush(stdout);
        (void)fprintf(stderr, "%s: implausible: %s; measure again on an idle machine, with --rounds 30\n", a->out,
                      doubt);
    }
    return status;
}

/* ---- networks ---- */

static sq_status print_against(const job *j, const sq_latency *table)
{
    const sq_runner_time *t = &j->times[0];
    sq_latency_cache cache = {0};
    SQ_TRY(sq_latency_prepare_path(&cache, table, j->space, j->paths.paths[0], SQ_FILL_NONE));
    const sq_prediction p = sq_latency_predict(&cache, j->space, j->paths.paths[0]);
    sq_print_row("predicted latency", "%.3f ms +- %.3f (%+.1f %%)", p.ms, p.deviation_ms,
                 100 * (p.ms / t->median_ms - 1));
    sq_latency_cache_clear(&cache);
    return SQ_OK;
}

static sq_status networks(job *j, const char *file, const arguments *a, const sq_options *options)
{
    const int count = a->arch || a->model ? 1 : a->networks;
    sq_latency *table = NULL;
    sq_status status = open_job(j, file, a, false, count);
    if (status == SQ_OK && a->against)
        status = sq_lut_device(&table, a->against);
    const sq_device_info *info = table ? sq_latency_info(table) : NULL;
    if (status == SQ_OK)
        status = measure_job(j, a, options, info && info->has_runner ? &info->runner : NULL);
    if (status == SQ_OK && (a->arch || a->model))
        sq_print_row("measured latency", "%.3f ms +- %.3f", j->times[0].median_ms, j->times[0].deviation_ms);
    if (status == SQ_OK && a->arch && table)
        status = print_against(j, table);
    if (status == SQ_OK && a->out)
        status = write_networks(j, a->out);
    if (status == SQ_OK && a->out)
        sq_print_row("file", "%s", a->out);
    sq_latency_close(table);
    return status;
}

/* ---- Commands ---- */

/* Reads the number of threads for a runner from --threads. sq_config_read checks the same option later, for
 * measurements by this program. */
static sq_status read_threads(const sq_options *options, int *out)
{
    const char *text = sq_options_find(options, "threads");
    int64_t value;
    if (!text)
        return SQ_OK;
    if (!sq_text_int(text, 0, 1024, &value))
        return sq_fail(SQ_INVALID, "--threads: found '%s', expected a whole number from 0 to 1024", text);
    *out = (int)value;
    return SQ_OK;
}

static int run_job(const char *name, const sq_options *options, const arguments *given,
                   sq_status (*work)(job *, const char *, const arguments *, const sq_options *))
{
    arguments a = *given;
    job *j = calloc(1, sizeof *j);
    sq_status status = j ? read_threads(options, &a.meter.threads) : sq_fail(SQ_NO_MEMORY, "%s", name);
    if (status == SQ_OK)
        status = work(j, options->arguments[0], &a, options);
    if (j)
        clear(j);
    free(j);
    return status == SQ_OK ? 0 : sq_command_fail(name, status);
}

static const char measure_expected[] = "one space file and -o DEVICE";

static int run_measure(const sq_options *options, const void *given)
{
    const arguments *a = given;
    if (!a->out)
        return sq_command_usage("lut measure", "expected %s", measure_expected);
    return run_job("lut measure", options, a, measure);
}

static const char networks_expected[] = "one space file, and -o FILE, --arch A or --model FILE";

static int run_networks(const sq_options *options, const void *given)
{
    const arguments *a = given;
    if (!a->out && !a->arch && !a->model)
        return sq_command_usage("lut networks", "expected %s", networks_expected);
    if (a->model && a->out && !a->arch)
        return sq_command_usage("lut networks", "--model with -o: expected --arch, too; it names the row of the file");
    return run_job("lut networks", options, a, networks);
}

static const sq_option measure_options[] = {SQ_TEXT("-o", out),      SQ_TEXT("--out", out),
                                            SQ_TEXT("--name", name), SQ_INT("--networks", networks, 0, 9999),
                                            SQ_METER_OPTIONS(meter), SQ_OPTIONS_END};
static const sq_option networks_options[] = {SQ_TEXT("-o", out),        SQ_TEXT("--out", out),
                                             SQ_TEXT("--arch", arch),   SQ_TEXT("--against", against),
                                             SQ_TEXT("--model", model), SQ_INT("--count", networks, 1, 9999),
                                             SQ_METER_OPTIONS(meter),   SQ_OPTIONS_END};

const sq_command sq_lut_measure = {.name = "measure",
                                   .options = measure_options,
                                   .defaults = &(const arguments){.meter = SQ_METER_DEFAULTS, .networks = 20},
                                   .arguments_bytes = sizeof(arguments),
                                   .has_config = true,
                                   .argument_min = 1,
                                   .argument_max = 1,
                                   .expected = measure_expected,
                                   .run = run_measure};

const sq_command sq_lut_networks = {.name = "networks",
                                    .options = networks_options,
                                    .defaults = &(const arguments){.meter = SQ_METER_DEFAULTS, .networks = 100},
                                    .arguments_bytes = sizeof(arguments),
                                    .has_config = true,
                                    .argument_min = 1,
                                    .argument_max = 1,
                                    .expected = networks_expected,
                                    .run = run_networks};
