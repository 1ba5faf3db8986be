/* Ranks over MPI. Instead of blocking MPI calls, this file uses nonblocking calls followed by sq_ranks_wait, which
 * returns an error if a rank is lost. */
#include "supernet/ranks/ranks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/bf16.h"
#include "kernels/base/clock.h"
#include "supernet/ranks/launcher.h"
#include "supernet/ranks/ranks_wait.h"
#include "supernet/ranks/watchdog.h"

#define DEFAULT_TIME_LIMIT 600.0 /* seconds */

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

/* ---- Begin and end ---- */

/* Sends every rank's bytes to all ranks, in the order of the ranks. */
static sq_status gather(void *context, const void *own, void *all, size_t bytes)
{
    sq_ranks *r = context;
    MPI_Request request;
    if (bytes > INT32_MAX)
        return sq_fail(SQ_INVALID, "ranks: %zu bytes of each", bytes);
    const int code = MPI_Iallgather(own, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE, MPI_COMM_WORLD, &request);
    return sq_ranks_complete(r, code, &request, "ranks");
}

/* Exchanges process numbers and host names, and counts the ranks of this host. */
static sq_status meet_peers(sq_ranks *r)
{
    sq_peer own = {.pid = (long)getpid()};
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
    (void)type; /* MPI_UINT16_T, the bits of BF16 values */
    sq_bf16_add(sum, more, (size_t)*count);
}

static sq_status begin_reduction(void *context, float *values, size_t count, sq_dtype reduce_dtype)
{
    sq_ranks *r = context;
    int is_done; /* unused; MPI_Testall is called so that MPI progresses */
    if (r->request_count == SQ_RANKS_REQUESTS)
        return sq_fail(SQ_INVALID, "gradients: more than %d reductions at once", SQ_RANKS_REQUESTS);
    if (count > INT32_MAX)
        return sq_fail(SQ_INVALID, "gradients: %zu values in one reduction, expected at most %d", count, INT32_MAX);
    if (r->request_count && MPI_Testall(r->request_count, r->requests, &is_done, MPI_STATUSES_IGNORE) != MPI_SUCCESS)
        return sq_ranks_lost(r, "gradients");
    MPI_Request *request = &r->requests[r->request_count];
    const bool is_bf16 = reduce_dtype == SQ_BF16;
    if (is_bf16)
        sq_bf16_pack(values, count);
    if (MPI_Iallreduce(MPI_IN_PLACE, values, (int)count, is_bf16 ? MPI_UINT16_T : MPI_FLOAT,
                       is_bf16 ? r->add_bf16 : MPI_SUM, MPI_COMM_WORLD, request) != MPI_SUCCESS)
        return sq_ranks_fail(r, "gradients", "MPI refused the call");
    r->parts[r->request_count].values = values;
    r->parts[r->request_count].reduce_dtype = reduce_dtype;
    r->parts[r->request_count++].count = count;
    r->reduced_bytes += (int64_t)(count * sq_dtype_bytes(reduce_dtype));
    return SQ_OK;
}

/* Waits for all reductions and divides the sums by the number of ranks. The division is exact for 2, 4 and 8 ranks. */
static sq_status finish_reduction(void *context)
{
    sq_ranks *r = context;
    const float ranks = (float)r->count;
    SQ_TRY(sq_ranks_wait(r, r->requests, r->request_count, "gradients"));
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

/* Starts MPI. Returns after all processes of the launcher have called it. */
static sq_status start_mpi(double time_limit)
{
    int provided;
    char text[SQ_RANKS_TEXT_BYTES];
    (void)snprintf(text, sizeof text,
                   "the launcher's processes did not connect within %.0f s; check for a hanging process, and the "
                   "network between the hosts",
                   time_limit);
    sq_watchdog *watchdog = sq_watchdog_start(time_limit, text, 0);
    const int code = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
    sq_watchdog_stop(watchdog);
    return code == MPI_SUCCESS ? SQ_OK : sq_fail(SQ_COMMUNICATION, "MPI did not start");
}

/* Ends MPI. Returns after all ranks have called it. A rank that failed alone waits here until the other ranks exceed
 * their time limit. */
static void end_mpi(double time_limit, int exit_code)
{
    char text[SQ_RANKS_TEXT_BYTES];
    time_limit = 2 * time_limit + 1;
    (void)snprintf(text, sizeof text, "another rank did not finish within %.0f s after this one", time_limit);
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
        return sq_fail(SQ_COMMUNICATION, "MPI cannot create an operation");
    r->local = r->local_count = 0;
    r->reduction = (sq_reduction){begin_reduction, finish_reduction, r};
    SQ_TRY(meet_peers(r));
    r->group = (sq_rank_group){.rank = r->rank,
                               .count = r->count,
                               .host = r->peers[r->rank].host,
                               .agree = agree,
                               .gather = gather,
                               .is_lost = sq_ranks_is_lost,
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
    if (is_begun && !r->is_abandoned) {
        if (r->add_bf16 != MPI_OP_NULL)
            (void)MPI_Op_free(&r->add_bf16); /* a failure is harmless */
        end_mpi(r->time_limit, exit_code);
    }
    free(r->peers);
    free(r);
}

/* ---- Collective calls ---- */

static bool is_single(const sq_ranks *r)
{
    return sq_ranks_count(r) == 1;
}

/* Returns the failure on which the ranks agreed earlier, or SQ_OK. After such a failure, ranks may be at different
 * places in the program, so collective calls must not wait. */
static sq_status check_failure(const sq_ranks *r)
{
    if (r->failure == SQ_OK)
        return SQ_OK;
    (void)sq_fail(r->failure, "%s", r->failure_text); /* sets the error text */
    if (r->is_failure_reported)
        sq_error_set_reported();
    return r->failure;
}

sq_status sq_ranks_sum(sq_ranks *r, double *values, int count)
{
    MPI_Request request;
    if (is_single(r))
        return SQ_OK;
    SQ_TRY(check_failure(r));
    return sq_ranks_complete(r,
                             MPI_Iallreduce(MPI_IN_PLACE, values, count, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD, &request),
                             &request, "sum over the ranks");
}

sq_status sq_ranks_broadcast(sq_ranks *r, void *bytes, size_t count)
{
    MPI_Request request;
    if (is_single(r))
        return SQ_OK;
    SQ_TRY(check_failure(r));
    if (count > INT32_MAX)
        return sq_fail(SQ_INVALID, "broadcast: %zu bytes", count);
    return sq_ranks_complete(r, MPI_Ibcast(bytes, (int)count, MPI_BYTE, 0, MPI_COMM_WORLD, &request), &request,
                             "broadcast of rank 0");
}

sq_status sq_ranks_gather(sq_ranks *r, const void *bytes, size_t count, void *all)
{
    if (is_single(r)) {
        memcpy(all, bytes, count);
        return SQ_OK;
    }
    SQ_TRY(check_failure(r));
    return gather(r, bytes, all, count);
}

sq_status sq_ranks_barrier(sq_ranks *r)
{
    MPI_Request request;
    if (is_single(r))
        return SQ_OK;
    SQ_TRY(check_failure(r));
    return sq_ranks_complete(r, MPI_Ibarrier(MPI_COMM_WORLD, &request), &request, "waiting for the other ranks");
}

typedef struct {
    int severity; /* 2 * status, plus 1 if this rank found the failure itself; the largest severity wins */
    int rank;
} verdict;

sq_status sq_ranks_reduce_status(sq_ranks *r, sq_status status)
{
    MPI_Request request;
    char text[SQ_RANKS_TEXT_BYTES] = "";
    if (is_single(r) || r->is_abandoned)
        return status;
    SQ_TRY(check_failure(r));
    /* With equal status, a rank that found the failure itself wins over one that received it in an earlier agreement.
     */
    const verdict own = {2 * (int)status + (status != SQ_OK && !sq_error_is_reported()), r->rank};
    verdict worst = own;
    if (status != SQ_OK)
        (void)snprintf(text, sizeof text, "%s", sq_error_text());
    SQ_TRY(sq_ranks_complete(r, MPI_Iallreduce(&own, &worst, 1, MPI_2INT, MPI_MAXLOC, MPI_COMM_WORLD, &request),
                             &request, "agreement of the ranks"));
    if (worst.severity == SQ_OK)
        return SQ_OK;
    SQ_TRY(sq_ranks_complete(r, MPI_Ibcast(text, sizeof text, MPI_BYTE, worst.rank, MPI_COMM_WORLD, &request), &request,
                             "text of a failure"));
    if (worst.rank == r->rank)
        return sq_fail(status, "%s", text);
    const sq_status failure = sq_fail((sq_status)(worst.severity / 2), "rank %d: %s", worst.rank, text);
    sq_error_set_reported();
    return failure;
}

sq_status sq_ranks_agree(sq_ranks *r, sq_status status)
{
    const sq_status worst = sq_ranks_reduce_status(r, status);
    if (worst != SQ_OK && !is_single(r) && !r->is_abandoned && r->failure == SQ_OK) {
        r->failure = worst;
        r->is_failure_reported = sq_error_is_reported();
        (void)snprintf(r->failure_text, sizeof r->failure_text, "%s", sq_error_text());
    }
    return worst;
}

/* A rank whose backend did not open calls sq_ranks_agree with that failure, instead of this function. The first call
 * here is the counterpart. */
sq_status sq_ranks_attach(sq_ranks *r, sq_backend *backend)
{
    if (is_single(r))
        return SQ_OK;
    double devices = backend->ops->attach != NULL;
    SQ_TRY(sq_ranks_agree(r, SQ_OK));
    SQ_TRY(sq_ranks_sum(r, &devices, 1));
    if (devices > 0 && devices < r->count)
        return sq_fail(SQ_INVALID,
                       "ranks: %.0f of %d have a usable GPU, and --device auto selected the CPU for the others; set "
                       "--device",
                       devices, r->count);
    if (backend->ops->attach)
        return backend->ops->attach(backend, &r->group);
    backend->reduction = &r->reduction;
    return SQ_OK;
}

sq_status sq_ranks_share_norms(sq_ranks *r, sq_backend *backend)
{
    if (is_single(r))
        return SQ_OK;
    if (strcmp(backend->ops->name, "cpu") != 0)
        return sq_fail(SQ_UNSUPPORTED, "train.sync_batch_norm: not supported by --device %s; use --device cpu",
                       backend->ops->name);
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
    if (is_single(r))
        (void)snprintf(text, bytes, "1 rank (%s)", version);
    else
        (void)snprintf(text, bytes, "%d ranks on %d host%s, %s%s%s", r->count, host_count(r),
                       host_count(r) > 1 ? "s" : "", version, *r->group.library ? ", " : "", r->group.library);
}

int64_t sq_ranks_reduced_bytes(const sq_ranks *ranks)
{
    return ranks ? ranks->reduced_bytes + ranks->group.reduced_bytes : 0;
}
