/* squall bench loader: measures the images per second of the loader with one thread and with all threads, and the time
 * of each stage on one core. Each round opens one loader with one thread and then one with all threads, and draws
 * different crops from the other rounds. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "data/loader/cores.h"
#include "kernels/base/clock.h"
#include "kernels/base/text.h"
#include "supernet/train/signals.h"
#include "tools/commands/bench/bench.h"

enum { WARMUP_BATCHES = 2, COPY = SQ_STAGES, STAGES }; /* COPY is the copy of a batch into the memory of a backend */

static const char *stage_name(int stage)
{
    return stage == COPY ? "copy" : sq_sample_stage_name((sq_sample_stage)stage);
}

typedef struct {
    const sq_session *session;
    const sq_bench_options *options;
    const sq_dataset *dataset;
    sq_dataset *opened; /* owned; NULL: the session's data set is used */
    const char *split;
    sq_loader_options loader;
    sq_cache_plan cache;
    int threads;            /* number of threads in the measurements with all threads */
    double *rates[2];       /* images per second of each round: [0] with one thread, [1] with all */
    double *cpu_rates[2];   /* images per second of CPU time, with the same indices */
    double seconds[STAGES]; /* time of each stage in the measurements with one thread */
    double images;          /* number of images in the measurements with one thread */
    uint8_t *copied;        /* owned: the copied batch */
    int64_t bad;
} bench;

/* ---- Preparing ---- */

static bool is_config(const char *file)
{
    const size_t length = strlen(file);
    return (length > 5 && strcmp(file + length - 5, ".yaml") == 0) ||
           (length > 4 && strcmp(file + length - 4, ".yml") == 0);
}

static sq_status open_source(bench *b)
{
    b->split = "train";
    if (b->session->train) {
        b->dataset = b->session->train;
        return SQ_OK;
    }
    if (sq_dataset_open(&b->opened, b->options->file, b->split) != SQ_OK) {
        b->split = "val";
        SQ_TRY(sq_dataset_open(&b->opened, b->options->file, b->split));
    }
    b->dataset = b->opened;
    return SQ_OK;
}

static sq_status prepare(bench *b)
{
    sq_cores cores;
    SQ_TRY(open_source(b));
    sq_cores_find(&cores, NULL);
    const sq_config *config = b->session->config;
    b->threads = config->data.threads ? config->data.threads : config->threads ? config->threads : cores.count;
    b->loader = sq_session_loader(b->session, true);
    b->loader.batch = b->options->batch;
    SQ_TRY(sq_session_cache(b->session, b->dataset, &b->cache));
    b->loader.cache = &b->cache;
    const size_t side = (size_t)b->loader.transform.resolution, bytes = (size_t)b->loader.batch * side * side * 3;
    b->copied = malloc(bytes);
    bool is_complete = b->copied != NULL;
    for (int i = 0; i < 2; i++) {
        b->rates[i] = calloc((size_t)b->options->repeats, sizeof *b->rates[i]);
        b->cpu_rates[i] = calloc((size_t)b->options->repeats, sizeof *b->cpu_rates[i]);
        is_complete = is_complete && b->rates[i] && b->cpu_rates[i];
    }
    return is_complete ? SQ_OK : sq_fail(SQ_NO_MEMORY, "bench: out of memory for %zu bytes of images", bytes);
}

/* ---- Measuring ---- */

static sq_status take_batches(bench *b, sq_loader *loader, int64_t count, double *copy_seconds)
{
    const size_t side = (size_t)b->loader.transform.resolution, bytes = side * side * 3;
    for (int64_t i = 0; i < count; i++) {
        sq_batch batch;
        if (sq_signals_received())
            return sq_fail(SQ_INTERRUPTED, "%s: stopped before the measurement ended", sq_signals_name());
        SQ_TRY(sq_loader_next(loader, &batch));
        const double begin = sq_seconds_now();
        memcpy(b->copied, batch.images, (size_t)batch.count * bytes);
        *copy_seconds += sq_seconds_now() - begin;
    }
    return SQ_OK;
}

/* Returns the CPU time of all threads of this process; other processes do not count. */
static double cpu_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* cannot fail with this clock */
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Measures one loader in one round. The loader adds a batch's stage times after the batch is complete, so the sums lack
 * at most one batch per thread. */
static sq_status measure(bench *b, sq_loader *loader, int round, bool is_single)
{
    double unused = 0, copy = 0;
    const double images = (double)b->options->steps * b->loader.batch;
    /* With a cache, the first epoch is not measured, because it fills the cache. */
    const int64_t epoch = b->cache.form ? (int64_t)(sq_dataset_count(b->dataset) / (size_t)b->loader.batch) + 1 : 0;
    SQ_TRY(take_batches(b, loader, WARMUP_BATCHES + epoch, &unused));
    const sq_loader_counters before = sq_loader_get_counters(loader);
    const double begin = sq_seconds_now(), cpu_begin = cpu_seconds();
    SQ_TRY(take_batches(b, loader, b->options->steps, &copy));
    b->rates[!is_single][round] = images / (sq_seconds_now() - begin);
    const sq_loader_counters after = sq_loader_get_counters(loader);
    b->bad = after.bad > b->bad ? after.bad : b->bad;
    b->cpu_rates[!is_single][round] = images / (cpu_seconds() - cpu_begin);
    if (!is_single)
        return SQ_OK;
    for (int stage = 0; stage < SQ_STAGES; stage++)
        b->seconds[stage] += after.stage_seconds[stage] - before.stage_seconds[stage];
    b->seconds[COPY] += copy;
    b->images += images;
    return SQ_OK;
}

static sq_status run_round(bench *b, int round, bool is_single)
{
    sq_loader *loader = NULL;
    sq_loader_options options = b->loader;
    options.threads = is_single ? 1 : b->threads;
    options.first_batch = (uint64_t)round * (uint64_t)(b->options->steps + WARMUP_BATCHES);
    SQ_TRY(sq_loader_open(&loader, b->dataset, &options));
    const sq_status status = measure(b, loader, round, is_single);
    sq_loader_close(loader);
    return status;
}

static sq_status run_rounds(bench *b)
{
    for (int round = 0; round < b->options->repeats; round++)
        for (int is_single = 1; is_single >= 0; is_single--)
            SQ_TRY(run_round(b, round, is_single));
    for (int i = 0; i < 2; i++) {
        qsort(b->rates[i], (size_t)b->options->repeats, sizeof *b->rates[i], sq_bench_by_value);
        qsort(b->cpu_rates[i], (size_t)b->options->repeats, sizeof *b->cpu_rates[i], sq_bench_by_value);
    }
    return SQ_OK;
}

/* ---- Printing ---- */

static double median(const bench *b, const double *rates)
{
    const int n = b->options->repeats;
    return n % 2 ? rates[n / 2] : (rates[n / 2 - 1] + rates[n / 2]) / 2;
}

static sq_status print_json(const bench *b)
{
    json_t *object = json_pack(
        "{s:s, s:s, s:I, s:i, s:s, s:s, s:i, s:i, s:i, s:i, s:f, s:f, s:f, s:I}", "source", b->options->file, "split",
        b->split, "images", (json_int_t)sq_dataset_count(b->dataset), "resolution", b->loader.transform.resolution,
        "decode", sq_decode_mode_name(b->loader.decode), "instructions", sq_resize_instructions(), "threads",
        b->threads, "batch", b->loader.batch, "batches", b->options->steps, "rounds", b->options->repeats,
        "images_per_second_one_thread", median(b, b->rates[0]), "images_per_second", median(b, b->rates[1]), "speedup",
        median(b, b->rates[1]) / median(b, b->rates[0]), "bad", (json_int_t)b->bad);
    json_t *stages = json_object();
    for (int stage = 0; stages && stage < STAGES; stage++) /* on failure the key is missing */
        (void)json_object_set_new(stages, stage_name(stage), json_real(1e6 * b->seconds[stage] / b->images));
    if (object) {
        (void)json_object_set_new(object, "images_per_cpu_second_one_thread", json_real(median(b, b->cpu_rates[0])));
        (void)json_object_set_new(object, "images_per_cpu_second", json_real(median(b, b->cpu_rates[1])));
    }
    if (object)
        (void)json_object_set_new(object, "us_per_image", stages);
    else
        json_decref(stages);
    return sq_print_json(object);
}

static void print_rates(const bench *b, const char *name, int which)
{
    sq_print_row(name, "%.0f images/s, median of %d rounds (%.0f to %.0f); %.0f per second of CPU time",
                 median(b, b->rates[which]), b->options->repeats, b->rates[which][0],
                 b->rates[which][b->options->repeats - 1], median(b, b->cpu_rates[which]));
}

static void print_table(const bench *b)
{
    char name[32];
    const sq_transform *t = &b->loader.transform;
    (void)printf("loader of %s (%s): %zu images, random resized crop to %d x %d, rounds of %d batches of %d\n",
                 b->options->file, b->split, sq_dataset_count(b->dataset), t->resolution, t->resolution,
                 b->options->steps, b->loader.batch);
    sq_print_row("decoding", "%s, resized with %s", sq_decode_mode_name(b->loader.decode), sq_resize_instructions());
    sq_print_cache(&b->cache);
    for (int stage = 0; stage < STAGES; stage++) {
        const double us = 1e6 * b->seconds[stage] / b->images;
        sq_print_row(stage_name(stage), "%8.1f us per image: %.0f images/s on one core", us, us > 0 ? 1e6 / us : 0);
    }
    print_rates(b, "one thread", 0);
    (void)snprintf(name, sizeof name, "%d thread%s", b->threads, b->threads > 1 ? "s" : "");
    print_rates(b, name, 1);
    sq_print_row("speedup", "%.2f", median(b, b->rates[1]) / median(b, b->rates[0]));
    if (b->bad > 0)
        sq_print_row("bad images", "%lld, replaced by other images", (long long)b->bad);
}

static sq_status run_bench(bench *b)
{
    SQ_TRY(prepare(b));
    SQ_TRY(run_rounds(b));
    if (b->options->is_json)
        return print_json(b);
    print_table(b);
    return SQ_OK;
}

sq_status sq_bench_loader(const sq_options *config, const sq_bench_options *options)
{
    sq_session session = {0};
    const bool has_config = is_config(options->file);
    SQ_TRY(sq_session_open(&session, has_config ? options->file : NULL, config,
                           has_config ? SQ_OPEN_DATA : 0));
    bench b = {.session = &session, .options = options};
    const sq_status status = run_bench(&b);
    free(b.copied);
    for (int i = 0; i < 2; i++) {
        free(b.rates[i]);
        free(b.cpu_rates[i]);
    }
    sq_dataset_close(b.opened);
    sq_session_close(&session);
    return status;
}
