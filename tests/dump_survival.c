/* A training over ranks in which something goes wrong on one of them, under mpirun: check_survival.py looks at what it
 * says. usage: dump_survival MODE RUN SOURCE_FOLDER
 *
 * well      nothing goes wrong
 * drift     the last rank has another momentum, so that its weights become other ones in the first step
 * start     the last rank begins with other weights
 * odd       the last rank's images are so bright that its loss is never finite; the run stops the third time
 * patient   the same, and the run goes on */
#include <stdio.h>
#include <string.h>

#include "supernet/interrupt.h"
#include "supernet/trainer.h"

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
    return sq_train(p->model, p->dataset, &loader, &options, &(sq_train_run){.run = run, .ranks = ranks});
}

static sq_status run(int argc, char **argv, sq_ranks *ranks, parts *p)
{
    char text[256];
    const bool is_odd = sq_ranks_rank(ranks) == sq_ranks_count(ranks) - 1;
    sq_ranks_describe(ranks, text, sizeof text);
    if (argc != 4)
        return sq_fail(SQ_INVALID, "%s; wanted MODE RUN SOURCE_FOLDER", text);
    sq_interrupt_listen();
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
    sq_ranks_close(ranks);
    return 0;
}
