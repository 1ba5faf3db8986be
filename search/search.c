/* The search loop: baseline, then generations; every score is on disk before the next path is tried. */
#include "search/search.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/clock.h"
#include "kernels/base/file.h"
#include "kernels/base/retry.h"
#include "kernels/base/text.h"
#include "search/searchers/searcher.h"
#include "search/state.h"
#include "supernet/space/cost.h"
#include "supernet/train/signals.h"

enum { MOST_TOGETHER = SQ_WORKER_POOL_CANDIDATES };

typedef struct {
    sq_searcher searcher;
    sq_worker_pool *pool;
    const char *run;
    bool is_quiet;
    char state_path[SQ_PATH_BYTES], folder[SQ_PATH_BYTES];
    uint64_t fingerprint;
    sq_candidate *all; /* baseline first, then generations; paths owned */
    int count, limit, baseline_count;
    sq_candidate *resumed; /* scores of an interrupted search */
    int resumed_count;
    double begin_seconds;
    int begin_count;
} search;

/* What the searcher is told: everything but the baseline. */
static const sq_searcher *observe(search *s)
{
    s->searcher.observed = s->all + s->baseline_count;
    s->searcher.observed_count = s->count - s->baseline_count;
    return &s->searcher;
}

static void show(search *s, bool is_terminal)
{
    char line[256], left[64];
    const sq_candidate *best = sq_searcher_best(observe(s)), *last = &s->all[s->count - 1];
    const double each = (sq_seconds_now() - s->begin_seconds) / (double)(s->count - s->begin_count);
    if (s->is_quiet)
        return;
    int used = snprintf(line, sizeof line, "search %5d/%d  last top-1 %5.1f%%", s->count, s->limit, 100 * last->top1);
    if (last->generation < 0) /* a yardstick, which does not win */
        used += snprintf(line + used, sizeof line - (size_t)used, "  random paths");
    else
        used += snprintf(line + used, sizeof line - (size_t)used, "  best %5.1f%%", best ? 100 * best->top1 : 0);
    (void)snprintf(line + used, sizeof line - (size_t)used, "  left %s",
                   sq_text_duration(left, sizeof left, each * (s->limit - s->count)));
    if (is_terminal)
        (void)fprintf(stderr, "\r%s\033[K%s", line, s->count == s->limit ? "\n" : "");
    else if (s->count % 10 == 0 || s->count == s->limit)
        (void)fprintf(stderr, "%s\n", line);
}

/* What the interrupted search knew of the next candidate, or NULL. */
static sq_status restore_score(const search *s, sq_candidate *c, bool *is_known)
{
    const size_t bytes = (size_t)s->searcher.space->layer_count * sizeof *c->path;
    *is_known = s->count < s->resumed_count;
    if (!*is_known)
        return SQ_OK;
    const sq_candidate *known = &s->resumed[s->count];
    if (memcmp(known->path, c->path, bytes) != 0)
        return sq_fail(SQ_INVALID, "%s: candidate %d is another than this search asks for", s->state_path, s->count);
    c->images = known->images ? known->images : s->searcher.images; /* an early release did not write it */
    c->loss = known->loss;
    c->top1 = known->top1;
    c->top5 = known->top5;
    return SQ_OK;
}

/* Takes a scored candidate (its path is copied) into the list. */
static sq_status add(search *s, const sq_candidate *scored)
{
    const size_t bytes = (size_t)s->searcher.space->layer_count * sizeof *scored->path;
    sq_candidate c = *scored;
    c.path = malloc(bytes);
    if (!c.path)
        return sq_fail(SQ_NO_MEMORY, "search: candidate %d", s->count);
    memcpy(c.path, scored->path, bytes);
    s->all[s->count++] = c;
    return SQ_OK;
}

static void score(sq_candidate *c, const sq_result *result)
{
    const double images = (double)result->images;
    c->images = (int)result->images;
    c->loss =
        result->nonfinite ? 1e30 : result->loss / images; /* a network that gives NaN is the worst, not an accident */
    c->top1 = (double)result->top1 / images;
    c->top5 = (double)result->top5 / images;
}

static sq_status save(const search *s, const sq_search_scored *scored)
{
    sq_retry retry = sq_retry_begin(s->searcher.options->write_retries);
    sq_status status;
    do
        status = sq_search_state_write(s->state_path, s->fingerprint, scored, s->searcher.space);
    while (sq_retry_again(&retry, status));
    return status;
}

/* why: what stopped the search; it may be the text of the last failure. */
static sq_status tell_saved(const search *s, const char *why)
{
    char text[256];
    (void)snprintf(text, sizeof text, "%s", why);
    return sq_fail(SQ_INTERRUPTED, "%s: %d of %d candidates are saved; the same command goes on", text, s->count,
                   s->limit);
}

/* Candidates that nobody has scored yet and that ask for as many images, together; then all of them are on disk. */
static sq_status evaluate_together(search *s, sq_candidate *proposed, int count)
{
    const int *paths[MOST_TOGETHER] = {NULL};
    sq_result results[MOST_TOGETHER];
    for (int i = 0; i < count; i++)
        paths[i] = proposed[i].path;
    const sq_status status = sq_worker_pool_evaluate(s->pool, paths, count, (size_t)proposed[0].images, results);
    if (status == SQ_INTERRUPTED)
        return tell_saved(s, sq_error_text());
    SQ_TRY(status);
    for (int i = 0; i < count; i++) {
        score(&proposed[i], &results[i]);
        SQ_TRY(add(s, &proposed[i]));
    }
    const sq_search_scored scored = {s->all, s->count, s->limit};
    SQ_TRY(save(s, &scored));
    show(s, isatty(STDERR_FILENO) == 1);
    SQ_TRY(sq_worker_pool_check(s->pool));
    if (sq_signals_received() && s->count < s->limit)
        return tell_saved(s, sq_signals_name());
    return SQ_OK;
}

static sq_status evaluate(search *s, sq_candidate *proposed, int count)
{
    const int64_t wanted = (int64_t)s->searcher.options->together * sq_worker_pool_size(s->pool);
    const int together = wanted < MOST_TOGETHER ? (int)wanted : MOST_TOGETHER;
    int done = 0;
    for (bool is_known = true; done < count; done += is_known) {
        SQ_TRY(restore_score(s, &proposed[done], &is_known));
        if (!is_known)
            break;
        SQ_TRY(add(s, &proposed[done]));
    }
    while (done < count) {
        int next = 1;
        while (next < together && done + next < count && proposed[done + next].images == proposed[done].images)
            next++;
        SQ_TRY(evaluate_together(s, proposed + done, next));
        done += next;
    }
    return SQ_OK;
}

/* Random paths are told apart by those before them, so they are drawn all, then scored. */
static sq_status draw_baseline(search *s, sq_candidate *proposed, int *count)
{
    const int wanted = s->searcher.options->random_paths;
    for (*count = 0; *count < wanted; ++*count) {
        sq_candidate *c = &proposed[*count];
        c->generation = -1;
        c->images = 0;
        if (!sq_searcher_random(&s->searcher, SQ_STREAM_BASELINE + (uint64_t)*count, proposed, *count, c->path))
            return SQ_OK; /* a small space has no more */
        sq_searcher_cost(&s->searcher, c);
    }
    return SQ_OK;
}

static sq_status run_baseline(search *s, sq_candidate *proposed)
{
    int count;
    SQ_TRY(draw_baseline(s, proposed, &count));
    SQ_TRY(evaluate(s, proposed, count));
    s->baseline_count = s->count;
    return SQ_OK;
}

static sq_status run_generations(search *s, sq_candidate *proposed)
{
    for (;;) {
        int count = 0;
        SQ_TRY(sq_searcher_ask(observe(s), proposed, &count));
        if (count == 0)
            return SQ_OK;
        SQ_TRY(evaluate(s, proposed, count));
    }
}

/* Room for one generation of questions, or for the baseline. */
static sq_status ask_all(search *s)
{
    const int wanted = sq_searcher_room(&s->searcher), random_paths = s->searcher.options->random_paths;
    const size_t room = (size_t)(wanted > random_paths ? wanted : random_paths),
                 layers = (size_t)s->searcher.space->layer_count;
    sq_candidate *proposed = calloc(room, sizeof *proposed);
    int *paths = calloc(room * layers, sizeof *paths);
    sq_status status = proposed && paths ? SQ_OK : sq_fail(SQ_NO_MEMORY, "search: a generation of %zu", room);
    for (size_t i = 0; status == SQ_OK && i < room; i++)
        proposed[i].path = paths + i * layers;
    if (status == SQ_OK)
        status = run_baseline(s, proposed);
    if (status == SQ_OK)
        status = run_generations(s, proposed);
    free(paths);
    free(proposed);
    return status;
}

static void fill_costs(sq_searcher *searcher)
{
    for (int l = 0; l < searcher->space->layer_count; l++)
        for (int c = 0; c < searcher->space->layers[l].choice_count; c++) {
            const sq_cost cost = sq_cost_block(searcher->space, l, c);
            searcher->macs[l][c] = 1e-6 * (double)cost.macs;
            searcher->parameters[l][c] = 1e-6 * (double)(cost.weights + cost.norm_weights);
            searcher->memory_mb[l][c] = 1e-6 * (double)cost.activation_bytes;
        }
}

/* Fills in the costs and refuses what cannot be searched. */
static sq_status check(sq_searcher *searcher)
{
    SQ_TRY(sq_searcher_check_options(searcher));
    if (searcher->options->together < 1)
        return sq_fail(SQ_INVALID, "search: together %d, wanted at least 1", searcher->options->together);
    fill_costs(searcher);
    return sq_searcher_check_limits(searcher);
}

sq_status sq_search_check(const sq_search_options *options, const sq_space *space, const sq_search_devices *devices,
                          const sq_search_run *run)
{
    sq_searcher *searcher = calloc(1, sizeof *searcher);
    if (!searcher)
        return sq_fail(SQ_NO_MEMORY, "search");
    searcher->options = options;
    searcher->space = space;
    searcher->devices = devices;
    searcher->images = run->images;
    searcher->calibration_images = run->calibration_images;
    const sq_status status = check(searcher);
    free(searcher);
    return status;
}

static sq_status begin(search *s, bool is_resumed)
{
    const sq_search_options *o = s->searcher.options;
    SQ_TRY(check(&s->searcher));
    SQ_TRY(sq_text_path(s->folder, sizeof s->folder, s->run, "search"));
    SQ_TRY(sq_text_path(s->state_path, sizeof s->state_path, s->folder, "state.json"));
    SQ_TRY(sq_folder_make(s->folder));
    if (is_resumed)
        SQ_TRY(sq_search_state_read(s->state_path, s->fingerprint, s->searcher.space, &s->resumed, &s->resumed_count));
    s->limit = o->random_paths + sq_searcher_budget(&s->searcher);
    s->all = calloc((size_t)s->limit + 1, sizeof *s->all);
    s->begin_seconds = sq_seconds_now();
    s->begin_count = s->resumed_count;
    return s->all ? SQ_OK : sq_fail(SQ_NO_MEMORY, "search: %d candidates", s->limit);
}

static sq_status finish(search *s, sq_search_result *out)
{
    const sq_candidate *best = sq_searcher_best(observe(s));
    if (!best)
        return sq_fail(SQ_INVALID, "search: no path within the limits was found");
    sq_search_result result = {
        .candidates = s->all, .candidate_count = s->count, .best = (int)(best - s->all), .random_mean_top1 = NAN};
    double sum = 0;
    for (int i = 0; i < s->baseline_count; i++)
        sum += s->all[i].top1;
    if (s->baseline_count)
        result.random_mean_top1 = sum / s->baseline_count;
    sq_status status = sq_pareto_front_find(observe(s), s->baseline_count, &result);
    if (status == SQ_OK)
        status = sq_search_report_write(s->folder, &s->searcher, &result);
    if (status != SQ_OK) {
        free(result.pareto);
        return status;
    }
    *out = result;
    s->all = NULL; /* the caller's now */
    return SQ_OK;
}

static void release(sq_candidate *candidates, int count)
{
    for (int i = 0; candidates && i < count; i++)
        free(candidates[i].path);
    free(candidates);
}

sq_status sq_search(const sq_search_options *options, const sq_space *space, sq_worker_pool *pool,
                    const sq_search_devices *devices, const sq_search_run *run, sq_search_result *out)
{
    search *s = calloc(1, sizeof *s);
    if (!s)
        return sq_fail(SQ_NO_MEMORY, "search");
    s->searcher.options = options;
    s->searcher.space = space;
    s->searcher.devices = devices;
    s->pool = pool;
    s->run = run->run;
    s->is_quiet = run->is_quiet;
    s->searcher.images = run->images;
    s->searcher.calibration_images = run->calibration_images;
    s->fingerprint = sq_search_fingerprint(&s->searcher, run->weights);
    sq_status status = begin(s, run->is_resumed);
    if (status == SQ_OK)
        status = ask_all(s);
    if (status == SQ_OK)
        status = finish(s, out);
    release(s->all, s->count);
    release(s->resumed, s->resumed_count);
    free(s);
    return status;
}

void sq_search_result_clear(sq_search_result *result)
{
    release(result->candidates, result->candidate_count);
    free(result->pareto);
    memset(result, 0, sizeof *result);
}
