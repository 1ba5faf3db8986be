/* Times the two operations of a search on a latency table: opening a table of ENTRIES (12,000) entries, and predicting
 * the latency of one path.
 * usage: bench_latency SPACE [ENTRIES] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/clock.h"
#include "kernels/base/file.h"
#include "search/cost/measure/block_models.h"
#include "search/cost/latency_table.h"

enum { OPENINGS = 15, PATHS = 1000, ROUNDS = 2000 };

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Writes a latency table of `entries` entries: the space's blocks, and the same blocks at larger input heights until
 * the table has enough entries. */
static sq_status write_device(const sq_space *space, int entries, const char *folder)
{
    sq_latency *latency = NULL;
    sq_block_list list = {0};
    SQ_TRY(sq_block_list_make(&list, space));
    sq_status status = sq_latency_create(&latency, folder);
    for (int i = 0; status == SQ_OK && i < entries; i++) {
        sq_block_key key = list.blocks[i % list.count].key;
        const sq_block_time time = sq_block_time_of(0.1 + 1e-5 * i, 0.001, 100);
        key.h += i / list.count;
        status = sq_latency_add(latency, &key, &time);
    }
    if (status == SQ_OK) {
        (void)snprintf(latency->info.name, sizeof latency->info.name, "bench");
        status = sq_latency_sort(latency, folder);
    }
    if (status == SQ_OK)
        status = sq_latency_write(latency, folder);
    sq_latency_close(latency);
    sq_block_list_clear(&list);
    return status;
}

static sq_status time_opening(const char *folder, sq_latency **out)
{
    double times[OPENINGS];
    for (int i = 0; i < OPENINGS; i++) {
        sq_latency_close(*out);
        const double begin = sq_seconds_now();
        SQ_TRY(sq_latency_open(out, folder));
        times[i] = 1e3 * (sq_seconds_now() - begin);
    }
    qsort(times, OPENINGS, sizeof *times, by_value);
    (void)printf("open %zu entries       %.2f ms (median of %d; %.2f .. %.2f)\n", (*out)->count, times[OPENINGS / 2],
                 OPENINGS, times[0], times[OPENINGS - 1]);
    return SQ_OK;
}

static sq_status time_predicting(const sq_latency *latency, const sq_space *space)
{
    sq_latency_cache cache;
    sq_path_list paths;
    double sum = 0;
    const double before = sq_seconds_now();
    SQ_TRY(sq_latency_prepare(&cache, latency, space, SQ_FILL_NONE));
    const double prepared = sq_seconds_now() - before;
    SQ_TRY(sq_path_list_draw(&paths, space, 0, PATHS));
    const double begin = sq_seconds_now();
    for (int i = 0; i < ROUNDS; i++)
        for (int p = 0; p < PATHS; p++)
            sum += sq_latency_predict(&cache, space, paths.paths[p]).ms;
    const double each = (sq_seconds_now() - begin) / ((double)ROUNDS * PATHS);
    (void)printf("look up all blocks      %.3f ms\npredict one path         %.4f us (%d layers; checksum %g)\n",
                 1e3 * prepared, 1e6 * each, space->layer_count, sum);
    sq_path_list_clear(&paths);
    sq_latency_cache_clear(&cache);
    return SQ_OK;
}

int main(int argc, char **argv)
{
    char folder[4096];
    sq_space *space = NULL;
    sq_latency *latency = NULL;
    if (argc < 2) {
        (void)fprintf(stderr, "usage: bench_latency SPACE [ENTRIES]\n");
        return 2;
    }
    if (sq_folder_scratch(folder, sizeof folder, "squall-bench") != SQ_OK) {
        (void)fprintf(stderr, "bench_latency: %s\n", sq_error_text());
        return 1;
    }
    sq_status status = sq_space_read(&space, argv[1], 0, 0);
    if (status == SQ_OK)
        status = write_device(space, argc > 2 ? atoi(argv[2]) : 12000, folder);
    if (status == SQ_OK)
        status = time_opening(folder, &latency);
    if (status == SQ_OK)
        status = time_predicting(latency, space);
    if (status != SQ_OK)
        (void)fprintf(stderr, "bench_latency: %s\n", sq_error_text());
    sq_latency_close(latency);
    sq_space_free(space);
    if (sq_path_remove(folder) != SQ_OK)
        (void)fprintf(stderr, "%s\n", sq_error_text());
    return status == SQ_OK ? 0 : 1;
}
