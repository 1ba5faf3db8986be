/* Runs the search loop: first the random baseline, then the generations. Every score is saved before the next paths are
 * evaluated. */
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
#include "search/limits.h"
#include "search/search_report.h"
#include "search/searchers/generation.h"
#include "search/searchers/searchers.h"
#include "search/state.h"
#include "supernet/train/signals.h"

enum { MAX_TOGETHER = SQ_WORKER_POOL_CANDIDATES, LINES_EVERY = 10 };

typedef struct {
    sq_searcher searcher;
    sq_worker_pool *pool;
    bool is_quiet;
    char state_path[SQ_PATH_BYTES], folder[SQ_PATH_BYTES];
    uint64_t fingerprint;
    sq_candidate *all; /* baseline first, then generations; the search frees the paths */
    int count, limit, baseline_count;
    sq_candidate *resumed; /* candidates that the interrupted search has scored */
    int resumed_count;
    double begin_seconds;
    int begin_count;
} search;

/* Passes all scored candidates except the baseline to the searcher. Returns the searcher. */
static const sq_searcher *observe(search *s)
{
    s->searcher.observed = s->all + s->baseline_count;
    s->searcher.observed_count = s->count - s->baseline_count;
    return &s->searcher;
}

static const sq_candidate *best_of(search *s)
{
    const sq_searcher *searcher = observe(s);
    return sq_candidate_best(searcher->observed, searcher->observed_count);
}

static void show(search *s, bool is_terminal)
{
    char line[256], left[64];
    const sq_candidate *best = best_of(s), *last = &s->all[s->count - 1];
    const double each = (sq_seconds_now() - s->begin_seconds) / (double)(s->count - s->begin_count);
    if (s->is_quiet)
        return;
    int used = snprintf(line, sizeof line, "search %5d/%d  last top-1 %5.1f%%", s->count, s->limit, 100 * last->top1);
    if (last->generation < 0) /* the baseline, which cannot be the best */
        used += snprintf(line + used, sizeof line - (size_t)used, "  random paths");
    else
        used += snprintf(line + used, sizeof line - (size_t)used, "  best %5.1f%%", best ? 100 * best->top1 : 0);
    (void)snprintf(line + used, sizeof line - (size_t)used, "  left %s",
                   sq_text_duration(left, sizeof left, each * (s->limit - s->count)));
    if (is_terminal)
        (void)fprintf(stderr, "\r%s\033[K%s", line, s->count == s->limit ? "\n" : "");
    else if (s->count % LINES_EVERY == 0 || s->count == s->limit)
        (void)fprintf(stderr, "%s\n", line);
}

/* Copies the next candidate's scores from the interrupted search if that search has scored the candidate. */
static sq_status restore_score(const search *s, sq_candidate *c, bool *is_restored)
{
    const size_t bytes = (size_t)s->searcher.space->layer_count * sizeof *c->path;
    *is_restored = s->count < s->resumed_count;
    if (!*is_restored)
        return SQ_OK;
    const sq_candidate *saved = &s->resumed[s->count];
    if (memcmp(saved->path, c->path, bytes) != 0)
        return sq_fail(SQ_INVALID,
                       "%s: candidate %d differs from the one that this search proposes; use --resume never to start "
                       "over",
                       s->state_path, s->count);
    c->images = saved->images ? saved->images : s->searcher.evaluation_images; /* version 0.1 did not write images */
    c->loss = saved->loss;
    c->top1 = saved->top1;
    c->top5 = saved->top5;
    return SQ_OK;
}

/* Appends a copy of a scored candidate. */
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
    c->loss = result->nonfinite ? SQ_NONFINITE_LOSS : result->loss / images;
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

/* Fails with SQ_INTERRUPTED. why: the reason; may be sq_error_text(). */
static sq_status report_interruption(const search *s, const char *why)
{
    char text[256];
    (void)snprintf(text, sizeof text, "%s", why);
    return sq_fail(SQ_INTERRUPTED, "%s: %d of %d candidates are saved; the same command resumes", text, s->count,
                   s->limit);
}

/* Evaluates new candidates, which must all have the same number of images, and saves the state. */
static sq_status evaluate_together(search *s, sq_candidate *proposed, int count)
{
    const int *paths[MAX_TOGETHER] = {NULL};
    sq_result results[MAX_TOGETHER];
    for (int i = 0; i < count; i++)
        paths[i] = proposed[i].path;
    const sq_status status = sq_worker_pool_evaluate(s->pool, paths, count, (size_t)proposed[0].images, results);
    if (status == SQ_INTERRUPTED)
        return report_interruption(s, sq_error_text());
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
        return report_interruption(s, sq_signals_name());
    return SQ_OK;
}

static sq_status evaluate(search *s, sq_candidate *proposed, int count)
{
    const int64_t wanted = (int64_t)s->searcher.options->together * sq_worker_pool_size(s->pool);
    const int together = wanted < MAX_TOGETHER ? (int)wanted : MAX_TOGETHER;
    int done = 0;
    for (bool is_restored = true; done < count; done += is_restored) {
        SQ_TRY(restore_score(s, &proposed[done], &is_restored));
        if (!is_restored)
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

/* Draws all random paths of the baseline. No path is scored before all are drawn, because each path must differ from
 * the paths drawn before. */
static sq_status draw_baseline(search *s, sq_candidate *proposed, int *count)
{
    const int wanted = s->searcher.options->random_paths;
    for (*count = 0; *count < wanted; ++*count) {
        sq_candidate *c = &proposed[*count];
        c->generation = -1;
        c->images = 0;
        const uint64_t stream = (UINT64_C(1) << SQ_BASELINE_STREAM) + (uint64_t)*count;
        if (!sq_generation_draw(&s->searcher, stream, proposed, *count, c->path))
            return SQ_OK; /* a small space has no more paths */
        sq_limits_fill_costs(&s->searcher, c);
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

/* Allocates room for the baseline and for the largest generation. */
static sq_status run_all(search *s)
{
    const int wanted = sq_searcher_generation_limit(&s->searcher), random_paths = s->searcher.options->random_paths;
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

static void set_problem(sq_searcher *searcher, const sq_search_problem *problem, const sq_search_context *context)
{
    searcher->options = problem->options;
    searcher->space = problem->space;
    searcher->devices = problem->devices;
    searcher->evaluation_images = context->evaluation_images;
    searcher->calibration_images = context->calibration_images;
}

/* Checks the options, computes the costs of the blocks, and checks the limits. */
static sq_status check(sq_searcher *searcher)
{
    SQ_TRY(sq_searcher_check(searcher));
    if (searcher->options->together < 1)
        return sq_fail(SQ_INVALID, "search: together: found %d, expected at least 1", searcher->options->together);
    sq_limits_fill_block_costs(searcher);
    return sq_limits_check(searcher);
}

sq_status sq_search_check(const sq_search_problem *problem, const sq_search_context *context)
{
    sq_searcher *searcher = calloc(1, sizeof *searcher);
    if (!searcher)
        return sq_fail(SQ_NO_MEMORY, "search");
    set_problem(searcher, problem, context);
    const sq_status status = check(searcher);
    free(searcher);
    return status;
}

static sq_status begin(search *s, const sq_search_context *context)
{
    SQ_TRY(check(&s->searcher));
    SQ_TRY(sq_text_path(s->folder, sizeof s->folder, context->run_folder, "search"));
    SQ_TRY(sq_text_path(s->state_path, sizeof s->state_path, s->folder, "state.json"));
    SQ_TRY(sq_folder_make(s->folder));
    s->fingerprint = sq_search_fingerprint(&s->searcher, context->weights_hash);
    if (context->is_resumed)
        SQ_TRY(sq_search_state_read(s->state_path, s->fingerprint, s->searcher.space, &s->resumed, &s->resumed_count));
    s->limit = s->searcher.options->random_paths + sq_searcher_budget(&s->searcher);
    s->all = calloc((size_t)s->limit + 1, sizeof *s->all);
    s->begin_seconds = sq_seconds_now();
    s->begin_count = s->resumed_count;
    return s->all ? SQ_OK : sq_fail(SQ_NO_MEMORY, "search: %d candidates", s->limit);
}

static double mean_top1(const sq_candidate *candidates, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += candidates[i].top1;
    return count ? sum / count : NAN;
}

static sq_status finish(search *s, sq_search_result *out)
{
    const sq_candidate *best = best_of(s);
    if (!best)
        return sq_fail(SQ_INVALID, "search: no path within the limits was found");
    sq_search_result result = {.candidates = s->all,
                               .candidate_count = s->count,
                               .best = (int)(best - s->all),
                               .random_mean_top1 = mean_top1(s->all, s->baseline_count)};
    SQ_TRY(sq_pareto_front_find(&result.front, observe(s), s->baseline_count));
    const sq_status status = sq_search_report_write(s->folder, &s->searcher, &result);
    if (status != SQ_OK) {
        sq_pareto_front_clear(&result.front);
        return status;
    }
    *out = result;
    s->all = NULL; /* now owned by the result */
    return SQ_OK;
}

static void release(sq_candidate *candidates, int count)
{
    for (int i = 0; candidates && i < count; i++)
        free(candidates[i].path);
    free(candidates);
}

sq_status sq_search(sq_search_result *out, const sq_search_problem *problem, sq_worker_pool *pool,
                    const sq_search_context *context)
{
    search *s = calloc(1, sizeof *s);
    if (!s)
        return sq_fail(SQ_NO_MEMORY, "search");
    set_problem(&s->searcher, problem, context);
    s->pool = pool;
    s->is_quiet = context->is_quiet;
    sq_status status = begin(s, context);
    if (status == SQ_OK)
        status = run_all(s);
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
    sq_pareto_front_clear(&result->front);
    memset(result, 0, sizeof *result);
}
