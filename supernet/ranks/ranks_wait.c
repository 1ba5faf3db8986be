#include "supernet/ranks/ranks_wait.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "kernels/base/clock.h"

#define CHECK_SECONDS 0.5 /* between two checks whether another process exited */

bool sq_ranks_find_dead(const sq_ranks *r, int rank, char *text, size_t bytes)
{
    size_t used = 0;
    *text = 0;
    for (int i = 0; i < r->count; i++)
        if ((rank == SQ_ANY_RANK || rank == i) && strcmp(r->peers[i].host, r->peers[r->rank].host) == 0 &&
            kill((pid_t)r->peers[i].pid, 0) != 0 && errno == ESRCH && used < bytes)
            used += (size_t)snprintf(text + used, bytes - used, "%srank %d (process %ld on %s) exited",
                                     used ? ", " : "", i, r->peers[i].pid, r->peers[i].host);
    return used > 0;
}

/* Writes "; rank 2 (process 4711 on a) is stopped" for the stopped processes of this host; "" if there is none. */
static void find_stopped(const sq_ranks *r, char *text, size_t bytes)
{
    size_t used = 0;
    *text = 0;
    for (int i = 0; i < r->count; i++) {
        char path[64], line[512] = "";
        (void)snprintf(path, sizeof path, "/proc/%ld/stat", r->peers[i].pid);
        FILE *file = strcmp(r->peers[i].host, r->peers[r->rank].host) == 0 ? fopen(path, "r") : NULL;
        if (!file)
            continue;
        (void)fgets(line, sizeof line, file); /* "4711 (squall) T ..." */
        (void)fclose(file);
        const char *state = strrchr(line, ')');
        if (state && (state[2] == 'T' || state[2] == 't') && used < bytes)
            used += (size_t)snprintf(text + used, bytes - used, "%s rank %d (process %ld on %s) is stopped",
                                     used ? "," : ";", i, r->peers[i].pid, r->peers[i].host);
    }
}

bool sq_ranks_is_lost(void *context, double seconds, char *why, size_t bytes)
{
    sq_ranks *r = context;
    if (r->is_abandoned)
        (void)snprintf(why, bytes, "the connection between the ranks was lost before");
    else if (sq_ranks_find_dead(r, SQ_ANY_RANK, why, bytes))
        r->is_abandoned = true;
    else if (seconds > r->time_limit) {
        char stopped[SQ_RANKS_TEXT_BYTES];
        find_stopped(r, stopped, sizeof stopped);
        (void)snprintf(why, bytes, "another rank has not answered for %.0f s%s", r->time_limit, stopped);
        r->is_abandoned = true;
    }
    return r->is_abandoned;
}

void sq_ranks_abandon(sq_ranks *r)
{
    if (r)
        r->is_abandoned = true;
}

sq_status sq_ranks_fail(sq_ranks *r, const char *what, const char *why)
{
    sq_ranks_abandon(r);
    return sq_fail(SQ_COMMUNICATION, "%s: %s", what, why);
}

sq_status sq_ranks_lost(sq_ranks *r, const char *what)
{
    char dead[SQ_RANKS_TEXT_BYTES];
    return sq_ranks_fail(r, what,
                         sq_ranks_find_dead(r, SQ_ANY_RANK, dead, sizeof dead) ? dead : "MPI lost another rank");
}

sq_status sq_ranks_wait(sq_ranks *r, MPI_Request *requests, int count, const char *what)
{
    const double begin = sq_seconds_now();
    double checked = begin;
    for (;;) {
        char text[SQ_RANKS_TEXT_BYTES];
        int is_done = 0;
        if (MPI_Testall(count, requests, &is_done, MPI_STATUSES_IGNORE) != MPI_SUCCESS)
            return sq_ranks_lost(r, what);
        if (is_done)
            return SQ_OK;
        const double now = sq_seconds_now();
        if (now - checked > CHECK_SECONDS) {
            checked = now;
            if (sq_ranks_is_lost(r, now - begin, text, sizeof text))
                return sq_ranks_fail(r, what, text);
        }
        sq_pause_after(now - begin);
    }
}

sq_status sq_ranks_complete(sq_ranks *r, int code, MPI_Request *request, const char *what)
{
    if (code != MPI_SUCCESS)
        return sq_ranks_fail(r, what, "MPI refused the call");
    return sq_ranks_wait(r, request, 1, what);
}
