/* Searches a trained run: opens devices and evaluators, and writes files. */
#include "tools/run/search/search_run.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/clock.h"
#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "search/evaluate/batch_choice.h"
#include "search/search.h"
#include "search/searchers/searchers.h"
#include "supernet/train/log/events.h"
#include "tools/run/config/writer.h"
#include "tools/run/history.h"
#include "tools/run/messages.h"
#include "tools/run/search/search_summary.h"
#include "tools/run/trained_run.h"

#define BATCH_FILE "search/batch.json"

/* The configured devices. Their tables are prepared for the space. */
typedef struct {
    sq_latency_cache caches[SQ_MAX_DEVICES];
    sq_search_devices devices;
} device_list;

static sq_status open_devices(device_list *out, const sq_config *config, const sq_space *space)
{
    const int count = sq_config_device_count(config);
    for (int d = 0; d < count; d++) {
        const sq_latency_config *c = &config->latency[d];
        SQ_TRY(sq_latency_load(&out->caches[d], c->device, space, (sq_fill)c->fill));
        out->devices.list[d] = (sq_search_device){out->caches[d].info.name, &out->caches[d],  c->limit_ms, c->margin,
                                                  c->limit_energy_mj,       c->limit_area_mm2};
        out->devices.count++;
    }
    return SQ_OK;
}

static void close_devices(device_list *list)
{
    for (int d = 0; d < SQ_MAX_DEVICES; d++)
        sq_latency_cache_clear(&list->caches[d]);
}

static sq_status file_of(char path[SQ_PATH_BYTES], const char *run, const char *name)
{
    return sq_text_path(path, SQ_PATH_BYTES, run, name);
}

/* Chooses the evaluation batch. If search.evaluation_batch is 0, reads the batch from the files of a resumed search, or
 * else measures which batch is the fastest. */
static sq_status choose_batch(sq_trained_run *r, const char *run, bool is_resumed, int *batch)
{
    char path[SQ_PATH_BYTES];
    if (*batch > 0)
        return SQ_OK;
    SQ_TRY(file_of(path, run, BATCH_FILE));
    if (is_resumed)
        SQ_TRY(sq_batch_choice_read(path, batch));
    if (*batch > 0)
        return SQ_OK;
    const sq_batch_candidates candidates = {r->session.backend, r->space, r->model, &r->validation,
                                            (size_t)r->session.config->search.cache_mb << 20};
    SQ_TRY(sq_batch_choose(batch, &candidates));
    (void)fprintf(stderr, "evaluation batch %d: the fastest\n", *batch);
    return SQ_OK;
}

/* Writes the files next to the search's state after all checks have passed: the measured batch, which a resumed search
 * must reuse, and RUN/search/config.yaml, which gives the report the limits and devices of the command line. First
 * removes the files of an older search. Writes nothing if the search resumes a saved state. */
static sq_status keep_files(const sq_trained_run *r, const char *run, bool is_resumed, int batch)
{
    static const char *const found[] = {"search/state.json", "search/search.json", "search/arch.json"};
    char path[SQ_PATH_BYTES];
    SQ_TRY(file_of(path, run, "search/state.json"));
    if (is_resumed && sq_path_exists(path))
        return SQ_OK;
    for (size_t i = 0; i < sizeof found / sizeof *found; i++) {
        SQ_TRY(file_of(path, run, found[i]));
        SQ_TRY(sq_path_remove(path));
    }
    SQ_TRY(file_of(path, run, BATCH_FILE));
    if (r->session.config->search.evaluation_batch == 0)
        SQ_TRY(sq_batch_choice_write(path, batch));
    SQ_TRY(file_of(path, run, "search/config.yaml"));
    return sq_config_write(r->session.config, path);
}

/* Writes the events for TensorBoard: accuracy, multiply-adds and the best accuracy so far for each candidate, and the
 * found network. Failures to write are ignored. */
static void write_events(const sq_trained_run *r, const char *run, const sq_search_result *result)
{
    char path[SQ_PATH_BYTES];
    sq_events *events = NULL;
    double best = 0;
    if (file_of(path, run, "search/events.out.tfevents.0000000000.search") != SQ_OK ||
        sq_events_create(&events, path) != SQ_OK)
        return;
    for (int i = 0; i < result->candidate_count; i++) {
        const sq_candidate *c = &result->candidates[i];
        if (c->generation < 0)
            continue;
        best = fmax(best, c->top1);
        sq_events_scalar(events, "search/top1_acc", i, c->top1);
        sq_events_scalar(events, "search/best_top1_acc", i, best);
        sq_events_scalar(events, "search/macs_m", i, c->macs);
    }
    sq_events_network(events, "network", result->best, r->space, result->candidates[result->best].path);
    sq_events_close(events);
}

/* The inputs of sq_search: options with the chosen batch, devices and evaluators. */
typedef struct {
    sq_search_options options;
    device_list list;
    sq_candidate_group *group;
    sq_worker_pool *pool;
} search_inputs;

/* Opens the devices, checks the limits and chooses the batch. Only rank 0 calls this function. */
static sq_status prepare(search_inputs *in, sq_trained_run *r, const sq_search_context *how)
{
    SQ_TRY(open_devices(&in->list, r->session.config, r->space));
    SQ_TRY(sq_search_check(&(sq_search_problem){&in->options, r->space, &in->list.devices}, how));
    return choose_batch(r, how->run_folder, how->is_resumed, &in->options.evaluation_batch);
}

static sq_status open_crew(search_inputs *in, sq_trained_run *r)
{
    const sq_candidate_group_options options = {.data = {.calibration = &r->calibration,
                                                         .validation = &r->validation,
                                                         .calibration_batch = r->calibration_batch,
                                                         .evaluation_batch = in->options.evaluation_batch},
                                                .budget_bytes = (size_t)in->options.cache_mb << 20};
    SQ_TRY(sq_candidate_group_create(&in->group, r->session.backend, r->space, r->model, &options));
    return sq_worker_pool_create(&in->pool, in->group, r->space, in->options.search_mask, r->session.ranks);
}

/* Prints the shares of calibration, scoring and other work in the time of the search on one rank. */
static void print_passes(const sq_evaluation_counters *count, double seconds)
{
    const double share = 100 / seconds,
                 rest = seconds - count->calibration_seconds - count->scoring_seconds - count->fixed_seconds;
    (void)fprintf(
        stderr, ": calibration %.1f %%, scoring %.1f %%, fixed layers %.1f %%, proposals and saving %.1f %%\n",
        share * count->calibration_seconds, share * count->scoring_seconds, share * count->fixed_seconds, share * rest);
}

/* Prints the number of candidates that each rank scored, and the average number of busy ranks. */
static void print_ranks(const sq_worker_pool *pool, double seconds)
{
    double busy = 0;
    (void)fputs(": ", stderr);
    for (int r = 0; r < sq_worker_pool_size(pool); r++) {
        busy += sq_worker_pool_counters(pool, r).seconds;
        (void)fprintf(stderr, "%s%" PRId64, r ? " + " : "", sq_worker_pool_counters(pool, r).candidates);
    }
    (void)fprintf(stderr, " on %d ranks, %.2f of them busy on average\n", sq_worker_pool_size(pool), busy / seconds);
}

/* Prints the amount of work to stderr. The work is not part of the result on stdout, because a resumed search does less
 * work. seconds: the duration of the search. */
static void print_work(const search_inputs *in, double seconds)
{
    const sq_evaluation_counters count = sq_candidate_group_counters(in->group);
    int64_t candidates = 0;
    for (int r = 0; r < sq_worker_pool_size(in->pool); r++)
        candidates += sq_worker_pool_counters(in->pool, r).candidates;
    if (candidates == 0)
        return;
    (void)fprintf(stderr, "%" PRId64 " candidates in %.1f s, %.1f ms each", candidates, seconds,
                  1e3 * seconds / (double)candidates);
    if (sq_worker_pool_size(in->pool) > 1)
        print_ranks(in->pool, seconds);
    else
        print_passes(&count, seconds);
    if (count.runs == 0)
        return;
    (void)fprintf(stderr, "%sevaluated %" PRId64 " blocks' programs for %" PRId64 " (%.2f x shared), %.0f MB kept%s\n",
                  sq_worker_pool_size(in->pool) > 1 ? "the first rank " : "", count.runs, count.alone,
                  (double)count.alone / (double)count.runs, 1e-6 * (double)count.kept_bytes,
                  count.is_shared ? "" : "; search.cache_mb holds no batch's boundaries: nothing was shared");
}

/* The values that a score depends on in addition to the path. */
typedef struct {
    char device[64];
    uint64_t weights; /* hash of the weights and the numbers of images */
} score_basis;

static sq_status score_basis_of(sq_trained_run *r, score_basis *out)
{
    const sq_memory_plan *plan = sq_model_plan(r->model);
    const size_t bytes = plan->role_bytes[SQ_ROLE_WEIGHT];
    void *weights = malloc(bytes);
    *out = (score_basis){.weights = sq_hash(SQ_HASH_START, &r->validation.count, sizeof r->validation.count)};
    if (!weights)
        return sq_fail(SQ_NO_MEMORY, "search: a copy of the weights");
    (void)snprintf(out->device, sizeof out->device, "%s, engine %d", r->session.backend->ops->name,
                   r->session.config->engine);
    const sq_status status = sq_model_read(r->model, SQ_ROLE_WEIGHT, 0, weights, bytes);
    out->weights = sq_hash(out->weights, &r->calibration.count, sizeof r->calibration.count);
    out->weights = sq_hash(out->weights, weights, bytes);
    free(weights);
    return status;
}

/* Refuses ranks that would score the same path differently. */
static sq_status check_same_basis(sq_trained_run *r)
{
    sq_ranks *ranks = r->session.ranks;
    const int count = sq_ranks_count(ranks);
    if (count == 1)
        return SQ_OK;
    score_basis own, *all = calloc((size_t)count, sizeof *all);
    sq_status status =
        sq_ranks_agree(ranks, all ? score_basis_of(r, &own) : sq_fail(SQ_NO_MEMORY, "search: %d ranks", count));
    if (status == SQ_OK)
        status = sq_ranks_gather(ranks, &own, sizeof own, all);
    for (int i = 1; status == SQ_OK && i < count; i++) {
        if (strcmp(all[i].device, all[0].device) != 0)
            status = sq_fail(SQ_INVALID, "rank 0 has device %s, rank %d has %s: expected the same device on all ranks",
                             all[0].device, i, all[i].device);
        else if (all[i].weights != all[0].weights)
            status = sq_fail(SQ_INVALID,
                             "rank %d has different weights or images from rank 0: expected one shared folder", i);
    }
    free(all);
    return status;
}

static sq_status search_with(search_inputs *in, sq_trained_run *r, const sq_search_context *how, bool on_val)
{
    const double begin = sq_seconds_now();
    sq_search_result result = {0};
    const sq_search_problem problem = {&in->options, r->space, &in->list.devices};
    SQ_TRY(sq_search(&result, &problem, in->pool, how));
    sq_history_add(how->run_folder, sq_ranks_count(r->session.ranks));
    write_events(r, how->run_folder, &result);
    sq_search_print_result(r, &result, &in->list.devices, how->run_folder, on_val);
    print_work(in, sq_seconds_now() - begin);
    sq_search_result_clear(&result);
    return SQ_OK;
}

/* Searches while holding the lock of the search folder. */
static sq_status search_locked(search_inputs *in, sq_trained_run *r, const sq_search_context *how, bool on_val)
{
    char folder[SQ_PATH_BYTES];
    int lock = SQ_NO_LOCK;
    SQ_TRY(file_of(folder, how->run_folder, "search"));
    SQ_TRY(sq_folder_make(folder));
    SQ_TRY(sq_folder_lock(folder, &lock));
    sq_status status = keep_files(r, how->run_folder, how->is_resumed, in->options.evaluation_batch);
    if (status == SQ_OK)
        status = search_with(in, r, how, on_val);
    sq_folder_unlock(lock);
    return status;
}

static sq_status search(sq_trained_run *r, const char *run, const sq_search_request *a)
{
    const bool is_first = sq_ranks_rank(a->ranks) == 0;
    search_inputs in = {.options = r->session.config->search};
    const sq_search_context how = {.run_folder = run,
                                   .is_resumed = a->is_resumed,
                                   .is_quiet = a->is_quiet,
                                   .weights_hash = r->weights ^ (uint64_t)a->on_val,
                                   .evaluation_images = (int)r->validation.count,
                                   .calibration_images = (int)r->calibration.count};
    sq_status status = sq_ranks_agree(a->ranks, is_first ? prepare(&in, r, &how) : SQ_OK);
    if (status == SQ_OK)
        status = sq_ranks_broadcast(a->ranks, &in.options.evaluation_batch, sizeof in.options.evaluation_batch);
    if (status == SQ_OK)
        status = sq_ranks_agree(a->ranks, open_crew(&in, r));
    if (status == SQ_OK)
        status = sq_ranks_agree(a->ranks, check_same_basis(r));
    if (status == SQ_OK) {
        sq_worker_pool_start(in.pool);
        status = is_first ? search_locked(&in, r, &how, a->on_val) : sq_worker_pool_serve(in.pool);
    }
    sq_worker_pool_destroy(in.pool);
    sq_candidate_group_destroy(in.group);
    close_devices(&in.list);
    return sq_ranks_agree(a->ranks, status);
}

static sq_status open_trained(sq_trained_run *r, const char *run, const sq_options *options,
                              const sq_search_request *searching)
{
    SQ_TRY(sq_trained_run_open(r, run, searching->config, options, searching->on_val));
    return r->space->searched_count ? SQ_OK
                                    : sq_fail(SQ_INVALID, "%s: trained one path; there is nothing to search", run);
}

sq_status sq_search_trained_run(const char *run, const sq_options *options, const sq_search_request *searching)
{
    sq_trained_run r = {.session = {.ranks = searching->ranks}};
    sq_status status = sq_ranks_agree(searching->ranks, open_trained(&r, run, options, searching));
    if (status == SQ_OK)
        status = search(&r, run, searching);
    sq_trained_run_close(&r);
    return status;
}
