/* Prints the results of collective calls on every rank, under mpirun. check_ranks.py checks the lines.
 *
 * usage: dump_ranks [die RANK]            RANK is killed before the other ranks wait for it
 *        dump_ranks first|last RANK PIPE  RANK writes its process id to PIPE and sleeps, before it connects (first) or
 *                                         disconnects (last) */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supernet/ranks/launcher.h"
#include "supernet/ranks/ranks.h"
#include "tests/supernet/ranks/means.h"

enum { COUNT = 1000 };

static sq_status check_means(sq_ranks *ranks, sq_backend *backend, sq_dtype reduce_dtype)
{
    /* Two reductions at once, as for the gradients of two layers; both have odd lengths. */
    enum { FIRST = COUNT / 2 + 1 };
    const struct sq_backend_ops *ops = backend->ops;
    const int n = sq_ranks_count(ranks), r = sq_ranks_rank(ranks);
    const int64_t before = sq_ranks_reduced_bytes(ranks);
    sq_device_ptr at;
    float values[COUNT], got[COUNT];
    for (int i = 0; i < COUNT; i++)
        values[i] = given_at(reduce_dtype, r, (size_t)i);
    SQ_TRY(ops->allocate(backend, sizeof values, &at));
    SQ_TRY(ops->write(backend, at, values, sizeof values));
    SQ_TRY(ops->reduce_mean(backend, at, FIRST, reduce_dtype));
    SQ_TRY(ops->reduce_mean(backend, (sq_device_ptr){at.address + sizeof(float) * FIRST}, COUNT - FIRST, reduce_dtype));
    SQ_TRY(ops->join(backend));
    SQ_TRY(ops->read(backend, got, at, sizeof got));
    ops->release(backend, at);
    int right = 0;
    for (int i = 0; i < COUNT; i++)
        right += got[i] == mean_at(reduce_dtype, n, (size_t)i);
    (void)printf("rank %d of %d: %d means right, %lld bytes\n", r, n, right,
                 (long long)(sq_ranks_reduced_bytes(ranks) - before));
    return SQ_OK;
}

static sq_status check_news(sq_ranks *ranks)
{
    const int n = sq_ranks_count(ranks), r = sq_ranks_rank(ranks);
    double sums[] = {r, 1};
    char news[8] = "";
    (void)snprintf(news, sizeof news, "%s", r == 0 ? "news" : "stale");
    SQ_TRY(sq_ranks_sum(ranks, sums, 2));
    SQ_TRY(sq_ranks_broadcast(ranks, news, sizeof news));
    SQ_TRY(sq_ranks_barrier(ranks));
    (void)printf("rank %d of %d: sums %g %g, %s, local %d of %d\n", r, n, sums[0], sums[1], news, sq_ranks_local(ranks),
                 sq_ranks_local_count(ranks));
    const sq_status mine = r == n - 1 ? sq_fail(SQ_DATA, "the last one fails") : SQ_OK;
    sq_status all = sq_ranks_reduce_status(ranks, mine);
    (void)printf("rank %d of %d: status %d, told %d: %s\n", r, n, (int)all, sq_error_is_reported(), sq_error_text());
    all = sq_ranks_reduce_status(ranks, all); /* a caller may pass the common status on and reduce it again */
    (void)printf("rank %d of %d: again %d, told %d: %s\n", r, n, (int)all, sq_error_is_reported(), sq_error_text());
    return SQ_OK;
}

static sq_status run(sq_ranks *ranks, int dying)
{
    sq_backend *backend = NULL;
    SQ_TRY(sq_backend_open("cpu", 1, &backend));
    SQ_TRY(sq_ranks_attach(ranks, backend));
    SQ_TRY(check_means(ranks, backend, SQ_F32));
    SQ_TRY(check_means(ranks, backend, SQ_BF16));
    SQ_TRY(check_news(ranks));
    sq_backend_close(backend);
    if (dying == sq_ranks_rank(ranks))
        (void)kill(getpid(), SIGKILL);
    return dying < 0 ? SQ_OK : sq_ranks_barrier(ranks);
}

static void stand_still(const char *pipe)
{
    FILE *out = fopen(pipe, "w");
    if (!out)
        _exit(1);
    (void)fprintf(out, "%d", (int)getpid());
    (void)fclose(out);
    (void)kill(getpid(), SIGSTOP);
}

int main(int argc, char **argv)
{
    sq_ranks *ranks = NULL;
    char text[256];
    const bool stands = argc == 4, is_first = stands && strcmp(argv[1], "first") == 0;
    if (is_first && sq_launcher_local_rank(0) == atoi(argv[2]))
        stand_still(argv[3]);
    sq_status status = sq_ranks_open(&ranks, stands ? 4 : 20);
    if (status == SQ_OK && sq_ranks_count(ranks) == 1) {
        sq_ranks_describe(ranks, text, sizeof text);
        (void)printf("%s\n", text);
    }
    if (status == SQ_OK)
        status = run(ranks, argc > 2 && strcmp(argv[1], "die") == 0 ? atoi(argv[2]) : -1);
    if (status != SQ_OK)
        (void)printf("rank %d failed: %s\n", sq_ranks_rank(ranks), sq_error_text());
    (void)fflush(stdout);
    if (stands && !is_first && sq_ranks_rank(ranks) == atoi(argv[2]))
        stand_still(argv[3]);
    if (stands && sq_ranks_rank(ranks) == 0)
        status = sq_fail(SQ_DATA, "an earlier failure");
    sq_ranks_close(ranks, sq_exit_code(status));
    return sq_exit_code(status);
}
