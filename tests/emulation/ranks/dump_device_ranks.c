/* dump_device_ranks.c - runs ranks on emulated GPUs under mpirun, with nccl_emulated instead of NCCL. check_nccl.py
 * checks the output.
 *
 * usage: dump_device_ranks means|train|alone      each rank prints its results
 *        dump_device_ranks die|stop|fail RANK     RANK is killed, hangs or fails in the middle of a step
 *        dump_device_ranks reduce-early|join-early  trains without the waits before or after the reductions */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/rng.h"
#include "supernet/model/initialize.h"
#include "supernet/model/model.h"
#include "supernet/model/walk.h"
#include "supernet/ranks/ranks.h"
#include "tests/emulation/runtime/emu_control.h"
#include "tests/supernet/ranks/means.h"

enum { STEPS = 4, BATCH = 4, TIME_LIMIT = 3, RANGES = 150, LARGE = (1 << 20) + 5 };

static sq_status open_device(sq_ranks *ranks, sq_backend **out)
{
    const sq_backend_options options = {
        .threads = 1, .device = sq_ranks_local(ranks), .is_local_rank = sq_ranks_count(ranks) > 1};
    return sq_backend_open_with("cuda", &options, out);
}

/* ---- Means ---- */

typedef struct {
    sq_device_ptr at;
    size_t count;       /* number of values */
    sq_dtype wire_type; /* type in which the values are sent */
} range;

/* Reads range r after a reduction. Adds the number of correct values to *right. */
static sq_status check_range(sq_ranks *ranks, sq_backend *backend, const range *r, size_t *right)
{
    float *found = malloc(r->count * sizeof *found);
    SQ_TRY(backend->ops->read(backend, found, r->at, r->count * sizeof *found));
    for (size_t i = 0; i < r->count; i++)
        *right += found[i] == mean_at(r->wire_type, sq_ranks_count(ranks), i);
    free(found);
    return SQ_OK;
}

static sq_status fill_range(sq_ranks *ranks, sq_backend *backend, const range *r)
{
    float *values = malloc(r->count * sizeof *values);
    for (size_t i = 0; i < r->count; i++)
        values[i] = given_at(r->wire_type, sq_ranks_rank(ranks), i);
    const sq_status status = backend->ops->write(backend, r->at, values, r->count * sizeof *values);
    free(values);
    return status;
}

/* Returns the number of values in range i. One range is so large that BF16 sends it in pieces. */
static size_t length_of(int i)
{
    return i == 71 ? LARGE : (size_t)i + 1;
}

/* Returns the type in which range i is sent. If types is "mixed", the two types alternate. */
static sq_dtype wire_type_of(int i, const char *types)
{
    return strcmp(types, "mixed") == 0 ? (i % 2 ? SQ_BF16 : SQ_F32) : strcmp(types, "bf16") == 0 ? SQ_BF16 : SQ_F32;
}

/* Reduces more small ranges than a bucket holds, one large range, and a step without ranges. Repeats these reductions
 * once. */
static sq_status check_means(sq_ranks *ranks, sq_backend *backend, const char *types)
{
    size_t right = 0, all = 0;
    range ranges[RANGES];
    const struct sq_backend_ops *ops = backend->ops;
    const int64_t before = sq_ranks_reduced_bytes(ranks);
    for (int i = 0; i < RANGES; i++) {
        ranges[i] = (range){.count = length_of(i), .wire_type = wire_type_of(i, types)};
        SQ_TRY(ops->allocate(backend, ranges[i].count * sizeof(float), &ranges[i].at));
    }
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < RANGES; i++)
            SQ_TRY(fill_range(ranks, backend, &ranges[i]));
        for (int i = 0; i < RANGES; i++)
            SQ_TRY(ops->reduce_mean(backend, ranges[i].at, ranges[i].count, ranges[i].wire_type));
        SQ_TRY(ops->reduce_mean(backend, ranges[0].at, 0, SQ_F32));
        SQ_TRY(ops->join(backend));
        SQ_TRY(ops->join(backend));
        for (int i = 0; i < RANGES; i++) {
            all += ranges[i].count;
            SQ_TRY(check_range(ranks, backend, &ranges[i], &right));
        }
    }
    for (int i = 0; i < RANGES; i++)
        ops->release(backend, ranges[i].at);
    (void)printf("rank %d of %d: %s: %zu of %zu means right, %lld bytes\n", sq_ranks_rank(ranks), sq_ranks_count(ranks),
                 types, right, all, (long long)(sq_ranks_reduced_bytes(ranks) - before));
    return SQ_OK;
}

/* ---- Training ---- */

typedef struct {
    sq_backend *backend;
    sq_model *model;
    /* Buffers of the single process that does the work of all ranks. */
    unsigned char *kept[SQ_ROLES], *sum[SQ_ROLES];
} trained;

static const sq_role reduced[] = {SQ_ROLE_WEIGHT_GRAD, SQ_ROLE_STATISTICS};

static size_t role_bytes(const trained *t, sq_role role)
{
    return sq_model_plan(t->model)->role_bytes[role];
}

static sq_status open_model(const sq_space *space, trained *t)
{
    const sq_model_options options = {
        .block = {.batch = BATCH, .is_supernet = true, .label_smoothing = 0.1f, .has_average = true},
        .is_training = true};
    SQ_TRY(sq_model_create(&t->model, t->backend, space, &options));
    SQ_TRY(sq_model_initialize(t->model, 1));
    for (int i = 0; i < 2; i++) {
        t->kept[reduced[i]] = malloc(role_bytes(t, reduced[i]));
        t->sum[reduced[i]] = malloc(role_bytes(t, reduced[i]));
    }
    return sq_model_compile(t->model, 1u << SQ_FORWARD | 1u << SQ_BACKWARD | 1u << SQ_UPDATE);
}

static void close_model(trained *t)
{
    sq_model_destroy(t->model);
    sq_backend_close(t->backend);
    for (int i = 0; i < 2; i++) {
        free(t->kept[reduced[i]]);
        free(t->sum[reduced[i]]);
    }
}

static void draw_path(const sq_space *space, int step, int *path)
{
    sq_rng rng = sq_rng_open(5, SQ_RNG_TEST, (uint64_t)step);
    for (int l = 0; l < space->layer_count; l++)
        path[l] = (int)sq_rng_below(&rng, (uint32_t)space->layers[l].choice_count);
}

/* Runs forward and backward on the images that rank `rank` has in this step. */
static sq_status pass(trained *t, int step, int rank, const int *path)
{
    const sq_space *space = sq_model_plan(t->model)->space;
    const size_t bytes = (size_t)BATCH * (size_t)space->resolution * (size_t)space->resolution * 3;
    uint8_t *images = malloc(bytes);
    int32_t labels[BATCH];
    float augment[BATCH * SQ_AUGMENT_COUNT] = {0};
    sq_rng rng = sq_rng_open(6, SQ_RNG_TEST, (uint64_t)(step * 100 + rank));
    for (size_t i = 0; i < bytes; i++)
        images[i] = (uint8_t)(sq_rng_u32(&rng) >> 24);
    for (int i = 0; i < BATCH; i++) {
        float *a = augment + i * SQ_AUGMENT_COUNT;
        labels[i] = (int32_t)sq_rng_below(&rng, (uint32_t)space->classes);
        a[SQ_AUGMENT_ORDER] = -1;
        a[SQ_AUGMENT_BRIGHTNESS] = a[SQ_AUGMENT_CONTRAST] = a[SQ_AUGMENT_SATURATION] = 1;
    }
    const sq_model_batch batch = {images, labels, augment, BATCH};
    const sq_step scalars = {.seed = 3,
                             .step = (uint64_t)step,
                             .learning_rate = 0.1f,
                             .momentum = 0.9f,
                             .weight_decay = 1e-4f,
                             .statistics_rate = space->momentum,
                             .average_decay = 0.9f,
                             .gradient_scale = 1,
                             .valid_count = BATCH};
    sq_status status = sq_model_load(t->model, &batch);
    free(images);
    SQ_TRY(status);
    SQ_TRY(sq_model_set_step(t->model, &scalars));
    SQ_TRY(sq_model_forward(t->model, path));
    return sq_model_backward(t->model, path);
}

/* Does the work of all ranks in one process: runs the images of each rank, then computes means in rank order. */
static sq_status step_alone(trained *t, int step, int ranks, const int *path)
{
    for (int i = 0; i < 2; i++) {
        memset(t->sum[reduced[i]], 0, role_bytes(t, reduced[i]));
        SQ_TRY(sq_model_read(t->model, reduced[i], 0, t->kept[reduced[i]], role_bytes(t, reduced[i])));
    }
    for (int r = 0; r < ranks; r++) {
        SQ_TRY(sq_model_write(t->model, SQ_ROLE_STATISTICS, 0, t->kept[SQ_ROLE_STATISTICS],
                              role_bytes(t, SQ_ROLE_STATISTICS)));
        SQ_TRY(pass(t, step, r, path));
        for (int i = 0; i < 2; i++) {
            const size_t bytes = role_bytes(t, reduced[i]);
            float *values = malloc(bytes), *sum = (float *)(void *)t->sum[reduced[i]];
            SQ_TRY(sq_model_read(t->model, reduced[i], 0, values, bytes));
            for (size_t k = 0; k < bytes / sizeof *values; k++)
                sum[k] += 1.0f / (float)ranks * values[k];
            free(values);
        }
    }
    for (int i = 0; i < 2; i++)
        SQ_TRY(sq_model_write(t->model, reduced[i], 0, t->sum[reduced[i]], role_bytes(t, reduced[i])));
    return sq_model_update(t->model, path);
}

static sq_status is_same(trained *a, trained *b, sq_role role, bool *out)
{
    const size_t bytes = role_bytes(a, role);
    unsigned char *x = malloc(bytes), *y = malloc(bytes);
    SQ_TRY(sq_model_read(a->model, role, 0, x, bytes));
    SQ_TRY(sq_model_read(b->model, role, 0, y, bytes));
    *out = memcmp(x, y, bytes) == 0;
    free(x);
    free(y);
    return SQ_OK;
}

/* Returns the bytes of the gradients and statistics of a path. A step must not send more bytes than this. */
static long long path_bytes(const trained *t, const int *path)
{
    const sq_memory_plan *plan = sq_model_plan(t->model);
    long long bytes = 0;
    for (int l = 0; l < plan->space->layer_count; l++)
        bytes += (long long)(plan->regions[l][path[l]].bytes[SQ_ROLE_WEIGHT] +
                             plan->regions[l][path[l]].bytes[SQ_ROLE_STATISTICS]);
    return bytes;
}

static sq_status check_training(sq_ranks *ranks, const sq_space *space, trained *together, trained *alone)
{
    int same[3] = {0}, path[SQ_MAX_LAYERS];
    const sq_role roles[] = {SQ_ROLE_WEIGHT, SQ_ROLE_STATISTICS, SQ_ROLE_AVERAGE};
    long long wanted = 0;
    for (int step = 0; step < STEPS; step++) {
        draw_path(space, step, path);
        wanted += path_bytes(together, path);
        SQ_TRY(pass(together, step, sq_ranks_rank(ranks), path));
        SQ_TRY(sq_model_update(together->model, path));
        SQ_TRY(step_alone(alone, step, sq_ranks_count(ranks), path));
        for (int i = 0; i < 3; i++) {
            bool is_equal;
            SQ_TRY(is_same(together, alone, roles[i], &is_equal));
            same[i] += is_equal;
        }
    }
    (void)printf("rank %d of %d: weights %d, statistics %d, averages %d of %d steps right, %s\n", sq_ranks_rank(ranks),
                 sq_ranks_count(ranks), same[0], same[1], same[2], STEPS,
                 sq_ranks_reduced_bytes(ranks) == wanted ? "bytes of the paths alone" : "other bytes");
    return SQ_OK;
}

/* ---- A lost rank ---- */

static sq_status lose(sq_ranks *ranks, const sq_space *space, trained *t, const char *how, int rank)
{
    int path[SQ_MAX_LAYERS];
    float weight;
    for (int step = 0; step < STEPS; step++) {
        draw_path(space, step, path);
        if (step == 2 && rank == sq_ranks_rank(ranks)) {
            if (strcmp(how, "fail") == 0)
                return sq_fail(SQ_DATA, "the images of this rank are missing");
            (void)kill(getpid(), strcmp(how, "die") == 0 ? SIGKILL : SIGSTOP);
        }
        SQ_TRY(pass(t, step, sq_ranks_rank(ranks), path));
        SQ_TRY(sq_model_update(t->model, path));
        SQ_TRY(sq_model_read(t->model, SQ_ROLE_WEIGHT, 0, &weight,
                             sizeof weight)); /* fails only on the device, without a message over MPI */
    }
    return SQ_OK;
}

/* ---- Start and end ---- */

static sq_status run_model(sq_ranks *ranks, trained *t, trained *alone, const char *what, int rank)
{
    sq_space *space = NULL;
    SQ_TRY(sq_space_read(&space, SQ_SOURCE_DIR "/configs/spaces/tiny.yaml", 0, 0));
    sq_status status = open_model(space, t);
    if (status == SQ_OK && rank >= 0) {
        status = lose(ranks, space, t, what, rank);
    } else if (status == SQ_OK) {
        status = sq_backend_open("cuda", 1, &alone->backend);
        if (status == SQ_OK)
            status = open_model(space, alone);
        if (status == SQ_OK)
            status = check_training(ranks, space, t, alone);
    }
    if (status != SQ_OK)
        (void)printf("rank %d failed: %s\n", sq_ranks_rank(ranks), sq_error_text());
    (void)fflush(stdout);
    close_model(t); /* ends without waiting for a lost rank */
    close_model(alone);
    sq_space_free(space);
    return status;
}

static sq_status run(sq_ranks *ranks, const char *what, int rank)
{
    char text[256];
    trained together = {0}, alone = {0};
    SQ_TRY(open_device(ranks, &together.backend));
    emu_forget_waits(strcmp(what, "reduce-early") == 0 ? 1 : strcmp(what, "join-early") == 0 ? 2 : 0);
    const sq_status attached = sq_ranks_attach(ranks, together.backend);
    if (attached != SQ_OK) {
        (void)printf("rank %d failed: %s\n", sq_ranks_rank(ranks), sq_error_text());
        close_model(&together);
        return attached;
    }
    sq_ranks_describe(ranks, text, sizeof text);
    (void)printf("rank %d: %s\n", sq_ranks_rank(ranks), text);
    if (strcmp(what, "means") != 0)
        return run_model(ranks, &together, &alone, what, rank);
    sq_status status = check_means(ranks, together.backend, "fp32");
    if (status == SQ_OK)
        status = check_means(ranks, together.backend, "bf16");
    if (status == SQ_OK)
        status = check_means(ranks, together.backend, "mixed");
    if (status != SQ_OK)
        (void)printf("rank %d failed: %s\n", sq_ranks_rank(ranks), sq_error_text());
    sq_backend_close(together.backend);
    (void)printf("rank %d: %zu bytes left\n", sq_ranks_rank(ranks), emu_live_bytes());
    return status;
}

int main(int argc, char **argv)
{
    sq_ranks *ranks = NULL;
    sq_status status = sq_ranks_open(&ranks, TIME_LIMIT);
    if (status == SQ_OK)
        status = run(ranks, argc > 1 ? argv[1] : "means", argc > 2 ? atoi(argv[2]) : -1);
    (void)fflush(stdout);
    sq_ranks_close(ranks, sq_exit_code(status));
    return sq_exit_code(status);
}
