/* Trains on several ranks under mpirun, with a failure on one of them. check_survival.py checks the output.
 *
 * usage: dump_survival MODE RUN SOURCE_FOLDER
 *
 * well      no failure
 * drift     the last rank has a different momentum, so its weights differ after the first step
 * start     the last rank starts with different weights
 * odd       the last rank's images are so bright that its loss is never finite; occurrence 3 stops the run
 * patient   the same as odd, but with a limit of 8 occurrences, so the run continues
 * volume    does not train; prints the bytes that a step of SPOS's space reduces */
#include <stdio.h>
#include <string.h>

#include "supernet/model/initialize.h"
#include "supernet/model/walk.h"
#include "supernet/space/cost.h"
#include "supernet/train/signals.h"
#include "supernet/train/trainer.h"

enum { BATCH = 8, SIDE = 16 };

typedef struct {
    sq_dataset *dataset;
    sq_space *space;
    sq_backend *backend;
    sq_model *model;
} parts;

static sq_status open_parts(parts *p, const char *source, sq_ranks *ranks, float deviation)
{
    char path[4096];
    const sq_model_options options = {.block = {.batch = BATCH / sq_ranks_count(ranks),
                                                .is_supernet = true,
                                                .deviation = {deviation, deviation, deviation}},
                                      .is_training = true};
    (void)snprintf(path, sizeof path, "%s/data/samples", source);
    SQ_TRY(sq_dataset_open(&p->dataset, path, "train"));
    (void)snprintf(path, sizeof path, "%s/configs/spaces/tiny.yaml", source);
    SQ_TRY(sq_space_read(&p->space, path, SIDE, 10));
    SQ_TRY(sq_backend_open("cpu", 1, &p->backend));
    SQ_TRY(sq_ranks_attach(ranks, p->backend));
    return sq_model_create(&p->model, p->backend, p->space, &options);
}

static void close_parts(parts *p)
{
    sq_model_destroy(p->model);
    sq_backend_close(p->backend);
    sq_space_free(p->space);
    sq_dataset_close(p->dataset);
}

static sq_status train(const parts *p, const char *mode, const char *run, sq_ranks *ranks)
{
    const bool is_odd = sq_ranks_rank(ranks) == sq_ranks_count(ranks) - 1;
    const sq_loader_options loader = {.transform = {.is_augmented = true,
                                                    .resolution = SIDE,
                                                    .crop_fraction = 1,
                                                    .area_min = 0.5,
                                                    .area_max = 1,
                                                    .aspect_min = 0.8,
                                                    .aspect_max = 1.25},
                                      .batch = BATCH / sq_ranks_count(ranks),
                                      .is_shuffled = true,
                                      .seed = 3,
                                      .threads = 1,
                                      .ring = 3};
    const sq_train_options options = {.seed = is_odd && strcmp(mode, "start") == 0 ? 4 : 3,
                                      .steps = 8,
                                      .batch = BATCH,
                                      .momentum = is_odd && strcmp(mode, "drift") == 0 ? 0.8 : 0.9,
                                      .schedule = {SQ_SCHEDULE_CONSTANT, 0.05, 0, 0, 8},
                                      .nonfinite = SQ_NONFINITE_SKIP,
                                      .nonfinite_limit = strcmp(mode, "patient") == 0 ? 8 : 2,
                                      .check_every = 3,
                                      .log_every = 2,
                                      .checkpoint_every = 8,
                                      .keep = 1};
    return sq_train(p->model, p->dataset, &loader, &options, &(sq_train_run){.folder = run, .ranks = ranks});
}

/* Runs one forward and backward pass. Prints the bytes that this rank reduced, and the number of parameters of the
 * path. */
static sq_status count_path(const parts *p, sq_ranks *ranks, sq_dtype reduce_dtype, int number)
{
    int path[SQ_MAX_LAYERS];
    size_t weights = 0, statistics = 0;
    const int64_t before = sq_ranks_reduced_bytes(ranks);
    const sq_memory_plan *plan = sq_model_plan(p->model);
    const sq_step step = {.step = (uint64_t)number, .statistics_rate = 0.1f, .gradient_scale = 1};
    for (int l = 0; l < p->space->layer_count; l++)
        path[l] = (number + l) % p->space->layers[l].choice_count;
    SQ_TRY(sq_model_set_step(p->model, &step));
    SQ_TRY(sq_model_forward(p->model, path));
    SQ_TRY(sq_model_backward(p->model, path));
    for (int i = 0; i < plan->parameter_count; i++)
        if (path[plan->parameters[i].layer] == plan->parameters[i].choice)
            *(plan->parameters[i].role == SQ_ROLE_WEIGHT ? &weights : &statistics) += plan->parameters[i].count;
    const sq_cost cost = sq_cost_path(p->space, path);
    (void)printf("volume %d: %zu each, %lld bytes, %zu weights, %zu statistics, %lld parameters\n",
                 sq_ranks_rank(ranks), sq_dtype_bytes(reduce_dtype),
                 (long long)(sq_ranks_reduced_bytes(ranks) - before), weights, statistics,
                 (long long)(cost.weights + cost.norm_weights));
    return SQ_OK;
}

/* Runs count_path for three paths of SPOS's space. */
static sq_status count_bytes(const char *source, sq_ranks *ranks, sq_dtype reduce_dtype)
{
    enum { BATCH_EACH = 2, RESOLUTION = 32 };
    static uint8_t images[BATCH_EACH * RESOLUTION * RESOLUTION * 3];
    static const int32_t labels[BATCH_EACH];
    char path_of_space[4096];
    parts p = {0};
    const sq_model_options options = {
        .block = {.batch = BATCH_EACH, .is_supernet = true}, .is_training = true, .reduce_dtype = reduce_dtype};
    (void)snprintf(path_of_space, sizeof path_of_space, "%s/configs/spaces/spos.yaml", source);
    SQ_TRY(sq_space_read(&p.space, path_of_space, RESOLUTION, 0));
    SQ_TRY(sq_backend_open("cpu", 1, &p.backend));
    SQ_TRY(sq_ranks_attach(ranks, p.backend));
    SQ_TRY(sq_model_create(&p.model, p.backend, p.space, &options));
    SQ_TRY(sq_model_initialize(p.model, 1));
    for (size_t i = 0; i < sizeof images; i++)
        images[i] = (uint8_t)(i * 37 % 251);
    const sq_model_batch batch = {images, labels, NULL, BATCH_EACH};
    SQ_TRY(sq_model_load(p.model, &batch));
    for (int number = 0; number < 3; number++)
        SQ_TRY(count_path(&p, ranks, reduce_dtype, number));
    close_parts(&p);
    return SQ_OK;
}

static sq_status run(int argc, char **argv, sq_ranks *ranks, parts *p)
{
    char text[256];
    const bool is_odd = sq_ranks_rank(ranks) == sq_ranks_count(ranks) - 1;
    sq_ranks_describe(ranks, text, sizeof text);
    if (argc != 4)
        return sq_fail(SQ_INVALID, "%s; wanted MODE RUN SOURCE_FOLDER", text);
    if (strcmp(argv[1], "volume") == 0) {
        SQ_TRY(count_bytes(argv[3], ranks, SQ_F32));
        return count_bytes(argv[3], ranks, SQ_BF16);
    }
    sq_signals_listen();
    SQ_TRY(open_parts(p, argv[3], ranks,
                      is_odd && (strcmp(argv[1], "odd") == 0 || strcmp(argv[1], "patient") == 0) ? 1e-39f : 0.5f));
    return train(p, argv[1], argv[2], ranks);
}

int main(int argc, char **argv)
{
    sq_ranks *ranks = NULL;
    parts p = {0};
    sq_status status = sq_ranks_open(&ranks, 20);
    if (status == SQ_OK)
        status = run(argc, argv, ranks, &p);
    (void)printf("rank %d: exit %d: %s\n", sq_ranks_rank(ranks), sq_exit_code(status),
                 status == SQ_OK ? "well" : sq_error_text());
    (void)fflush(stdout);
    if (p.backend)
        close_parts(&p);
    sq_ranks_close(ranks, sq_exit_code(status));
    return 0;
}
