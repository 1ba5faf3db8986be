/* Tests NCCL reductions with one rank, which leave the values unchanged, and their failures. On a GPU the tests use
 * NCCL and are skipped if NCCL is missing; on the emulator they use emulation/ranks/nccl_emulated. check_nccl.py tests
 * several ranks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/bf16.h"
#include "tests/support/support.h"

enum { STEPS = 5 };

/* ---- A run with one rank ---- */

static sq_status agree(void *context, sq_status status)
{
    (void)context;
    return status;
}

static sq_status gather(void *context, const void *own, void *all, size_t bytes)
{
    (void)context;
    memcpy(all, own, bytes);
    return SQ_OK;
}

static bool is_lost(void *context, double seconds, char *why, size_t bytes)
{
    const bool *is_alone = context;
    (void)seconds;
    (void)snprintf(why, bytes, "rank 7 is gone");
    return *is_alone;
}

static bool is_impatient;

static sq_rank_group one_rank(void)
{
    return (sq_rank_group){
        .count = 1, .host = "here", .agree = agree, .gather = gather, .is_lost = is_lost, .context = &is_impatient};
}

static void use_library(void)
{
    is_impatient = false;
#ifdef SQ_CUDA_EMULATED
    (void)setenv("SQ_NCCL_LIBRARY", SQ_NCCL_EMULATED, 1);
#endif
    char text[512];
    sq_cuda_describe_ranks(text, sizeof text);
    if (strncmp(text, "NCCL 2.", 7) != 0)
        cr_skip_test("%s", text);
}

static void expect_failure(sq_status status, sq_status wanted, const char *words)
{
    cr_expect_eq(status, wanted, "status %d, expected %d: %s", (int)status, (int)wanted, sq_error_text());
    cr_expect(strstr(sq_error_text(), words) && !strchr(sq_error_text(), '\n'), "'%s', wanted '%s'", sq_error_text(),
              words);
}

static void *read_role(const subject *s, sq_role role, size_t *bytes)
{
    *bytes = sq_model_plan(s->model)->role_bytes[role];
    void *values = malloc(*bytes);
    MUST(sq_model_read(s->model, role, 0, values, *bytes));
    return values;
}

/* ---- Results ---- */

static void check_one_rank(bool no_graphs)
{
    const sq_backend_options options = {.no_graphs = no_graphs, .threads = 1};
    const sq_role roles[] = {SQ_ROLE_WEIGHT, SQ_ROLE_STATISTICS, SQ_ROLE_WEIGHT_GRAD};
    double losses[2][STEPS];
    sq_rank_group group = one_rank();
    subject with = open_subject_with(SOURCE("configs/spaces/tiny.yaml"), "cuda", &options, 4);
    subject without = open_subject_with(SOURCE("configs/spaces/tiny.yaml"), "cuda", &options, 4);
    MUST(with.backend->ops->attach(with.backend, &group));
    cr_expect(strncmp(group.library, "NCCL 2.", 7) == 0, "%s", group.library);
    train_drawn(&with, STEPS, losses[0]);
    train_drawn(&without, STEPS, losses[1]);
    cr_expect_eq(memcmp(losses[0], losses[1], sizeof losses[0]), 0);
    cr_expect(group.reduced_bytes > 0);
    for (int i = 0; i < 3; i++) {
        size_t bytes;
        void *a = read_role(&with, roles[i], &bytes), *b = read_role(&without, roles[i], &bytes);
        cr_expect_eq(memcmp(a, b, bytes), 0, "role %d", (int)roles[i]);
        free(a);
        free(b);
    }
    close_subject(&with);
    close_subject(&without);
}

Test(cuda_ranks, one_rank_with_nccl_equals_the_run_without)
{
    use_library();
    check_one_rank(false);
    check_one_rank(true);
}

/* Reduces several small ranges that fit into one bucket, and a range that is larger than a bucket. */
Test(cuda_ranks, ranges_of_any_size_are_reduced)
{
    enum { RANGES = 130, LARGE = 1 << 19 };
    use_library();
    sq_backend *b = NULL;
    sq_device_ptr at;
    sq_rank_group group = one_rank();
    float *values = malloc((RANGES + LARGE) * sizeof *values), *got = malloc((RANGES + LARGE) * sizeof *got);
    for (int i = 0; i < RANGES + LARGE; i++)
        values[i] = (float)i;
    MUST(sq_backend_open("cuda", 1, &b));
    MUST(b->ops->attach(b, &group));
    MUST(b->ops->allocate(b, (RANGES + LARGE) * sizeof *values, &at));
    MUST(b->ops->write(b, at, values, (RANGES + LARGE) * sizeof *values));
    for (size_t i = 0; i < RANGES; i++)
        MUST(b->ops->reduce_mean(b, (sq_device_ptr){at.address + i * sizeof *values}, 1, SQ_F32));
    MUST(b->ops->reduce_mean(b, (sq_device_ptr){at.address + RANGES * sizeof *values}, LARGE, SQ_F32));
    MUST(b->ops->reduce_mean(b, at, 0, SQ_F32));
    MUST(b->ops->join(b));
    MUST(b->ops->join(b));
    MUST(b->ops->read(b, got, at, (RANGES + LARGE) * sizeof *values));
    cr_expect_eq(memcmp(got, values, (RANGES + LARGE) * sizeof *values), 0);
    cr_expect_eq(group.reduced_bytes, (int64_t)((RANGES + LARGE) * sizeof *values));
    b->ops->release(b, at);
    sq_backend_close(b);
    free(values);
    free(got);
}

/* The mean over one rank is the rank's own value, rounded to BF16. */
Test(cuda_ranks, a_bf16_reduction_rounds_each_value_once)
{
    enum { COUNT = 5000, SPLIT = 1234 };
    use_library();
    sq_backend *b = NULL;
    sq_device_ptr at;
    sq_rank_group group = one_rank();
    float values[COUNT], got[COUNT];
    size_t different = 0;
    for (int i = 0; i < COUNT; i++)
        values[i] = (float)(i - 2000) * 1.001e-3f;
    MUST(sq_backend_open("cuda", 1, &b));
    MUST(b->ops->attach(b, &group));
    MUST(b->ops->allocate(b, sizeof values, &at));
    MUST(b->ops->write(b, at, values, sizeof values));
    MUST(b->ops->reduce_mean(b, at, SPLIT, SQ_BF16));
    MUST(b->ops->reduce_mean(b, (sq_device_ptr){at.address + SPLIT * sizeof *values}, COUNT - SPLIT, SQ_BF16));
    MUST(b->ops->join(b));
    MUST(b->ops->read(b, got, at, sizeof got));
    for (int i = 0; i < COUNT; i++)
        different += got[i] != sq_bf16_to_float(sq_bf16_from_float(values[i]));
    cr_expect_eq(different, 0, "%zu of %d values differ", different, (int)COUNT);
    b->ops->release(b, at);
    sq_backend_close(b);
}

/* ---- Failures ---- */

Test(cuda_ranks, a_missing_library_is_named)
{
    char *before = getenv("SQ_NCCL_LIBRARY") ? strdup(getenv("SQ_NCCL_LIBRARY")) : NULL;
    sq_backend *b = NULL;
    sq_rank_group group = one_rank();
    char text[512];
    MUST(sq_backend_open("cuda", 1, &b));
    (void)setenv("SQ_NCCL_LIBRARY", "/nowhere/libnccl.so.2", 1);
    expect_failure(b->ops->attach(b, &group), SQ_UNSUPPORTED, "/nowhere/libnccl.so.2");
    sq_cuda_describe_ranks(text, sizeof text);
    cr_expect(strstr(text, "not used: NCCL cannot be loaded: /nowhere/libnccl.so.2"), "%s", text);
    (void)setenv("SQ_NCCL_LIBRARY", "libm.so.6", 1);
    expect_failure(b->ops->attach(b, &group), SQ_UNSUPPORTED,
                   "NCCL: the library has no ncclGetVersion; version 2.14 or newer is needed");
    MUST(b->ops->join(b)); /* after the failed attach the backend still has one rank */
    sq_backend_close(b);
    if (before)
        (void)setenv("SQ_NCCL_LIBRARY", before, 1);
    else
        (void)unsetenv("SQ_NCCL_LIBRARY");
    free(before);
}

#ifdef SQ_CUDA_EMULATED
#include <cuda_runtime_api.h>

#include "tests/emulation/runtime/emu_control.h"

Test(cuda_ranks, devices_are_assigned_by_local_rank)
{
    for (int local = 0; local < 5; local++) {
        sq_backend *b = NULL;
        emu_set_device(3, 9, 0, 99000);
        MUST(sq_backend_open_with("cuda", &(sq_backend_options){.device = local, .is_local_rank = true}, &b));
        sq_backend_close(b);
        expect_failure(
            sq_backend_open_with("cuda:3", &(sq_backend_options){.device = local, .is_local_rank = true}, &b),
            SQ_INVALID, "emulated:3: no such device; this machine has devices 0 to 2");
    }
    emu_reset();
}

static sq_status reduce_once(sq_backend *b, sq_device_ptr at)
{
    float value;
    SQ_TRY(b->ops->reduce_mean(b, at, 16, SQ_F32));
    SQ_TRY(b->ops->join(b));
    return b->ops->read(b, &value, at, sizeof value);
}

/* The first failure reports NCCL's error. Later calls fail at once, and closing the backend does not wait. */
Test(cuda_ranks, after_a_failed_reduction_all_reductions_fail)
{
    sq_backend *b = NULL;
    sq_device_ptr at;
    sq_rank_group group = one_rank();
    use_library();
    (void)setenv("NCCL_EMULATED_FAIL", "2", 1);
    MUST(sq_backend_open("cuda", 1, &b));
    MUST(b->ops->allocate(b, 64, &at));
    MUST(b->ops->attach(b, &group));
    MUST(reduce_once(b, at));
    expect_failure(reduce_once(b, at), SQ_COMMUNICATION, "gradients: NCCL: internal error");
    expect_failure(reduce_once(b, at), SQ_COMMUNICATION, "gradients: the connection to the other ranks was aborted");
    (void)unsetenv("NCCL_EMULATED_FAIL");
    b->ops->release(b, at);
    sq_backend_close(b);
    cr_expect_eq(emu_live_bytes(), 0);
}

/* A successful NCCL call can leave an error in the CUDA runtime. The backend clears such an error, but reports an error
 * that existed before the NCCL call. */
Test(cuda_ranks, an_error_before_a_reduction_is_reported)
{
    use_library();
    for (int waits = 0; waits < 2; waits++) {
        sq_backend *b = NULL;
        sq_device_ptr at;
        sq_rank_group group = one_rank();
        void *refused = NULL;
        MUST(sq_backend_open("cuda", 1, &b));
        MUST(b->ops->allocate(b, 64, &at));
        MUST(b->ops->attach(b, &group));
        MUST(reduce_once(b, at));
        MUST(b->ops->reduce_mean(b, at, 16, SQ_F32));
        /* The failed allocation leaves an error in the CUDA runtime. */
        cr_assert_eq(cudaMalloc(&refused, (size_t)1 << 60), cudaErrorMemoryAllocation);
        if (waits)
            MUST(b->ops->wait(b));
        expect_failure(b->ops->join(b), SQ_DEVICE, "gradients: an earlier call failed: out of memory");
        b->ops->release(b, at);
        sq_backend_close(b);
    }
    cr_expect_eq(emu_live_bytes(), 0);
}

/* The lost rank is named in each call in which the host waits for the device. */
Test(cuda_ranks, a_lost_rank_is_named_wherever_the_host_waits)
{
    enum { READ, WRITE, GROW, FIND, WAIT, CLOSE, PLACES };
    static unsigned char bytes[(size_t)20 << 20]; /* more than write() can buffer */
    use_library();
    (void)setenv("NCCL_EMULATED_NEVER", "1", 1);
    for (int place = READ; place < PLACES; place++) {
        sq_backend *b = NULL;
        sq_device_ptr at;
        sq_rank_group group = one_rank();
        sq_status status = SQ_COMMUNICATION;
        MUST(sq_backend_open("cuda", 1, &b));
        MUST(b->ops->allocate(b, sizeof bytes, &at));
        MUST(b->ops->attach(b, &group));
        /* The first write allocates the staging buffer, so that the next write starts at once. */
        if (place == WRITE)
            MUST(b->ops->write(b, at, bytes, sizeof bytes));
        is_impatient = true;
        MUST(b->ops->reduce_mean(b, at, 16, SQ_F32));
        MUST(b->ops->join(b));
        if (place == WRITE)
            MUST(b->ops->write(b, at, bytes, sizeof bytes));
        (void)sq_fail(SQ_COMMUNICATION, "gradients: rank 7 is gone, as before");
        if (place == READ)
            status = b->ops->read(b, bytes, at, 64);
        else if (place == WRITE || place == GROW)
            status = b->ops->write(b, at, bytes, sizeof bytes);
        else if (place == FIND)
            status = b->ops->find_nonfinite(b, &(sq_range){at, 16}, 1, &(int){0});
        else if (place == WAIT)
            status = b->ops->wait(b);
        expect_failure(status, SQ_COMMUNICATION, "gradients: rank 7 is gone");
        b->ops->release(b, at);
        sq_backend_close(b);
        /* Closing the backend keeps this error. */
        expect_failure(SQ_COMMUNICATION, SQ_COMMUNICATION, "gradients: rank 7 is gone");
        is_impatient = false;
    }
    (void)unsetenv("NCCL_EMULATED_NEVER");
    cr_expect_eq(emu_live_bytes(), 0);
}

Test(cuda_ranks, ranks_that_cannot_connect_are_reported)
{
    sq_backend *b = NULL;
    sq_rank_group group = one_rank();
    use_library();
    (void)setenv("NCCL_EMULATED_STUCK", "1", 1);
    MUST(sq_backend_open("cuda", 1, &b));
    is_impatient = true;
    expect_failure(b->ops->attach(b, &group), SQ_COMMUNICATION, "ranks: rank 7 is gone");
    (void)unsetenv("NCCL_EMULATED_STUCK");
    sq_backend_close(b);
    cr_expect_eq(emu_live_bytes(), 0);
}
#endif
