/* squall lut measure: a latency table of this machine, from the same evaluate programs that search and export run. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/base/clock.h"
#include "kernels/base/text.h"
#include "kernels/cpu/cpu_kernels.h"
#include "search/block_list.h"
#include "search/latency_table.h"
#include "supernet/interrupt.h"
#include "tools/lut.h"
#include "tools/share.h"

enum { ROUNDS = 5, CHECK_PATHS = 6 };

typedef struct {
    const char *arch, *out, *batch, *repeats, *resolution, *classes, *name;
} arguments;

typedef struct {
    const sq_space *space;
    sq_model *model;
    sq_block_list list;
    sq_latency *table;
    double (*rounds)[ROUNDS]; /* of each block */
    int repeats;
} bench;

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Interleaved rounds, each a median; the table has the median of rounds and their spread. */
static sq_status measure_blocks(bench *b)
{
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < b->list.count; i++) {
            if (sq_interrupt_asked())
                return sq_fail(SQ_INTERRUPTED, "%s: nothing was written", sq_interrupt_name());
            SQ_TRY(sq_model_measure(b->model, b->list.blocks[i].layer, b->list.blocks[i].choice, b->repeats,
                                    &b->rounds[i][round]));
        }
    for (int i = 0; i < b->list.count; i++) {
        double mean = 0, squares = 0;
        qsort(b->rounds[i], ROUNDS, sizeof(double), by_value);
        for (int r = 0; r < ROUNDS; r++)
            mean += b->rounds[i][r] / ROUNDS;
        for (int r = 0; r < ROUNDS; r++)
            squares += pow(b->rounds[i][r] - mean, 2);
        const sq_block_time time =
            sq_block_time_of(b->rounds[i][ROUNDS / 2], sqrt(squares / (ROUNDS - 1)), ROUNDS * b->repeats);
        SQ_TRY(sq_latency_add(b->table, &b->list.blocks[i].key, &time));
    }
    return sq_latency_sort(b->table, b->table->path);
}

static double sum_of(const bench *b, const int *path)
{
    double sum = 0;
    for (int l = 0; l < b->space->layer_count; l++) {
        const sq_block_key key = sq_block_key_of(b->space, l, path[l]);
        const sq_latency_entry *entry = sq_latency_find(b->table, &key);
        sum += entry ? entry->time.mean : 0; /* a layer left out */
    }
    return sum;
}

static sq_status time_path(const bench *b, const int *path, double *milliseconds)
{
    double times[ROUNDS * 4];
    for (int i = -1; i < ROUNDS * 4; i++) {
        const double begin = sq_seconds_now();
        SQ_TRY(sq_model_walk(b->model, path, SQ_EVALUATE));
        SQ_TRY(sq_model_backend(b->model)->ops->wait(sq_model_backend(b->model)));
        if (i >= 0)
            times[i] = 1e3 * (sq_seconds_now() - begin);
    }
    qsort(times, ROUNDS * 4, sizeof *times, by_value);
    *milliseconds = times[ROUNDS * 2];
    return SQ_OK;
}

/* One network against what the table in `folder` says of it. */
static sq_status measure_path(const bench *b, const char *arch, const char *folder)
{
    int path[SQ_MAX_LAYERS];
    double measured;
    sq_latency *latency = NULL;
    sq_latency_cache cache = {0};
    SQ_TRY(sq_arch_read(b->space, arch, path));
    SQ_TRY(time_path(b, path, &measured));
    sq_print_row("measured latency", "%.3f ms", measured);
    SQ_TRY(sq_latency_open(&latency, folder));
    const sq_status status = sq_latency_prepare(&cache, latency, b->space, SQ_FILL_NONE);
    if (status == SQ_OK)
        sq_print_row("predicted latency", "%.3f ms", sq_latency_predict(&cache, b->space, path).ms);
    sq_latency_cache_clear(&cache);
    sq_latency_close(latency);
    return status;
}

/* Whole networks against the sum of their blocks: base is the mean difference, the error what remains. */
static sq_status fit(const bench *b, uint64_t seed, sq_device_info *info)
{
    double measured[CHECK_PATHS], sums[CHECK_PATHS], base = 0, worst = 0;
    for (int i = 0; i < CHECK_PATHS; i++) {
        int path[SQ_MAX_LAYERS];
        sq_rng rng = sq_rng_open(seed, SQ_RNG_SEARCH, (UINT64_C(1) << 60) + (uint64_t)i);
        for (int l = 0; l < b->space->layer_count; l++)
            path[l] = (int)sq_rng_below(&rng, (uint32_t)b->space->layers[l].choice_count);
        SQ_TRY(time_path(b, path, &measured[i]));
        sums[i] = sum_of(b, path);
        base += (measured[i] - sums[i]) / CHECK_PATHS;
    }
    for (int i = 0; i < CHECK_PATHS; i++) {
        const double error = fabs(sums[i] + base - measured[i]) / measured[i];
        worst = error > worst ? error : worst;
    }
    info->base_ms = base;
    info->scale = 1;
    sq_print_row("whole networks", "%d random paths: base %.4f ms, largest error of the prediction %.1f %%",
                 CHECK_PATHS, base, 100 * worst);
    return SQ_OK;
}

static void describe(sq_device_info *info, const sq_session *s, const arguments *a, int batch)
{
    char kernels[96];
    const time_t now = time(NULL);
    struct tm date;
    *info = (sq_device_info){.batch = batch, .threads = s->config->threads, .scale = 1, .is_measured = true};
    sq_cpu_describe(kernels, sizeof kernels);
    (void)snprintf(info->name, sizeof info->name, "%s", a->name ? a->name : s->backend->ops->name);
    (void)snprintf(info->runtime, sizeof info->runtime, "squall %s, %s", s->backend->ops->name, kernels);
    (void)snprintf(info->dtype, sizeof info->dtype, "float32");
    (void)snprintf(info->source, sizeof info->source, "squall lut measure");
    if (gmtime_r(&now, &date))
        (void)strftime(info->date, sizeof info->date, "%Y-%m-%d", &date);
}

static sq_status measure_table(bench *b, const sq_session *s, const arguments *a, int batch)
{
    sq_device_info *info = &b->table->info;
    describe(info, s, a, batch);
    (void)printf("measuring %d distinct blocks of %s on %s, batch %d\n", b->list.count, b->space->name, info->runtime,
                 batch);
    SQ_TRY(measure_blocks(b));
    SQ_TRY(fit(b, (uint64_t)s->config->seed, info));
    SQ_TRY(sq_latency_write(b->table, a->out));
    sq_print_row("files", "%s/device.yaml, %s/table.csv", a->out, a->out);
    return SQ_OK;
}

static sq_status measure(const sq_session *s, const sq_space *space, const arguments *a, int batch, int repeats)
{
    bench b = {.space = space, .repeats = repeats};
    const sq_model_options options = {.block = {.batch = batch}};
    const sq_step step = {.valid_count = batch};
    sq_status status = sq_latency_create(&b.table, a->out);
    if (status == SQ_OK)
        status = sq_block_list_make(&b.list, space);
    b.rounds = status == SQ_OK ? calloc((size_t)b.list.count, sizeof *b.rounds) : NULL;
    if (status == SQ_OK && !b.rounds)
        status = sq_fail(SQ_NO_MEMORY, "measure: %d blocks", b.list.count);
    if (status == SQ_OK)
        status = sq_model_create(&b.model, s->backend, space, &options);
    if (status == SQ_OK)
        status = sq_model_initialise(b.model, 1);
    if (status == SQ_OK)
        status = sq_model_compile(b.model, 1u << SQ_EVALUATE);
    if (status == SQ_OK)
        status = sq_model_set_step(b.model, &step);
    if (status == SQ_OK && a->arch)
        status = measure_path(&b, a->arch, a->out);
    if (status == SQ_OK && !a->arch)
        status = measure_table(&b, s, a, batch);
    sq_model_destroy(b.model);
    sq_block_list_clear(&b.list);
    sq_latency_close(b.table);
    free(b.rounds);
    return status;
}

static sq_status run_measure(const sq_options *read, const arguments *a, int64_t batch, int64_t repeats,
                             int64_t resolution, int64_t classes)
{
    sq_session s = {0};
    sq_space *space = NULL;
    SQ_TRY(sq_session_open(&s, NULL, read->overrides, read->override_count, SQ_OPEN_BACKEND));
    char shared[4096];
    const char *file = sq_share_find(shared, sizeof shared, read->arguments[0]);
    sq_status status = sq_space_read(&space, file, (int)resolution, (int)classes);
    if (status == SQ_OK)
        status = measure(&s, space, a, (int)batch, (int)repeats);
    sq_space_free(space);
    sq_session_close(&s);
    return status;
}

static int run(int argc, char **argv)
{
    static sq_options read; /* large; the program runs one command */
    arguments a = {.batch = "1", .repeats = "20", .resolution = "0", .classes = "0"};
    bool is_help;
    int64_t batch, repeats, resolution, classes;
    const sq_option options[] = {{"-o", &a.out, NULL, NULL},
                                 {"--arch", &a.arch, NULL, NULL},
                                 {"--out", &a.out, NULL, NULL},
                                 {"--batch", &a.batch, NULL, NULL},
                                 {"--repeats", &a.repeats, NULL, NULL},
                                 {"--resolution", &a.resolution, NULL, NULL},
                                 {"--classes", &a.classes, NULL, NULL},
                                 {"--name", &a.name, NULL, NULL},
                                 {"--arch", &a.arch, NULL, NULL},
                                 {NULL, NULL, NULL, NULL}};
    const int code = sq_options_read(&read, options, argc, argv, &is_help);
    if (code)
        return code;
    if (read.argument_count != 1 || !a.out)
        return sq_command_usage("measure", "wanted one space file and -o DEVICE");
    if (!sq_text_int(a.batch, 1, 65536, &batch) || !sq_text_int(a.repeats, 1, 1000000, &repeats) ||
        !sq_text_int(a.resolution, 0, 4096, &resolution) || !sq_text_int(a.classes, 0, 1000000, &classes))
        return sq_command_usage("measure",
                                "--batch %s, --repeats %s, --resolution %s, --classes %s: wanted whole numbers",
                                a.batch, a.repeats, a.resolution, a.classes);
    const sq_status status = run_measure(&read, &a, batch, repeats, resolution, classes);
    return status == SQ_OK ? 0 : sq_command_fail("measure", status);
}

const sq_command sq_lut_measure = {
    .name = "measure",
    .summary = "make a latency table of this machine",
    .usage = "squall lut measure SPACE -o DEVICE [--batch N] [--repeats N] [--resolution R] [--classes C]",
    .help = "Times every distinct block of SPACE as the backend runs it, checks the sum against whole random networks, "
            "and writes\n"
            "DEVICE/device.yaml and DEVICE/table.csv for --latency.\n\n"
            "  -o, --out DEVICE   folder of the device\n"
            "  --batch N          images at once (default 1)\n"
            "  --repeats N        runs per round and block; there are 5 interleaved rounds (default 20)\n"
            "  --resolution R, --classes C   instead of the space's\n"
            "  --arch A           time one network instead, and compare it with the table in DEVICE\n"
            "  --name NAME        of the device (default: the backend)\n"
            "  --device D, --graphs on|off, --engine E, --threads N      as in train\n",
    .run = run,
};
