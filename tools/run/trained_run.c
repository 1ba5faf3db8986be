/* Opens a trained run for search, evaluation and export. */
#include "tools/run/trained_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "search/searchers/searchers.h"
#include "supernet/train/checkpoint.h"

/* Opens the space of the run. A run that trained one path has arch.json, from which a space with only this path is
 * made. */
static sq_status open_space(sq_trained_run *r, const char *run)
{
    char path[SQ_PATH_BYTES];
    int layers[SQ_MAX_LAYERS];
    r->space = r->session.space;
    if (!sq_path_find(path, sizeof path, run, "arch.json"))
        return SQ_OK;
    SQ_TRY(sq_arch_read(r->session.space, path, layers));
    (void)sq_arch_print(r->session.space, layers, r->single_arch, sizeof r->single_arch);
    SQ_TRY(sq_space_single(&r->single, r->session.space, layers));
    r->space = r->single;
    return SQ_OK;
}

sq_status sq_trained_run_read_arch(const sq_trained_run *run, const char *arch, int *path)
{
    char given[1024];
    SQ_TRY(sq_arch_read(run->session.space, arch, path));
    (void)sq_arch_print(run->session.space, path, given, sizeof given);
    if (run->single && strcmp(given, run->single_arch) != 0)
        return sq_fail(SQ_INVALID, "--arch %s: this run trained only %s", given, run->single_arch);
    return SQ_OK;
}

static void warn(const char *line)
{
    (void)fprintf(stderr, "skipped: %s\n", line);
}

static sq_status load_weights(sq_trained_run *r, const char *run)
{
    char folder[SQ_PATH_BYTES];
    int64_t step = 0;
    sq_training_state state = {.space_hash = sq_space_hash(r->space)};
    const sq_model_options options = {.block = sq_session_block(&r->session, 1, r->single == NULL)};
    SQ_TRY(sq_checkpoint_find(run, folder, sizeof folder, &step, warn));
    SQ_TRY(sq_model_create(&r->model, r->session.backend, r->space, &options));
    SQ_TRY(sq_checkpoint_read(folder, r->model, false, &state));
    if (options.block.has_average)
        SQ_TRY(sq_checkpoint_read_average(folder, r->model));
    r->step = state.step;
    r->weights = sq_hash(SQ_HASH_START, &state.step, sizeof state.step);
    r->weights = sq_hash(r->weights, &state.seed, sizeof state.seed);
    r->weights = sq_hash(r->weights, &state.space_hash, sizeof state.space_hash);
    return SQ_OK;
}

/* Moves `count` randomly drawn indices to the front. */
static void draw_indices(size_t *indices, size_t count, size_t all, sq_rng *rng)
{
    for (size_t i = 0; i < count; i++) {
        const size_t j = i + sq_rng_below(rng, (uint32_t)(all - i)), swap = indices[i];
        indices[i] = indices[j];
        indices[j] = swap;
    }
}

/* Loads search.calibration_images randomly drawn training images. */
static sq_status load_calibration(sq_trained_run *r)
{
    const sq_loader_options options = sq_session_loader(&r->session, false);
    const size_t all = sq_dataset_count(r->session.train);
    size_t count = (size_t)r->session.config->search.calibration_images;
    count = count < all ? count : all;
    size_t *indices = malloc(all * sizeof *indices);
    if (!indices)
        return sq_fail(SQ_NO_MEMORY, "calibration images");
    sq_rng rng = sq_rng_open((uint64_t)r->session.config->seed, SQ_RNG_CALIBRATE, 0);
    for (size_t i = 0; i < all; i++)
        indices[i] = i;
    draw_indices(indices, count, all, &rng);
    const sq_status status = sq_image_set_load(&r->calibration, r->session.train, &options, indices, count);
    free(indices);
    return status;
}

static sq_status load_validation(sq_trained_run *r, bool on_val)
{
    const sq_loader_options options = sq_session_loader(&r->session, false);
    const sq_dataset *source = on_val ? r->session.val : r->session.held_out;
    if (!source)
        return sq_fail(SQ_INVALID, "data.held_out: 0, so there is nothing to score on; give a share, or --on-val");
    const size_t all = sq_dataset_count(source);
    const size_t configured = (size_t)r->session.config->search.evaluation_images,
                 count = configured && configured < all ? configured : all;
    size_t *indices = malloc(count * sizeof *indices);
    if (!indices)
        return sq_fail(SQ_NO_MEMORY, "held-out images");
    for (size_t i = 0; i < count; i++)
        indices[i] = i * all / count; /* evenly spaced, because images are sorted by class */
    if (sq_searcher_varies_images(
            r->session.config->search.kind)) { /* the first N images must be a random sample for every N */
        sq_rng rng = sq_rng_open((uint64_t)r->session.config->seed, SQ_RNG_CALIBRATE, 1);
        draw_indices(indices, count, count, &rng);
    }
    const sq_status status = sq_image_set_load(&r->validation, source, &options, indices, count);
    free(indices);
    return status;
}

static sq_status load_model(sq_trained_run *r, const char *run)
{
    SQ_TRY(open_space(r, run));
    return load_weights(r, run);
}

static sq_status open_run(sq_trained_run *r, const char *run, const char *other_config, const sq_options *options,
                          bool on_val)
{
    char path[SQ_PATH_BYTES];
    const unsigned flags = SQ_OPEN_DATA | SQ_OPEN_BACKEND | (on_val ? SQ_OPEN_VAL : 0);
    SQ_TRY(sq_text_path(path, sizeof path, run, "config.yaml"));
    if (!other_config && !sq_path_exists(path))
        return sq_fail(SQ_INVALID, "%s: not a run: config.yaml is missing; squall train creates it", run);
    SQ_TRY(sq_session_open(&r->session, other_config ? other_config : path, options, flags));
    SQ_TRY(load_model(r, run));
    SQ_TRY(load_calibration(r));
    SQ_TRY(load_validation(r, on_val));
    const sq_search_options *search = &r->session.config->search;
    r->calibration_batch = (size_t)search->calibration_batch < r->calibration.count ? search->calibration_batch
                                                                                    : (int)r->calibration.count;
    return SQ_OK;
}

enum {
    DEFAULT_BATCH = 200
}; /* used if search.evaluation_batch is 0, because measuring the best batch costs more than scoring one path */

sq_status sq_trained_run_open_evaluator(sq_trained_run *r)
{
    const int configured = r->session.config->search.evaluation_batch, batch = configured ? configured : DEFAULT_BATCH;
    const sq_evaluation_data data = {&r->calibration, &r->validation, r->calibration_batch, batch, false};
    return sq_evaluator_create(&r->evaluator, r->session.backend, r->space, r->model, &data);
}

sq_status sq_trained_run_open(sq_trained_run *out, const char *run, const char *other_config, const sq_options *options,
                              bool on_val)
{
    *out = (sq_trained_run){.session = {.ranks = out->session.ranks}};
    const sq_status status = open_run(out, run, other_config, options, on_val);
    if (status != SQ_OK)
        sq_trained_run_close(out);
    return status;
}

void sq_trained_run_unload(sq_trained_run *r)
{
    sq_evaluator_destroy(r->evaluator);
    sq_model_destroy(r->model);
    sq_space_free(r->single);
    r->evaluator = NULL;
    r->model = NULL;
    r->single = r->space = NULL;
    r->single_arch[0] = 0;
}

sq_status sq_trained_run_load(sq_trained_run *r, const char *folder)
{
    sq_trained_run_unload(r);
    SQ_TRY(load_model(r, folder));
    return sq_trained_run_open_evaluator(r);
}

void sq_trained_run_close(sq_trained_run *r)
{
    sq_trained_run_unload(r);
    sq_image_set_clear(&r->calibration);
    sq_image_set_clear(&r->validation);
    sq_session_close(&r->session);
    memset(r, 0, sizeof *r);
}
