/* Prints the result of a search. */
#include "tools/run/search/search_summary.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "search/searchers/searchers.h"
#include "tools/run/messages.h"

enum { TABLE_ROWS = 16 };

static void print_prediction(const sq_search_device *d, const sq_prediction *p)
{
    char more[128] = "";
    int used = 0;
    if (d->cache->filled_count)
        used += snprintf(more, sizeof more, ", %.1f %% of it from --fill", 100 * p->filled_ms / p->ms);
    if (d->cache->energy_mj)
        used += snprintf(more + used, sizeof more - (size_t)used, ", %.4g mJ", p->energy_mj);
    if (d->cache->area_mm2)
        (void)snprintf(more + used, sizeof more - (size_t)used, ", %.4g mm2", p->area_mm2);
    sq_print_row("predicted latency", "%.3f ms +- %.3f on %s%s%s", p->ms, p->deviation_ms, d->name,
                 d->cache->info.is_measured ? "" : " (modelled)", more);
}

/* A candidate of the Pareto front and its objectives. Rows are shown in ascending order of the objectives. */
typedef struct {
    double values[SQ_MAX_OBJECTIVES];
    int index;
} front_row;

static int by_values(const void *a, const void *b)
{
    const front_row *x = a, *y = b;
    for (int m = 0; m < SQ_MAX_OBJECTIVES; m++)
        if (x->values[m] != y->values[m])
            return x->values[m] < y->values[m] ? -1 : 1;
    return x->index - y->index;
}

/* Prints at most TABLE_ROWS evenly spaced rows, including the first and the last. */
static void print_front_rows(const sq_trained_run *r, const sq_search_result *result, const front_row *rows, int count)
{
    const sq_objectives *o = &r->session.config->search.objectives;
    const int shown = count < TABLE_ROWS ? count : TABLE_ROWS;
    char text[1024];
    (void)printf("  ");
    for (int m = 0; m < o->count; m++)
        (void)printf("%12s  ", sq_objective_name(&o->list[m], text, sizeof text));
    (void)printf("path\n");
    for (int i = 0; i < shown; i++) {
        const front_row *row = &rows[shown > 1 ? (long)i * (count - 1) / (shown - 1) : 0];
        (void)printf("  ");
        for (int m = 0; m < o->count; m++) {
            const bool is_accuracy = sq_objective_is_maximised(o->list[m].kind);
            (void)printf(is_accuracy ? "%10.2f %%  " : "%12.5g  ", row->values[m] * (is_accuracy ? -100 : 1));
        }
        (void)sq_arch_print(r->space, result->candidates[row->index].path, text, sizeof text);
        (void)printf("%s\n", text);
    }
}

static void print_front(const sq_trained_run *r, const sq_search_result *result)
{
    const sq_objectives *o = &r->session.config->search.objectives;
    front_row *rows = calloc((size_t)result->front.count + 1, sizeof *rows);
    for (int i = 0; rows && i < result->front.count; i++) {
        rows[i].index = result->front.candidates[i];
        for (int m = 0; m < o->count; m++)
            rows[i].values[m] = sq_objective_cost(&o->list[m], &result->candidates[rows[i].index]);
    }
    if (rows && result->front.count) {
        qsort(rows, (size_t)result->front.count, sizeof *rows, by_values);
        (void)printf("front of %d, hypervolume %.6g%s\n", result->front.count, result->front.hypervolume,
                     result->front.count > TABLE_ROWS ? "; a part of it:" : "");
        print_front_rows(r, result, rows, result->front.count);
    }
    free(rows);
}

void sq_search_print_result(const sq_trained_run *r, const sq_search_result *result, const sq_search_devices *devices,
                            const char *run, bool on_val)
{
    const sq_candidate *best = &result->candidates[result->best];
    char arch[1024];
    (void)sq_arch_print(r->space, best->path, arch, sizeof arch);
    (void)printf("found after %d candidates\n", result->candidate_count);
    sq_print_row("path", "%s", arch);
    sq_print_row(on_val ? "test accuracy" : "held-out accuracy", "%.2f %% top-1, %.2f %% top-5 (%zu images)",
                 100 * best->top1, 100 * best->top5, r->validation.count);
    if (isfinite(result->random_mean_top1))
        sq_print_row("random paths", "%.2f %% top-1, mean of %d", 100 * result->random_mean_top1,
                     r->session.config->search.random_paths);
    sq_print_row("multiply-adds", "%.2f M", best->macs);
    sq_print_row("parameters", "%.3f M", best->parameters);
    for (int d = 0; d < devices->count; d++)
        print_prediction(&devices->list[d], &best->on[d]);
    if (sq_searcher_reads_objectives(r->session.config->search.kind))
        print_front(r, result);
    sq_print_row("files", "%s/search/search.json, %s/search/arch.json", run, run);
    (void)printf("next: squall export %s\n", run);
}
