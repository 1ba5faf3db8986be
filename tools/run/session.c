/* Opens the configured data sets, space, backend and ranks of a command. */
#include "tools/run/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/loader/cores.h"
#include "kernels/base/text.h"
#include "search/stages.h"
#include "tools/run/messages.h"

#define LEAST_JOIN_SECONDS 30.0 /* seconds, because a launcher does not start all processes at the same time */

static sq_status limit_classes(sq_dataset **out, sq_dataset *whole, int classes)
{
    if (classes == 0) {
        *out = whole;
        return SQ_OK;
    }
    return sq_dataset_limit_classes(out, whole, classes);
}

static sq_status open_val(sq_session *s)
{
    const sq_data_config *data = &s->config->data;
    const char *source = *data->val ? data->val : data->train;
    SQ_TRY(sq_dataset_open(&s->whole_val, source, "val"));
    if (s->whole)
        SQ_TRY(sq_dataset_same_classes(s->whole, s->whole_val));
    return limit_classes(&s->val, s->whole_val, data->classes);
}

static sq_status open_data(sq_session *s)
{
    const sq_data_config *data = &s->config->data;
    if (!*data->train)
        return sq_fail(SQ_INVALID, "data.train: found nothing, expected a folder or tar with train/<class>/<image>");
    if (data->cache == SQ_DATA_CACHE_DEVICE && data->decode != SQ_DECODE_EXACT)
        return sq_fail(SQ_INVALID, "data.cache: device: keeps whole images, expected data.decode: exact");
    SQ_TRY(sq_dataset_open(&s->whole, data->train, "train"));
    SQ_TRY(limit_classes(&s->all, s->whole, data->classes));
    if (data->held_out > 0)
        SQ_TRY(sq_dataset_hold_out(&s->held_out, s->all, data->held_out, (uint64_t)s->config->seed, true));
    return sq_dataset_hold_out(&s->train, s->all, data->held_out, (uint64_t)s->config->seed, false);
}

/* Makes the search mask of layers.search and layers.fixed for the sampler and the searcher. */
static sq_status make_search_mask(sq_session *s)
{
    int path[SQ_MAX_LAYERS] = {0};
    sq_config *config = s->config;
    if (!*config->layers_search && !*config->layers_fixed)
        return SQ_OK;
    if (!*config->layers_search || !*config->layers_fixed)
        return sq_fail(SQ_INVALID, "layers: found search '%s' and fixed '%s', expected both or neither",
                       config->layers_search, config->layers_fixed);
    SQ_TRY(sq_arch_read(s->space, config->layers_fixed, path));
    s->search_mask = calloc(1, sizeof *s->search_mask);
    if (!s->search_mask)
        return sq_fail(SQ_NO_MEMORY, "search mask");
    SQ_TRY(sq_search_mask_read(s->search_mask, s->space, config->layers_search, path));
    config->train.sampler.search_mask = config->search.search_mask = s->search_mask;
    return SQ_OK;
}

int sq_session_threads(const sq_session *s)
{
    const int local = sq_ranks_local_count(s->ranks);
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    sq_cores cores;
    sq_cores_find(&cores, NULL);
    if (s->config->threads > 0 || local == 1 || cores.count < online)
        return s->config->threads;
    return cores.count > local ? cores.count / local : 1;
}

static sq_status open_backend(sq_session *s, bool is_training)
{
    const sq_backend_options options = {.threads = sq_session_threads(s),
                                        .no_graphs = s->config->graphs == 0,
                                        .engine = (sq_engine)s->config->engine,
                                        .device = sq_ranks_local(s->ranks),
                                        .is_local_rank = sq_ranks_count(s->ranks) > 1};
    SQ_TRY(sq_backend_open_with(s->config->device, &options, &s->backend));
    if (!is_training)
        return SQ_OK; /* ranks reduce nothing without training */
    SQ_TRY(sq_ranks_attach(s->ranks, s->backend));
    return s->config->sync_batch_norm ? sq_ranks_share_norms(s->ranks, s->backend) : SQ_OK;
}

sq_status sq_session_join(sq_ranks **out, const sq_options *options)
{
    double seconds = 0; /* 0: the default limit; sq_config_read later rejects bad values */
    const char *text = sq_options_find(options, "ranks.time_limit");
    if (text)
        (void)sq_text_double(text, 0, 1e9, &seconds);
    return sq_ranks_open(out, seconds > 0 && seconds < LEAST_JOIN_SECONDS ? LEAST_JOIN_SECONDS : seconds);
}

int sq_session_leave(const char *command, sq_ranks *ranks, sq_status status)
{
    const int code = status == SQ_OK ? 0 : sq_command_fail(command, status);
    (void)fflush(stdout); /* output ends before the ranks disconnect; a write error is ignored */
    sq_ranks_close(ranks, code);
    return code;
}

sq_status sq_session_open(sq_session *out, const char *config_path, const sq_options *options, unsigned flags)
{
    sq_session s = {.ranks = out->ranks};
    sq_status status =
        sq_config_read(&s.config, config_path, (const char *const *)options->overrides, options->override_count);
    if (status == SQ_OK)
        sq_ranks_set_time_limit(s.ranks, s.config->ranks_time_limit);
    if (status == SQ_OK && flags & SQ_OPEN_DATA)
        status = open_data(&s);
    if (status == SQ_OK && flags & SQ_OPEN_VAL)
        status = open_val(&s);
    if (status == SQ_OK)
        status = sq_space_read(&s.space, s.config->space, s.config->data.resolution,
                               s.all ? sq_dataset_class_count(s.all) : 0);
    if (status == SQ_OK)
        status = make_search_mask(&s);
    if (status == SQ_OK && flags & (SQ_OPEN_BACKEND | SQ_OPEN_TRAINING))
        status = open_backend(&s, flags & SQ_OPEN_TRAINING);
    if (status == SQ_OK)
        *out = s;
    else
        sq_session_close(&s);
    return status;
}

void sq_session_close(sq_session *s)
{
    if (s->val != s->whole_val)
        sq_dataset_close(s->val);
    sq_dataset_close(s->whole_val);
    sq_dataset_close(s->train);
    sq_dataset_close(s->held_out);
    if (s->all != s->whole)
        sq_dataset_close(s->all);
    sq_dataset_close(s->whole);
    sq_space_free(s->space);
    sq_backend_close(s->backend);
    free(s->search_mask);
    sq_config_free(s->config);
    memset(s, 0, sizeof *s);
}

sq_loader_options sq_session_loader(const sq_session *s, bool is_training)
{
    sq_loader_options options = {
        .transform = s->config->data.transform,
        .batch = is_training ? s->config->train.batch / sq_ranks_count(s->ranks) : 256,
        .is_shuffled = is_training,
        .seed = (uint64_t)s->config->seed,
        .threads = s->config->data.threads,
        .ring = s->config->data.ring,
        .max_bad = s->config->data.max_bad,
        .decode = (sq_decode_mode)s->config->data.decode,
    };
    options.transform.is_augmented = is_training;
    options.transform.resolution = s->space->resolution;
    return options;
}

sq_status sq_session_cache(const sq_session *s, const sq_dataset *dataset, sq_cache_plan *out)
{
    const sq_data_config *data = &s->config->data;
    *out = (sq_cache_plan){.form = SQ_CACHE_NONE};
    if (data->cache == SQ_DATA_CACHE_NONE)
        return SQ_OK;
    const int processes = sq_ranks_local_count(s->ranks);
    if (data->cache == SQ_DATA_CACHE_RAM)
        return sq_cache_plan_make(out, dataset, sq_cache_budget(data->cache_mb, processes),
                                  data->decode == SQ_DECODE_EXACT);
    if (!s->backend)
        return sq_fail(SQ_INVALID, "data.cache: device: only for training, expected none or ram");
    return sq_device_cache_plan(out, dataset, s->backend, data->cache_mb, processes);
}

void sq_print_cache(const sq_cache_plan *plan)
{
    char wanted[32], taken[32];
    if (plan->form == SQ_CACHE_NONE)
        return;
    (void)sq_text_si(wanted, sizeof wanted, (double)plan->wanted_bytes, "B");
    (void)sq_text_si(taken, sizeof taken, (double)plan->bytes, "B");
    const char *form = sq_cache_form_name(plan->form);
    if (plan->form == SQ_CACHE_DEVICE)
        sq_print_row("cache", "device: all %zu images, decoded, about %s", plan->image_count, wanted);
    else if (plan->cached_count == plan->image_count)
        sq_print_row("cache", "ram: all %zu images, %s, about %s", plan->image_count, form, wanted);
    else
        sq_print_row("cache", "ram: about %zu of %zu images, %s, in %s; all would take about %s", plan->cached_count,
                     plan->image_count, form, taken, wanted);
}

sq_block_options sq_session_block(const sq_session *s, int batch, bool is_supernet)
{
    const sq_data_config *data = &s->config->data;
    sq_block_options options = {
        .batch = batch,
        .label_smoothing = (float)s->config->train.label_smoothing,
        .is_supernet = is_supernet,
        .has_average = s->config->train.average_decay > 0,
        .is_raw = data->range == 1,
        .is_bgr = data->channel_order == 1,
    };
    memcpy(options.mean, data->mean, sizeof options.mean);
    memcpy(options.deviation, data->std, sizeof options.deviation);
    return options;
}
