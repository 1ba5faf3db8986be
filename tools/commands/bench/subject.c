/* Opens the measured space, with a model that is ready to run or, with --dry, only with a memory plan. */
#include <stdlib.h>

#include "supernet/model/initialize.h"
#include "tools/commands/bench/bench.h"
#include "tools/run/share_folder.h"

static sq_status open_model(sq_bench_subject *out, const sq_session *session, const sq_block_options *block)
{
    const sq_model_options options = {.block = *block, .is_training = true};
    SQ_TRY(sq_model_create(&out->model, session->backend, out->space, &options));
    out->plan = sq_model_plan(out->model);
    SQ_TRY(sq_model_initialize(out->model, (uint64_t)session->config->seed));
    SQ_TRY(sq_synthetic_batch_make(&out->batch, out->plan, (uint64_t)session->config->seed));
    SQ_TRY(sq_synthetic_batch_load(out->model, &out->batch));
    const sq_step step = sq_synthetic_batch_step(out->plan, session, 0);
    return sq_model_set_step(out->model, &step);
}

sq_status sq_bench_open(sq_bench_subject *out, const sq_session *session, const sq_bench_options *options,
                        const char *file)
{
    char shared[4096];
    sq_block_options block = sq_session_block(session, options->batch, true);
    *out = (sq_bench_subject){.multiprocessors =
                                  options->gpu ? (int)options->gpu->multiprocessors : SQ_BENCH_MULTIPROCESSORS};
    SQ_TRY(sq_space_read(&out->space, sq_share_find(shared, sizeof shared, file), 0, 0));
    if (!options->is_dry)
        return open_model(out, session, &block);
    block.activation = SQ_BF16; /* as cuda requires */
    block.alignment = 8;
    SQ_TRY(sq_memory_plan_make(&out->dry, out->space, &block, true, NULL));
    out->plan = &out->dry;
    return SQ_OK;
}

void sq_bench_close(sq_bench_subject *subject)
{
    sq_model_destroy(subject->model);
    sq_synthetic_batch_clear(&subject->batch);
    if (subject->dry.space)
        sq_memory_plan_clear(&subject->dry);
    sq_space_free(subject->space);
    *subject = (sq_bench_subject){0};
}

int sq_bench_by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
