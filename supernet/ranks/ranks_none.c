/* Implements ranks.h and rank_messages.h for a build without MPI, which has one rank. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supernet/ranks/launcher.h"
#include "supernet/ranks/rank_messages.h"

struct sq_ranks {
    double time_limit;
};

int sq_ranks_rank(const sq_ranks *r)
{
    (void)r;
    return 0;
}

int sq_ranks_count(const sq_ranks *r)
{
    (void)r;
    return 1;
}

int sq_ranks_local(const sq_ranks *r)
{
    (void)r;
    return 0;
}

int sq_ranks_local_count(const sq_ranks *r)
{
    (void)r;
    return 1;
}

double sq_ranks_time_limit(const sq_ranks *r)
{
    return r->time_limit;
}

void sq_ranks_set_time_limit(sq_ranks *r, double time_limit)
{
    if (r)
        r->time_limit = time_limit;
}

bool sq_ranks_find_dead(const sq_ranks *r, int rank, char *text, size_t bytes)
{
    (void)r, (void)rank, (void)text, (void)bytes;
    return false;
}

void sq_ranks_abandon(sq_ranks *r)
{
    (void)r;
}

int64_t sq_ranks_reduced_bytes(const sq_ranks *ranks)
{
    (void)ranks;
    return 0;
}

sq_status sq_ranks_open(sq_ranks **out, double time_limit)
{
    if (sq_launcher_rank_count() > 1)
        return sq_fail(SQ_UNSUPPORTED, "started as one of several ranks, but this build has no MPI; install "
                                       "libopenmpi-dev and build again");
    *out = calloc(1, sizeof **out);
    if (!*out)
        return sq_fail(SQ_NO_MEMORY, "ranks");
    (*out)->time_limit = time_limit;
    return SQ_OK;
}

void sq_ranks_close(sq_ranks *r, int exit_code)
{
    (void)exit_code; /* there is no other rank */
    free(r);
}

sq_status sq_ranks_sum(sq_ranks *r, double *values, int count)
{
    (void)r, (void)values, (void)count;
    return SQ_OK;
}

sq_status sq_ranks_broadcast(sq_ranks *r, void *bytes, size_t count)
{
    (void)r, (void)bytes, (void)count;
    return SQ_OK;
}

sq_status sq_ranks_gather(sq_ranks *r, const void *bytes, size_t count, void *all)
{
    (void)r;
    memcpy(all, bytes, count);
    return SQ_OK;
}

sq_status sq_ranks_barrier(sq_ranks *r)
{
    (void)r;
    return SQ_OK;
}

sq_status sq_ranks_reduce_status(sq_ranks *r, sq_status status)
{
    (void)r;
    return status;
}

sq_status sq_ranks_agree(sq_ranks *r, sq_status status)
{
    (void)r;
    return status;
}

sq_status sq_ranks_attach(sq_ranks *r, sq_backend *backend)
{
    (void)r, (void)backend;
    return SQ_OK;
}

sq_status sq_ranks_share_norms(sq_ranks *r, sq_backend *backend)
{
    (void)r, (void)backend;
    return SQ_OK;
}

void sq_ranks_describe(const sq_ranks *r, char *text, size_t bytes)
{
    (void)r;
    (void)snprintf(text, bytes, "1 rank (built without MPI)");
}

sq_status sq_messages_open(sq_messages **out, sq_ranks *ranks)
{
    (void)out, (void)ranks;
    return sq_fail(SQ_UNSUPPORTED, "messages between ranks: this build has no MPI");
}

void sq_messages_close(sq_messages *m)
{
    (void)m;
}

sq_status sq_messages_send(sq_messages *m, int to, const void *bytes, size_t count)
{
    (void)m, (void)to, (void)bytes, (void)count;
    return sq_fail(SQ_UNSUPPORTED, "messages between ranks: this build has no MPI");
}

sq_status sq_messages_poll(sq_messages *m, sq_message *out)
{
    return sq_messages_send(m, 0, out, 0);
}

sq_status sq_messages_wait(sq_messages *m, int from, double patience, sq_message *out)
{
    (void)patience;
    return sq_messages_send(m, from, out, 0);
}
