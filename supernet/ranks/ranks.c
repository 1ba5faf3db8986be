/* Ranks over MPI. Every call that could wait for another rank is begun without blocking and then looked at again and
 * again, so that a death or a time limit ends the waiting. */
#include "supernet/ranks/ranks.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/bf16.h"
#include "kernels/base/clock.h"
#include "supernet/ranks/launcher.h"
#include "supernet/ranks/watchdog.h"

#define OMPI_SKIP_MPICXX 1
#include <mpi.h>

enum { REQUESTS_LIMIT = 4096, TEXT_BYTES = 512 };
#define DEFAULT_TIME_LIMIT 600.0

typedef struct {
    long pid;
    char host[64];
} peer;

struct sq_ranks {
    int rank, count, local, local_count;
    double time_limit;
    int64_t reduced_bytes;
    bool is_broken;
    sq_status over; /* what the ranks failed of together, if they did */
    char over_text[TEXT_BYTES + 32];
    peer *peers; /* [count] */
    struct {
        float *values;
        size_t count;
        sq_dtype reduce_dtype;
    } parts[REQUESTS_LIMIT]; /* of the reduction that is going on */
    MPI_Request requests[REQUESTS_LIMIT];
    MPI_Op add_bf16; /* which MPI 4.0 does not have */
    int request_count;
    sq_reduction reduction;
    sq_rank_group group; /* the same for a backend that reduces on a device */
};

static bool is_told; /* by another rank */

bool sq_ranks_is_told(void)
{
    return is_told;
}

int sq_ranks_rank(const sq_ranks *ranks)
{
    return ranks ? ranks->rank : 0;
}

int sq_ranks_count(const sq_ranks *ranks)
{
    return ranks ? ranks->count : 1;
}

int sq_ranks_local(const sq_ranks *ranks)
{
    return ranks ? ranks->local : 0;
}

int sq_ranks_local_count(const sq_ranks *ranks)
{
    return ranks ? ranks->local_count : 1;
}

double sq_ranks_time_limit(const sq_ranks *ranks)
{
    return ranks->time_limit;
}

void sq_ranks_set_time_limit(sq_ranks *ranks, double time_limit)
{
    if (ranks)
        ranks->time_limit = time_limit;
}

/* ---- Waiting ---- */

bool sq_ranks_find_dead(const sq_ranks *r, int rank, char *text, size_t bytes)
{
    size_t used = 0;
    *text = 0;
    for (int i = 0; i < r->count; i++)
        if ((rank == SQ_ANY_RANK || rank == i) && strcmp(r->peers[i].host, r->peers[r->rank].host) == 0 &&
            kill((pid_t)r->peers[i].pid, 0) != 0 && errno == ESRCH && used < bytes)
            used += (size_t)snprintf(text + used, bytes - used, "%srank %d (process %ld on %s) is gone",
                                     used ? ", " : "", i, r->peers[i].pid, r->peers[i].host);
    return used > 0;
}

/* "; rank 2 (process 4711 on a) is stopped": of this host's, as far as the system tells; "" when none is. */
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

/* Whether to give up waiting for another rank after so many seconds, and why. */
static bool is_lost(void *context, double seconds, char *why, size_t bytes)
{
    sq_ranks *r = context;
    if (r->is_broken)
        (void)snprintf(why, bytes, "the ranks have lost each other");
    else if (sq_ranks_find_dead(r, SQ_ANY_RANK, why, bytes))
        r->is_broken = true;
    else if (seconds > r->time_limit) {
        char stopped[TEXT_BYTES];
        find_stopped(r, stopped, sizeof stopped);
        (void)snprintf(why, bytes, "another rank has not answered for %.0f s%s", r->time_limit, stopped);
        r->is_broken = true;
    }
    return r->is_broken;
}

void sq_ranks_break(sq_ranks *r)
{
    if (r)
        r->is_broken = true;
}

void sq_ranks_leave_reported(sq_ranks *r)
{
    is_told = true;
    sq_ranks_break(r);
}

static sq_status fail_together(sq_ranks *r, const char *what, const char *why)
{
    sq_ranks_break(r);
    return sq_fail(SQ_COMMUNICATION, "%s: %s", what, why);
}

/* MPI itself says that another rank does not answer; which one, if it can be seen from here. */
static sq_status lost(sq_ranks *r, const char *what)
{
    char dead[TEXT_BYTES];
    return fail_together(r, what,
                         sq_ranks_find_dead(r, SQ_ANY_RANK, dead, sizeof dead) ? dead : "MPI lost another rank");
}

/* Until all requests are done. */
static sq_status wait_for(sq_ranks *r, MPI_Request *requests, int count, const char *what)
{
    const double begin = sq_seconds_now();
    double looked = begin;
    for (;;) {
        char text[TEXT_BYTES];
        int is_done = 0;
        if (MPI_Testall(count, requests, &is_done, MPI_STATUSES_IGNORE) != MPI_SUCCESS)
            return lost(r, what);
        if (is_done)
            return SQ_OK;
        const double now = sq_seconds_now();
        if (now - looked > 0.5) {
            looked = now;
            if (is_lost(r, now - begin, text, sizeof text))
                return fail_together(r, what, text);
        }
        sq_pause_after(now - begin);
    }
}

static sq_status begun(sq_ranks *r, int code, MPI_Request *request, const char *what)
{
    if (code != MPI_SUCCESS)
        return fail_together(r, what, "MPI refused");
    return wait_for(r, request, 1, what);
}

/* ---- Begin and end ---- */

/* Every rank's bytes to all of them, in their order. */
static sq_status gather(void *context, const void *own, void *all, size_t bytes)
{
    sq_ranks *r = context;
    MPI_Request request;
    if (bytes > INT32_MAX)
        return sq_fail(SQ_INVALID, "ranks: %zu bytes of each", bytes);
    const int code = MPI_Iallgather(own, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE, MPI_COMM_WORLD, &request);
    return begun(r, code, &request, "ranks");
}

/* Who everyone is, and which of them share a host. */
static sq_status meet_peers(sq_ranks *r)
{
    peer own = {.pid = (long)getpid()};
    (void)gethostname(own.host, sizeof own.host - 1);
    r->peers = calloc((size_t)r->count, sizeof *r->peers);
    if (!r->peers)
        return sq_fail(SQ_NO_MEMORY, "%d ranks", r->count);
    r->peers[r->rank] = own;
    SQ_TRY(gather(r, &own, r->peers, sizeof own));
    for (int i = 0; i < r->count; i++)
        if (strcmp(r->peers[i].host, own.host) == 0) {
            r->local += i < r->rank;
            r->local_count++;
        }
    r->local = sq_launcher_local_rank(r->local);
    return SQ_OK;
}

static void add_bf16(void *more, void *sum, int *count, MPI_Datatype *type)
{
    (void)type; /* MPI_UINT16_T, the bits */
    sq_bf16_add(sum, more, (size_t)*count);
}

static sq_status begin_reduction(void *context, float *values, size_t count, sq_dtype reduce_dtype)
{
    sq_ranks *r = context;
    int is_done; /* lets MPI go on with what is under way */
    if (r->request_count == REQUESTS_LIMIT)
        return sq_fail(SQ_INVALID, "gradients: more than %d reductions at once", REQUESTS_LIMIT);
    if (count > INT32_MAX)
        return sq_fail(SQ_INVALID, "gradients: %zu values in one reduction, wanted at most %d", count, INT32_MAX);
    if (r->request_count && MPI_Testall(r->request_count, r->requests, &is_done, MPI_STATUSES_IGNORE) != MPI_SUCCESS)
        return lost(r, "gradients");
    MPI_Request *request = &r->requests[r->request_count];
    const bool is_narrow = reduce_dtype == SQ_BF16;
    if (is_narrow)
        sq_bf16_pack(values, count);
    if (MPI_Iallreduce(MPI_IN_PLACE, values, (int)count, is_narrow ? MPI_UINT16_T : MPI_FLOAT,
                       is_narrow ? r->add_bf16 : MPI_SUM, MPI_COMM_WORLD, request) != MPI_SUCCESS)
        return fail_together(r, "gradients", "MPI refused");
    r->parts[r->request_count].values = values;
    r->parts[r->request_count].reduce_dtype = reduce_dtype;
    r->parts[r->request_count++].count = count;
    r->reduced_bytes += (int64_t)(count * sq_dtype_bytes(reduce_dtype));
    return SQ_OK;
}

/* Sums become means by a division: exact for 2, 4, 8 ranks. */
static sq_status finish_reduction(void *context)
{
    sq_ranks *r = context;
    const float ranks = (float)r->count;
    SQ_TRY(wait_for(r, r->requests, r->request_count, "gradients"));
    for (int i = 0; i < r->request_count; i++) {
        if (r->parts[i].reduce_dtype == SQ_BF16)
            sq_bf16_unpack(r->parts[i].values, r->parts[i].count);
        for (size_t k = 0; k < r->parts[i].count; k++)
            r->parts[i].values[k] /= ranks;
    }
    r->request_count = 0;
    return SQ_OK;
}

static sq_status agree(void *context, sq_status status)
{
    return sq_ranks_agree(context, status);
}

/* Returns when all processes have called it. */
static sq_status start_mpi(double time_limit)
{
    int provided;
    char text[TEXT_BYTES];
    (void)snprintf(text, sizeof text,
                   "the launcher's processes did not come together within %.0f s: one of them hangs, or hosts do not "
                   "reach each other",
                   time_limit);
    sq_watchdog *watchdog = sq_watchdog_start(time_limit, text, 0);
    const int code = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
    sq_watchdog_stop(watchdog);
    return code == MPI_SUCCESS ? SQ_OK : sq_fail(SQ_COMMUNICATION, "MPI did not start");
}

/* So does this. Who failed alone is here at once, and the others come when they have waited for it in vain. */
static void end_mpi(double time_limit, int exit_code)
{
    char text[TEXT_BYTES];
    time_limit = 2 * time_limit + 1;
    (void)snprintf(text, sizeof text, "a rank has not come to its end within %.0f s; this one has", time_limit);
    sq_watchdog *watchdog = sq_watchdog_start(time_limit, text, exit_code);
    (void)MPI_Finalize();
    sq_watchdog_stop(watchdog);
}

static sq_status join_launcher(sq_ranks *r)
{
    SQ_TRY(start_mpi(r->time_limit));
    (void)MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &r->rank);
    (void)MPI_Comm_size(MPI_COMM_WORLD, &r->count);
    if (MPI_Op_create(add_bf16, 1, &r->add_bf16) != MPI_SUCCESS)
        return sq_fail(SQ_COMMUNICATION, "MPI has no room for an operation");
    r->local = r->local_count = 0;
    r->reduction = (sq_reduction){begin_reduction, finish_reduction, r};
    SQ_TRY(meet_peers(r));
    r->group = (sq_rank_group){.rank = r->rank,
                               .count = r->count,
                               .host = r->peers[r->rank].host,
                               .agree = agree,
                               .gather = gather,
                               .is_lost = is_lost,
                               .context = r};
    return SQ_OK;
}

sq_status sq_ranks_open(sq_ranks **out, double time_limit)
{
    sq_ranks *r = calloc(1, sizeof *r);
    if (!r)
        return sq_fail(SQ_NO_MEMORY, "ranks");
    r->count = r->local_count = 1;
    r->time_limit = time_limit > 0 ? time_limit : DEFAULT_TIME_LIMIT;
    r->add_bf16 = MPI_OP_NULL;
    const sq_status status = sq_launcher_rank_count() > 1 ? join_launcher(r) : SQ_OK;
    if (status == SQ_OK)
        *out = r;
    else
        sq_ranks_close(r, 0);
    return status;
}

void sq_ranks_close(sq_ranks *r, int exit_code)
{
    int is_begun = 0;
    if (!r)
        return;
    (void)MPI_Initialized(&is_begun);
    if (is_begun && !r->is_broken) {
        if (r->add_bf16 != MPI_OP_NULL)
            (void)MPI_Op_free(&r->add_bf16); /* nobody is left to hear of a failure */
        end_mpi(r->time_limit, exit_code);
    }
    free(r->peers);
    free(r);
}

/* ---- Together ---- */

static bool is_alone(const sq_ranks *r)
{
    return sq_ranks_count(r) == 1;
}

/* Behind a failure that was agreed on nobody waits for anybody: who failed alone may be at another place than the rest.
 */
static sq_status check_over(const sq_ranks *r)
{
    return r->over == SQ_OK ? SQ_OK : sq_fail(r->over, "%s", r->over_text);
}

sq_status sq_ranks_sum(sq_ranks *r, double *values, int count)
{
    MPI_Request request;
    if (is_alone(r))
        return SQ_OK;
    SQ_TRY(check_over(r));
    return begun(r, MPI_Iallreduce(MPI_IN_PLACE, values, count, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD, &request),
                 &request, "sum over the ranks");
}

sq_status sq_ranks_broadcast(sq_ranks *r, void *bytes, size_t count)
{
    MPI_Request request;
    if (is_alone(r))
        return SQ_OK;
    SQ_TRY(check_over(r));
    if (count > INT32_MAX)
        return sq_fail(SQ_INVALID, "broadcast: %zu bytes", count);
    return begun(r, MPI_Ibcast(bytes, (int)count, MPI_BYTE, 0, MPI_COMM_WORLD, &request), &request, "rank 0's news");
}

sq_status sq_ranks_gather(sq_ranks *r, const void *bytes, size_t count, void *all)
{
    if (is_alone(r)) {
        memcpy(all, bytes, count);
        return SQ_OK;
    }
    SQ_TRY(check_over(r));
    return gather(r, bytes, all, count);
}

sq_status sq_ranks_barrier(sq_ranks *r)
{
    MPI_Request request;
    if (is_alone(r))
        return SQ_OK;
    SQ_TRY(check_over(r));
    return begun(r, MPI_Ibarrier(MPI_COMM_WORLD, &request), &request, "waiting for the other ranks");
}

typedef struct {
    int status; /* twice, and one more where this rank has it to tell */
    int rank;
} verdict;

sq_status sq_ranks_worst(sq_ranks *r, sq_status status)
{
    MPI_Request request;
    char text[TEXT_BYTES] = "";
    if (is_alone(r) || r->is_broken)
        return status;
    SQ_TRY(check_over(r));
    /* Of equals, who has not been told: a failure that went through an agreement before is that rank's. */
    verdict own = {2 * (int)status + (status != SQ_OK && !is_told), r->rank}, worst = own;
    is_told = false; /* an older failure may have been got over */
    if (status != SQ_OK)
        (void)snprintf(text, sizeof text, "%s", sq_error_text());
    SQ_TRY(begun(r, MPI_Iallreduce(&own, &worst, 1, MPI_2INT, MPI_MAXLOC, MPI_COMM_WORLD, &request), &request,
                 "agreement of the ranks"));
    if (worst.status == SQ_OK)
        return SQ_OK;
    SQ_TRY(begun(r, MPI_Ibcast(text, sizeof text, MPI_BYTE, worst.rank, MPI_COMM_WORLD, &request), &request,
                 "a failure's reason"));
    is_told = worst.rank != r->rank;
    if (!is_told)
        return sq_fail(status, "%s", text);
    return sq_fail((sq_status)(worst.status / 2), "rank %d: %s", worst.rank, text);
}

sq_status sq_ranks_agree(sq_ranks *r, sq_status status)
{
    const sq_status worst = sq_ranks_worst(r, status);
    if (worst != SQ_OK && !is_alone(r) && !r->is_broken && r->over == SQ_OK) {
        r->over = worst;
        (void)snprintf(r->over_text, sizeof r->over_text, "%s", sq_error_text());
    }
    return worst;
}

/* A rank whose backend did not open fails at the agreement that comes next: this one. */
sq_status sq_ranks_attach(sq_ranks *r, sq_backend *backend)
{
    if (is_alone(r))
        return SQ_OK;
    double devices = backend->ops->attach != NULL;
    SQ_TRY(sq_ranks_agree(r, SQ_OK));
    SQ_TRY(sq_ranks_sum(r, &devices, 1));
    if (devices > 0 && devices < r->count)
        return sq_fail(SQ_INVALID,
                       "ranks: %.0f of %d have a GPU that can be used, and --device auto gave the others "
                       "the CPU; --device says what all take",
                       devices, r->count);
    if (backend->ops->attach)
        return backend->ops->attach(backend, &r->group);
    backend->reduction = &r->reduction;
    return SQ_OK;
}

sq_status sq_ranks_share_norms(sq_ranks *r, sq_backend *backend)
{
    if (is_alone(r))
        return SQ_OK;
    if (strcmp(backend->ops->name, "cpu") != 0)
        return sq_fail(SQ_UNSUPPORTED, "train.sync_batch_norm: only --device cpu has it, not %s", backend->ops->name);
    backend->norm_group = &r->group;
    return SQ_OK;
}

static int host_count(const sq_ranks *r)
{
    int hosts = 0;
    for (int i = 0; i < r->count; i++) {
        int k = 0;
        while (strcmp(r->peers[k].host, r->peers[i].host) != 0)
            k++;
        hosts += k == i;
    }
    return hosts;
}

void sq_ranks_describe(const sq_ranks *r, char *text, size_t bytes)
{
    char version[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    (void)MPI_Get_library_version(version, &length);
    version[strcspn(version, ",\n")] = 0;
    if (is_alone(r))
        (void)snprintf(text, bytes, "1 rank (%s)", version);
    else
        (void)snprintf(text, bytes, "%d ranks on %d host%s, %s%s%s", r->count, host_count(r),
                       host_count(r) > 1 ? "s" : "", version, *r->group.library ? ", " : "", r->group.library);
}

int64_t sq_ranks_reduced_bytes(const sq_ranks *ranks)
{
    return ranks ? ranks->reduced_bytes + ranks->group.reduced_bytes : 0;
}
