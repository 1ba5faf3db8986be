/* fuzz_latency.c - reads any bytes as a latency file: Squall's two tables, every dialect (named and detected), measured
 * networks, and lists of operations. An accepted table is written as a device, which must open again with the same
 * number of entries. */
#include "tests/fuzz/fuzz.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "search/cost/roofline_file.h"
#include "search/cost/dialects/dialect.h"
#include "search/cost/fit/measured.h"

static bool is_known(sq_status status)
{
    return status == SQ_OK || status == SQ_INVALID || status == SQ_NO_MEMORY;
}

/* Checks an accepted table and writes it. A file must not contain both entries by block and entries by layer. */
static void check_table(const sq_latency *latency)
{
    sq_latency *again = NULL;
    const char *folder = fuzz_scratch("device");
    for (size_t i = 0; i < latency->count; i++) {
        const sq_latency_entry *e = &latency->entries[i];
        fuzz_require(isfinite(e->time.mean) && e->time.mean > 0 && e->time.deviation >= 0);
        fuzz_require(sq_latency_find(latency, &e->key) == e);
    }
    for (size_t i = 0; i < latency->layer_count; i++) {
        const sq_layer_entry *e = &latency->layers[i];
        fuzz_require(isfinite(e->time.mean) && sq_latency_find_layer(latency, e->layer, e->choice) == e);
    }
    fuzz_require(sq_path_remove(folder) == SQ_OK && sq_latency_write(latency, folder) == SQ_OK);
    fuzz_require(sq_latency_open(&again, folder) == SQ_OK);
    fuzz_require(again->count == latency->count && again->layer_count == latency->layer_count &&
                 strcmp(again->info.name, latency->info.name) == 0);
    sq_latency_close(again);
}

static void try_own(const char *path, sq_status (*read)(sq_latency *latency, const char *path))
{
    sq_latency *latency = NULL;
    if (sq_latency_create(&latency, path) != SQ_OK)
        return;
    const sq_status status = read(latency, path);
    fuzz_require(is_known(status));
    (void)snprintf(latency->info.name, sizeof latency->info.name, "fuzz");
    if (status == SQ_OK)
        check_table(latency);
    sq_latency_close(latency);
}

static void try_dialect(const char *path, const char *dialect)
{
    const sq_dialect_options options = {
        .dialect = dialect, .column = dialect ? NULL : "cpu", .takes_near = dialect != NULL};
    sq_dialect_report report = {.rows = -1};
    sq_latency *latency = NULL;
    const sq_status status = sq_dialect_read(&latency, &report, path, &options);
    fuzz_require(is_known(status) && (status == SQ_OK) == (latency != NULL) && !latency == (report.rows == -1));
    if (latency) {
        fuzz_require(report.rows == report.read + report.left_out);
        check_table(latency);
    }
    sq_latency_close(latency);
}

static void try_measured(const char *path, const char *column)
{
    sq_measured *measured = NULL;
    int limits[SQ_MAX_LAYERS];
    const sq_status status = sq_measured_read(&measured, path, column);
    fuzz_require(is_known(status) && (status == SQ_OK) == (measured != NULL));
    if (measured) {
        fuzz_require(measured->layers > 0 && measured->layers <= SQ_MAX_LAYERS && measured->count > 0);
        sq_measured_limits(measured, limits);
        for (int l = 0; l < measured->layers; l++)
            fuzz_require(limits[l] > 0 && limits[l] <= SQ_MAX_CHOICES);
        for (size_t i = 0; i < measured->count; i++)
            fuzz_require(isfinite(measured->ms[i]) && measured->ms[i] > 0 && measured->deviation[i] >= 0);
    }
    sq_measured_free(measured);
}

static void try_network(const char *path, bool is_text)
{
    sq_roofline r = {.bytes_per_value = 1, .bytes_per_weight = 1};
    sq_roofline_check *checks = NULL;
    size_t count = 0;
    double ms = -1;
    for (int k = 0; k < SQ_ROOFLINE_CLASSES; k++)
        r.rates[k] = (sq_roofline_rate){100, 10, 1, 8, 8, 0.5, 0.5};
    const sq_status status = sq_roofline_network(&r, path, &ms);
    fuzz_require(is_known(status) && (status == SQ_OK ? is_text && isfinite(ms) && ms >= 0 : ms < 0));
    if (sq_roofline_checks(&r, path, &checks, &count) == SQ_OK)
        for (size_t i = 0; i < count; i++)
            fuzz_require(checks[i].measured > 0 && checks[i].predicted >= 0);
    free(checks);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_file file;
    if (!fuzz_open(&file, bytes, size))
        return 0;
    try_own(file.path, sq_latency_read_table);
    try_own(file.path, sq_latency_read_layers);
    try_dialect(file.path, NULL);
    for (int d = 0; d < sq_dialect_count(); d++)
        try_dialect(file.path, sq_dialect_name(d));
    try_measured(file.path, NULL);
    try_measured(file.path, "cpu");
    try_network(file.path, !memchr(bytes, 0, size));
    fuzz_close(&file);
    return 0;
}
