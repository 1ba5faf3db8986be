/* Trains from a configuration. */
#include "tools/run/training.h"

#include <stdio.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "supernet/train/signals.h"
#include "tools/run/config/writer.h"
#include "tools/run/history.h"
#include "tools/run/messages.h"

/* Returns whether each rank trains only a part of a step's paths. */
static bool shares_paths(const sq_session *s, int paths)
{
    return s->config->train.rank_paths && paths > 1 && sq_ranks_count(s->ranks) > 1;
}

static void print_start(const sq_session *s, const sq_space *space, const sq_model *model,
                        const sq_training_request *training, int paths)
{
    const sq_memory_plan *plan = sq_model_plan(model);
    const sq_train_options *o = &s->config->train;
    char parameters[32], memory[32], several[64] = "", rate[64] = "";
    double all = 1;
    size_t bytes = 0;
    for (int l = 0; l < space->layer_count; l++)
        all *= space->layers[l].choice_count;
    for (int role = 0; role < SQ_ROLES; role++)
        bytes += plan->role_bytes[role];
    size_t count = 0;
    for (int i = 0; i < plan->parameter_count; i++)
        count += plan->parameters[i].role == SQ_ROLE_WEIGHT ? plan->parameters[i].count : 0;
    (void)printf("training %s into %s\n", training->path ? "one path" : "the supernet", training->run);
    sq_print_row("space", "%s: %d layers, %d searched, %.3g paths, %s", space->name, space->layer_count,
                 space->searched_count, all, sq_text_si(parameters, sizeof parameters, (double)count, " parameters"));
    sq_print_row("images", "%zu to train on, %zu held out, %d classes, %d x %d", sq_dataset_count(s->train),
                 s->held_out ? sq_dataset_count(s->held_out) : 0, space->classes, space->resolution, space->resolution);
    if (paths > 1)
        (void)snprintf(several, sizeof several, " along %d paths%s", paths,
                       shares_paths(s, paths) ? ", split across the ranks" : "");
    if (s->config->lr_batch && s->config->lr_batch != o->batch)
        (void)snprintf(rate, sizeof rate, " (%g for batches of %d)", s->config->lr, s->config->lr_batch);
    sq_print_row("schedule", "%lld steps of %d images%s (%.1f epochs), learning rate %g%s", (long long)o->steps,
                 o->batch, several, (double)o->steps * o->batch / (double)sq_dataset_count(s->train), o->schedule.base,
                 rate);
    sq_print_row("device", "%s, %s planned%s", s->backend->ops->name,
                 sq_text_si(memory, sizeof memory, (double)bytes, "B"),
                 sq_ranks_count(s->ranks) > 1 ? " on each rank" : "");
    if (sq_ranks_count(s->ranks) > 1) {
        char ranks[256];
        sq_ranks_describe(s->ranks, ranks, sizeof ranks);
        sq_print_row("ranks", "%s; %d images each%s", ranks, o->batch / sq_ranks_count(s->ranks),
                     s->config->reduction == SQ_BF16 ? "; gradients are reduced in BF16" : "");
        if (s->config->sync_batch_norm)
            sq_print_row("", "batch norm uses the images of all ranks");
    }
}

typedef struct {
    const sq_session *session;
    const sq_training_request *training;
    const sq_cache_plan *cache;
    sq_device_cache **device_cache; /* filled by fill_cache */
} training_context;

sq_status sq_training_check_free(const char *run)
{
    char path[SQ_PATH_BYTES];
    SQ_TRY(sq_text_path(path, sizeof path, run, "config.yaml"));
    return sq_path_exists(path)
               ? sq_fail(SQ_INVALID, "%s: holds a run already; use --resume auto to continue it, or another -o", run)
               : SQ_OK;
}

/* Writes config.yaml, and arch.json for a single path. */
static sq_status write_config(const void *context)
{
    const sq_session *s = ((const training_context *)context)->session;
    const sq_training_request *training = ((const training_context *)context)->training;
    char file[SQ_PATH_BYTES], tuple[1024], text[1200];
    if (!training->is_resumed)
        SQ_TRY(sq_training_check_free(training->run)); /* another process may have used the folder until now */
    SQ_TRY(sq_text_path(file, sizeof file, training->run, "config.yaml"));
    SQ_TRY(sq_config_write(s->config, file));
    sq_history_add(training->run, sq_ranks_count(s->ranks));
    if (!training->path)
        return SQ_OK;
    (void)sq_arch_print(s->space, training->path, tuple, sizeof tuple);
    tuple[0] = '[';
    tuple[strlen(tuple) - 1] = ']';
    const int length = snprintf(text, sizeof text, "{\"arch\": %s}\n", tuple);
    const sq_piece piece = {text, (size_t)length};
    SQ_TRY(sq_text_path(file, sizeof file, training->run, "arch.json"));
    return sq_file_replace(file, &piece, 1);
}

/* Gives the loader the plan of a cache in memory, or decodes all images into a device cache that the loader uses. */
static sq_status fill_cache(const void *context, sq_loader_options *loader)
{
    const training_context *b = context;
    const sq_device_cache_options options = {
        .bytes = b->cache->bytes, .threads = loader->threads, .is_stopped = sq_signals_received};
    if (b->cache->form != SQ_CACHE_DEVICE) {
        loader->cache = b->cache;
        return SQ_OK;
    }
    SQ_TRY(sq_device_cache_load(b->device_cache, b->session->train, b->session->backend, &options));
    loader->device_cache = *b->device_cache;
    return SQ_OK;
}

/* Counts the paths of a step. Refuses an invalid sampler before the run's folder is created. */
static sq_status count_paths(const sq_session *s, const sq_space *space, int *out)
{
    sq_sampler *sampler = NULL;
    sq_sampler_options options = s->config->train.sampler;
    options.search_mask = space == s->space ? options.search_mask : NULL;
    SQ_TRY(sq_sampler_open(&sampler, space, &options));
    *out = sq_sampler_paths(sampler);
    sq_sampler_close(sampler);
    return SQ_OK;
}

static sq_status check_ranks(const sq_session *s, int paths, bool is_single)
{
    const int batch = s->config->train.batch, ranks = sq_ranks_count(s->ranks);
    if (s->config->train.rank_paths && ranks > 1 && paths == 1 && !is_single)
        return sq_fail(SQ_INVALID,
                       "train.rank_paths: own: found one path per step, expected an equal number for each rank "
                       "(train.paths, or train.sampler: fair)");
    if (shares_paths(s, paths) && s->config->sync_batch_norm)
        return sq_fail(SQ_INVALID,
                       "train.sync_batch_norm: expected train.rank_paths: all, because different paths have "
                       "different norms");
    if (shares_paths(s, paths) && paths % ranks != 0)
        return sq_fail(SQ_INVALID,
                       "train.rank_paths: found %d paths per step for %d ranks, expected an equal number for each rank",
                       paths, ranks);
    if (batch % ranks != 0 || batch / ranks < 2)
        return sq_fail(SQ_INVALID,
                       "train.batch: found %d images for %d ranks, expected an equal number for each, at least 2",
                       batch, ranks);
    return SQ_OK;
}

static sq_model_options model_options(const sq_session *s, bool is_supernet, int paths)
{
    const int images = s->config->train.batch / sq_ranks_count(s->ranks); /* images of one rank */
    return (sq_model_options){.block = sq_session_block(s, images, is_supernet),
                              .is_training = true,
                              .has_remote_paths = shares_paths(s, paths),
                              .reduce_dtype = s->config->reduction};
}

static sq_status train(const sq_session *s, const sq_space *space, const sq_training_request *training, int paths)
{
    char bad_log[SQ_PATH_BYTES];
    sq_model *model = NULL;
    const sq_model_options options = model_options(s, !training->path, paths);
    sq_loader_options loader = sq_session_loader(s, true);
    const char *from = s->config->train_from;
    sq_cache_plan cache;
    sq_device_cache *device_cache = NULL;
    const training_context context = {s, training, &cache, &device_cache};
    const sq_train_run run = {.folder = training->run,
                              .is_resumed = training->is_resumed,
                              .is_quiet = training->is_quiet,
                              .on_start = write_config,
                              .complete_loader = fill_cache,
                              .context = &context,
                              .ranks = s->ranks,
                              .timeline = training->timeline,
                              .inherit_from = training->path || !*from ? NULL : from};
    sq_train_options train = s->config->train;
    if (training->path)
        train.sampler.search_mask = NULL; /* the mask is for the supernet; a space of one path needs none */
    loader.bad_log = sq_text_path(bad_log, sizeof bad_log, training->run, "bad-images.txt") == SQ_OK ? bad_log : NULL;
    SQ_TRY(sq_model_create(&model, s->backend, space, &options));
    sq_status status = sq_session_cache(s, s->train, &cache); /* plans only with the memory that the model leaves */
    if (status == SQ_OK && training->has_start && sq_ranks_rank(s->ranks) == 0) {
        print_start(s, space, model, training, paths);
        sq_print_cache(&cache);
        (void)fflush(stdout);
    }
    status = sq_ranks_agree(s->ranks, status);
    if (status == SQ_OK)
        status = sq_train(model, s->train, &loader, &train, &run);
    sq_device_cache_close(device_cache);
    sq_model_destroy(model);
    return status;
}

sq_status sq_training_run(const sq_session *s, const sq_training_request *training)
{
    sq_space *single = NULL;
    int paths = 1;
    if (training->path)
        SQ_TRY(sq_space_single(&single, s->space, training->path));
    sq_status status = count_paths(s, single ? single : s->space, &paths);
    if (status == SQ_OK)
        status = check_ranks(s, paths, single != NULL);
    if (status == SQ_OK)
        status = train(s, single ? single : s->space, training, paths);
    sq_space_free(single);
    return status;
}
