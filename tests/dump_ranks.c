/* What every rank says of the others, under mpirun: check_ranks.py counts the lines. usage: dump_ranks [die RANK] */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supernet/ranks.h"

enum { COUNT = 1000 };

/* Rank r gives r + 1 + i / 4 at i: the mean over n ranks is (n + 1) / 2 + i / 4, exact for every n here. */
static sq_status check_mean(sq_ranks *ranks, sq_backend *backend)
{
    const int n = sq_ranks_count(ranks), r = sq_ranks_rank(ranks);
    sq_device_ptr at;
    float values[COUNT], got[COUNT];
    for (int i = 0; i < COUNT; i++)
        values[i] = (float)(r + 1) + 0.25f * (float)i;
    SQ_TRY(backend->ops->allocate(backend, sizeof values, &at));
    SQ_TRY(backend->ops->write(backend, at, values, sizeof values));
    SQ_TRY(backend->ops->reduce_mean(backend, at, COUNT / 2)); /* two at once, as two layers' gradients */
    SQ_TRY(backend->ops->reduce_mean(backend, (sq_device_ptr){at.address + sizeof(float) * COUNT / 2}, COUNT / 2));
    SQ_TRY(backend->ops->join(backend));
    SQ_TRY(backend->ops->read(backend, got, at, sizeof got));
    backend->ops->release(backend, at);
    int right = 0;
    for (int i = 0; i < COUNT; i++)
        right += got[i] == 0.5f * (float)(n + 1) + 0.25f * (float)i;
    (void)printf("rank %d of %d: %d means right, %lld bytes\n", r, n, right, (long long)sq_ranks_reduced_bytes(ranks));
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
    SQ_TRY(sq_ranks_meet(ranks));
    (void)printf("rank %d of %d: sums %g %g, %s, local %d of %d\n", r, n, sums[0], sums[1], news, sq_ranks_local(ranks),
                 sq_ranks_local_count(ranks));
    const sq_status mine = r == n - 1 ? sq_fail(SQ_DATA, "the last one fails") : SQ_OK;
    sq_status all = sq_ranks_worst(ranks, mine);
    (void)printf("rank %d of %d: status %d, told %d: %s\n", r, n, (int)all, sq_ranks_is_told(), sq_error_text());
    all = sq_ranks_worst(ranks, all); /* as what called it does */
    (void)printf("rank %d of %d: again %d, told %d: %s\n", r, n, (int)all, sq_ranks_is_told(), sq_error_text());
    return SQ_OK;
}

static sq_status run(sq_ranks *ranks, int dying)
{
    sq_backend *backend = NULL;
    SQ_TRY(sq_backend_open("cpu", 1, &backend));
    SQ_TRY(sq_ranks_attach(ranks, backend));
    SQ_TRY(check_mean(ranks, backend));
    SQ_TRY(check_news(ranks));
    sq_backend_close(backend);
    if (dying == sq_ranks_rank(ranks))
        (void)kill(getpid(), SIGKILL);
    return dying < 0 ? SQ_OK : sq_ranks_meet(ranks);
}

int main(int argc, char **argv)
{
    sq_ranks *ranks = NULL;
    char text[256];
    sq_status status = sq_ranks_open(&ranks, 20);
    if (status == SQ_OK && sq_ranks_count(ranks) == 1) {
        sq_ranks_describe(ranks, text, sizeof text);
        (void)printf("%s\n", text);
    }
    if (status == SQ_OK)
        status = run(ranks, argc > 2 && strcmp(argv[1], "die") == 0 ? atoi(argv[2]) : -1);
    if (status != SQ_OK)
        (void)printf("rank %d failed: %s\n", sq_ranks_rank(ranks), sq_error_text());
    (void)fflush(stdout);
    sq_ranks_close(ranks);
    return sq_exit_code(status);
}
