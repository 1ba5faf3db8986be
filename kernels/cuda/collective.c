/* Collective operations by NCCL, opened at run time. NCCL's calls do not block (ncclConfig_t.blocking = 0). Operations
 * that could wait for another rank are started and then polled, so a lost rank or the time limit ends the wait. */
#include "kernels/cuda/collective.h"

#include <dlfcn.h>
#include <nccl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/clock.h"
#include "kernels/cuda/operations/operations.h"

enum {
    BUCKET_BYTES = 1 << 20, /* of a message; smaller reductions are assumed to be limited by latency (not measured) */
    BUCKET_LIMIT = SQ_CUDA_BF16_PACK_RANGES,
    PIECE_VALUES = 1 << 20, /* larger BF16 ranges are split, so that a bucket fits into the row */
    ROW_VALUES = PIECE_VALUES + BUCKET_BYTES / sizeof(sq_bf16),
    TEXT_BYTES = 512,
    HOST_BYTES = 64
};
#define CHECK_SECONDS   0.5 /* between checks for lost ranks */
#define EXPLAIN_SECONDS 3.0 /* NCCL may report a broken connection before the lost rank's process has exited */
#define CLOSE_SECONDS   5.0 /* for the orderly shutdown, which all ranks start at the same time */

/* NCCL_FUNCTION(field, name, parameters), all ncclResult_t */
#define NCCL_FUNCTIONS                                                                                                 \
    NCCL_FUNCTION(version, ncclGetVersion, (int *))                                                                    \
    NCCL_FUNCTION(get_id, ncclGetUniqueId, (ncclUniqueId *))                                                           \
    NCCL_FUNCTION(open, ncclCommInitRankConfig, (ncclComm_t *, int, ncclUniqueId, int, ncclConfig_t *))                \
    NCCL_FUNCTION(state, ncclCommGetAsyncError, (ncclComm_t, ncclResult_t *))                                          \
    NCCL_FUNCTION(finalize, ncclCommFinalize, (ncclComm_t))                                                            \
    NCCL_FUNCTION(destroy, ncclCommDestroy, (ncclComm_t))                                                              \
    NCCL_FUNCTION(abort, ncclCommAbort, (ncclComm_t))                                                                  \
    NCCL_FUNCTION(group_start, ncclGroupStart, (void))                                                                 \
    NCCL_FUNCTION(group_end, ncclGroupEnd, (void))                                                                     \
    NCCL_FUNCTION(all_reduce, ncclAllReduce,                                                                           \
                  (const void *, void *, size_t, ncclDataType_t, ncclRedOp_t, ncclComm_t, cudaStream_t))

#define NCCL_FUNCTION(field, name, parameters)                                                                         \
    _Static_assert(_Generic(&name, ncclResult_t(*) parameters : 1, default : 0),                                       \
                   "nccl.h declares another type for " #name);
NCCL_FUNCTIONS
#undef NCCL_FUNCTION

#define NCCL_FUNCTION(field, name, parameters) ncclResult_t(*field) parameters;
typedef struct {
    void *library; /* of dlopen; never closed: its threads may outlive an aborted communicator */
    int code;      /* the version number */
    const char *(*error_string)(ncclResult_t);
    const char *(*last_error)(ncclComm_t);
    NCCL_FUNCTIONS
} nccl;
#undef NCCL_FUNCTION

struct sq_collective {
    nccl nccl;
    sq_collective_place place;
    ncclComm_t comm;         /* NULL: not connected, or aborted */
    cudaStream_t side;       /* owned: runs the reductions */
    cudaEvent_t ready, done; /* owned */
    bool is_pending;         /* reductions were started since the last join */
    cudaError_t earlier;     /* the first error of calls elsewhere, taken from cudaGetLastError */
    struct {
        float *values;
        size_t count;
        sq_dtype reduce_dtype;
    } bucket[BUCKET_LIMIT]; /* reductions that are not started yet */
    sq_bf16 *row;           /* owned: the bucket's BF16 values in one range */
    int bucket_count;
    size_t bucket_bytes;
};

/* ---- The library ---- */

static sq_status find_functions(nccl *n)
{
    static const struct {
        const char *name;
        size_t offset;
    } symbols[] = {
#define NCCL_FUNCTION(field, name, parameters) {#name, offsetof(nccl, field)},
        NCCL_FUNCTIONS
#undef NCCL_FUNCTION
        {"ncclGetErrorString", offsetof(nccl, error_string)},
        {"ncclGetLastError", offsetof(nccl, last_error)}};
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        void *found = dlsym(n->library, symbols[i].name);
        if (!found)
            return sq_fail(SQ_UNSUPPORTED, "NCCL: the library has no %s; version 2.14 or newer is needed",
                           symbols[i].name);
        memcpy((unsigned char *)n + symbols[i].offset, &found, sizeof found); /* POSIX: of the same size */
    }
    return n->version(&n->code) == ncclSuccess ? SQ_OK : sq_fail(SQ_DEVICE, "NCCL: ncclGetVersion failed");
}

/* If SQ_NCCL_LIBRARY is set, only that file is tried. */
static sq_status load(nccl *n)
{
    const char *named = getenv("SQ_NCCL_LIBRARY");
    n->library = dlopen(named && *named ? named : "libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!n->library && !(named && *named))
        n->library = dlopen("/usr/local/cuda/lib64/libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!n->library) {
        const char *why = dlerror(); /* valid until the next call */
        return sq_fail(SQ_UNSUPPORTED,
                       "NCCL cannot be loaded: %s; set SQ_NCCL_LIBRARY to its file or LD_LIBRARY_PATH to its folder "
                       "(PyTorch's is site-packages/nvidia/nccl/lib)",
                       why ? why : "libnccl.so.2");
    }
    const sq_status status = find_functions(n);
    if (status != SQ_OK) {
        (void)dlclose(n->library); /* no function was called */
        n->library = NULL;
    }
    return status;
}

static void print_version(const nccl *n, char *text, size_t bytes)
{
    (void)snprintf(text, bytes, "NCCL %d.%d.%d", n->code / 10000, n->code / 100 % 100, n->code % 100);
}

void sq_collective_describe(char *text, size_t bytes)
{
    nccl n = {0};
    if (load(&n) == SQ_OK)
        print_version(&n, text, bytes);
    else
        (void)snprintf(text, bytes, "not used: %s", sq_error_text());
    if (n.library)
        (void)dlclose(n.library); /* only its version was needed */
}

/* ---- Waiting ---- */

static sq_status cuda_failed(cudaError_t error, const char *what)
{
    return error == cudaSuccess ? SQ_OK : sq_fail(SQ_DEVICE, "%s: %s", what, cudaGetErrorString(error));
}

#define SQ_CUDA(call, what) SQ_TRY(cuda_failed((call), (what)))

/* Ends NCCL's kernels, and with them all work on the device that waits for them. */
static void abort_communicator(sq_collective *c)
{
    if (c->comm)
        (void)c->nccl.abort(c->comm); /* the abort flag is set even if the call fails */
    c->comm = NULL;
}

/* NCCL's error, with the lost ranks if they are found within EXPLAIN_SECONDS. */
static void explain(const sq_collective *c, ncclResult_t result, char *why, size_t bytes)
{
    const sq_rank_group *g = c->place.group;
    const double begin = sq_seconds_now();
    const char *detail = c->comm ? c->nccl.last_error(c->comm) : NULL;
    char lost[TEXT_BYTES] = "";
    while (result != ncclInvalidUsage && result != ncclInvalidArgument && sq_seconds_now() - begin < EXPLAIN_SECONDS)
        if (g->is_lost(g->context, 0, lost, sizeof lost))
            break;
        else
            sq_pause();
    const int length = detail ? (int)strcspn(detail, "\n") : 0;
    (void)snprintf(why, bytes, "NCCL: %s%s%.*s%s%s", c->nccl.error_string(result), length ? " (" : "", length,
                   length ? detail : "", length ? ")" : "", *lost ? "; " : "");
    (void)snprintf(why + strlen(why), bytes - strlen(why), "%s", lost);
}

/* The communicator's state. If the query fails, its error is the state. */
static ncclResult_t state_of(const sq_collective *c)
{
    ncclResult_t state = ncclSuccess;
    const ncclResult_t queried = c->comm ? c->nccl.state(c->comm, &state) : ncclSuccess;
    return queried == ncclSuccess ? state : queried;
}

/* A wait for other ranks: its start, the last check for lost ranks, and the reason for giving up. */
typedef struct {
    double begin, checked;
    char why[2 * TEXT_BYTES];
} rank_wait;

static rank_wait wait_from_now(void)
{
    const double now = sq_seconds_now();
    return (rank_wait){.begin = now, .checked = now};
}

/* Whether the wait must end because a rank is lost; aborts the reductions then. Else pauses before the next poll. */
static bool is_rank_lost(sq_collective *c, rank_wait *w)
{
    const sq_rank_group *g = c->place.group;
    const ncclResult_t state = state_of(c);
    const double now = sq_seconds_now();
    bool is_lost = state != ncclSuccess && state != ncclInProgress;
    if (is_lost) {
        explain(c, state, w->why, sizeof w->why);
    } else if (now - w->checked > CHECK_SECONDS) {
        w->checked = now;
        is_lost = g->is_lost(g->context, now - w->begin, w->why, sizeof w->why);
    }
    if (is_lost)
        abort_communicator(c);
    else
        sq_pause_after(now - w->begin);
    return is_lost;
}

/* Saves the runtime's last error. Polling an event overwrites it, so this precedes each group of polls. */
static void save_earlier_error(sq_collective *c)
{
    const cudaError_t error = cudaGetLastError();
    if (c->earlier == cudaSuccess && error != cudaErrorNotReady)
        c->earlier = error;
}

/* Polls the event, or with NULL the stream. */
static bool is_busy(cudaStream_t stream, cudaEvent_t event)
{
    if ((event ? cudaEventQuery(event) : cudaStreamQuery(stream)) != cudaErrorNotReady)
        return false;
    (void)cudaGetLastError(); /* clears "not ready", which the next launch would report as an error */
    return true;
}

/* Waits until the stream has reached the event, or with NULL until it is idle. False: a rank is lost; w->why names it.
 */
static bool poll(sq_collective *c, cudaEvent_t event, rank_wait *w)
{
    bool is_lost = false;
    save_earlier_error(c);
    while (!is_lost && is_busy(c->place.stream, event))
        is_lost = is_rank_lost(c, w);
    for (const double begin = sq_seconds_now();
         is_lost && is_busy(c->place.stream, event) && sq_seconds_now() - begin < CLOSE_SECONDS;)
        sq_pause(); /* until the device has seen the abort flag */
    return !is_lost;
}

sq_status sq_collective_wait(sq_collective *c, cudaEvent_t event)
{
    rank_wait w = wait_from_now();
    return !c || poll(c, event, &w) ? SQ_OK : sq_fail(SQ_COMMUNICATION, "gradients: %s", w.why);
}

void sq_collective_drain(sq_collective *c)
{
    rank_wait w = wait_from_now();
    if (c)
        (void)poll(c, NULL, &w); /* a lost rank was reported before, or the run is ending */
}

/* Waits until NCCL has enqueued the operation that returned `result`: only then its work is on the stream. */
static sq_status finish(sq_collective *c, ncclResult_t result, const char *what)
{
    rank_wait w = wait_from_now();
    while (result == ncclInProgress) {
        result = state_of(c);
        if (result == ncclInProgress && is_rank_lost(c, &w))
            return sq_fail(SQ_COMMUNICATION, "%s: %s", what, w.why);
    }
    if (result == ncclSuccess)
        return SQ_OK;
    explain(c, result, w.why, sizeof w.why);
    abort_communicator(c);
    return sq_fail(SQ_COMMUNICATION, "%s: %s", what, w.why);
}

/* ---- Connecting ---- */

/* Sent by each rank to all others. */
typedef struct {
    ncclUniqueId id; /* only rank 0's is used */
    unsigned char uuid[16];
    char gpu[32], host[HOST_BYTES];
} rank_identity;

static sq_status fill_identity(sq_collective *c, rank_identity *own)
{
    struct cudaDeviceProp properties;
    SQ_CUDA(cudaGetDeviceProperties(&properties, c->place.device), "ranks");
    memcpy(own->uuid, properties.uuid.bytes, sizeof own->uuid);
    (void)snprintf(own->gpu, sizeof own->gpu, "%04x:%02x:%02x", (unsigned)properties.pciDomainID,
                   (unsigned)properties.pciBusID, (unsigned)properties.pciDeviceID);
    (void)snprintf(own->host, sizeof own->host, "%s", c->place.group->host);
    SQ_TRY(load(&c->nccl));
    if (c->place.group->rank == 0 && c->nccl.get_id(&own->id) != ncclSuccess)
        return sq_fail(SQ_COMMUNICATION, "ranks: ncclGetUniqueId failed; NCCL_DEBUG=WARN prints the reason");
    return SQ_OK;
}

/* Every rank gets the same result. */
static sq_status check_identities(const rank_identity *all, int count)
{
    for (int i = 1; i < count; i++)
        for (int k = 0; k < i; k++)
            if (memcmp(all[i].uuid, all[k].uuid, sizeof all->uuid) == 0 && strcmp(all[i].host, all[k].host) == 0)
                return sq_fail(SQ_INVALID,
                               "ranks %d and %d have the same GPU, %s of %s; start as many ranks as there are GPUs "
                               "(--device cuda:0 lets them share one if NCCL permits it)",
                               k, i, all[i].gpu, all[i].host);
    return SQ_OK;
}

static sq_status connect(sq_collective *c, const rank_identity *all)
{
    const sq_rank_group *g = c->place.group;
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    if (c->place.is_local_rank)
        SQ_TRY(check_identities(all, g->count));
    SQ_TRY(finish(c, c->nccl.open(&c->comm, g->count, all[0].id, g->rank, &config), "ranks"));
    SQ_CUDA(cudaMalloc((void **)&c->row, ROW_VALUES * sizeof *c->row), "ranks");
    SQ_CUDA(cudaStreamCreateWithFlags(&c->side, cudaStreamNonBlocking), "ranks");
    SQ_CUDA(cudaEventCreateWithFlags(&c->ready, cudaEventDisableTiming), "ranks");
    SQ_CUDA(cudaEventCreateWithFlags(&c->done, cudaEventDisableTiming), "ranks");
    return SQ_OK;
}

static sq_status exchange_and_connect(sq_collective *c)
{
    sq_rank_group *g = c->place.group;
    rank_identity own = {0};
    SQ_TRY(g->agree(g->context, fill_identity(c, &own)));
    rank_identity *all = calloc((size_t)g->count, sizeof *all);
    sq_status status = g->agree(g->context, all ? SQ_OK : sq_fail(SQ_NO_MEMORY, "%d ranks", g->count));
    if (status == SQ_OK)
        status = g->gather(g->context, &own, all, sizeof own);
    if (status == SQ_OK)
        status = g->agree(g->context, connect(c, all));
    free(all);
    if (status == SQ_OK)
        print_version(&c->nccl, g->library, sizeof g->library);
    return status;
}

sq_status sq_collective_open(sq_collective **out, const sq_collective_place *place)
{
    sq_collective *c = calloc(1, sizeof *c);
    SQ_TRY(place->group->agree(place->group->context, c ? SQ_OK : sq_fail(SQ_NO_MEMORY, "ranks")));
    c->place = *place;
    const sq_status status = exchange_and_connect(c);
    if (status == SQ_OK)
        *out = c;
    else
        sq_collective_close(c);
    return status;
}

/* An orderly shutdown if the stream is idle, so that the last messages reach the other ranks; else an abort. */
static void disconnect(sq_collective *c)
{
    const double begin = sq_seconds_now();
    ncclResult_t state;
    if (!c->side || is_busy(c->side, NULL)) {
        abort_communicator(c);
        return;
    }
    state = c->nccl.finalize(c->comm);
    while (state == ncclInProgress && sq_seconds_now() - begin < CLOSE_SECONDS) {
        state = state_of(c);
        sq_pause_after(sq_seconds_now() - begin);
    }
    if (state == ncclSuccess) {
        (void)c->nccl.destroy(c->comm); /* after finalize this is local */
        c->comm = NULL;
    }
    abort_communicator(c);
}

void sq_collective_close(sq_collective *c)
{
    if (!c)
        return;
    sq_collective_drain(c);
    if (c->comm)
        disconnect(c);
    if (c->ready)
        (void)cudaEventDestroy(c->ready); /* errors are ignored while closing, here and below */
    if (c->done)
        (void)cudaEventDestroy(c->done);
    if (c->side)
        (void)cudaStreamDestroy(c->side);
    (void)cudaFree(c->row);
    free(c);
}

/* ---- Reductions ---- */

static sq_status check_connected(const sq_collective *c)
{
    return c->comm ? SQ_OK : sq_fail(SQ_COMMUNICATION, "gradients: the connection to the other ranks was aborted");
}

/* The bucket's ranges that are sent as BF16. *values: their total count. */
static sq_cuda_bf16_pack bf16_ranges(const sq_collective *c, size_t *values)
{
    sq_cuda_bf16_pack packed = {.row = c->row, .divisor = (float)c->place.group->count};
    *values = 0;
    for (int i = 0; i < c->bucket_count; i++) {
        if (c->bucket[i].reduce_dtype != SQ_BF16)
            continue;
        packed.ranges[packed.count].values = c->bucket[i].values;
        packed.ranges[packed.count].count = c->bucket[i].count;
        packed.ranges[packed.count++].at = *values;
        *values += c->bucket[i].count;
    }
    return packed;
}

static bool is_started(ncclResult_t result)
{
    return result == ncclSuccess || result == ncclInProgress;
}

/* Starts the bucket's FP32 ranges and the BF16 row as one group. The sums of the row are divided when they are
 * unpacked: NCCL's mean would round 1 / ranks to BF16 first. */
static ncclResult_t start_group(sq_collective *c, size_t row_values)
{
    const nccl *n = &c->nccl;
    ncclResult_t result = ncclSuccess;
    (void)n->group_start(); /* only increments a counter */
    for (int i = 0; i < c->bucket_count && is_started(result); i++)
        if (c->bucket[i].reduce_dtype == SQ_F32)
            result = n->all_reduce(c->bucket[i].values, c->bucket[i].values, c->bucket[i].count, ncclFloat32, ncclAvg,
                                   c->comm, c->side);
    if (row_values > 0 && is_started(result))
        result = n->all_reduce(c->row, c->row, row_values, ncclBfloat16, ncclSum, c->comm, c->side);
    const ncclResult_t ended = n->group_end();
    return is_started(result) ? ended : result;
}

/* Starts the reductions of the bucket after all work that is now on the backend's stream. All buckets use the same row,
 * on the same stream. */
static sq_status flush(sq_collective *c)
{
    size_t row_values;
    if (c->bucket_count == 0)
        return SQ_OK;
    SQ_TRY(check_connected(c));
    save_earlier_error(c);
    SQ_CUDA(c->earlier, "gradients: an earlier call failed");
    SQ_CUDA(cudaEventRecord(c->ready, c->place.stream), "gradients");
    SQ_CUDA(cudaStreamWaitEvent(c->side, c->ready, 0), "gradients");
    const sq_cuda_bf16_pack packed = bf16_ranges(c, &row_values);
    if (packed.count > 0)
        SQ_CUDA(sq_cuda_bf16_pack_run(&packed, c->side), "gradients");
    const ncclResult_t started = start_group(c, row_values);
    c->bucket_count = 0;
    c->bucket_bytes = 0;
    c->is_pending = true;
    SQ_TRY(finish(c, started, "gradients"));
    (void)cudaGetLastError(); /* clears errors of calls inside NCCL, which reported success; earlier ones are in
                                 c->earlier */
    if (packed.count > 0)
        SQ_CUDA(sq_cuda_bf16_unpack_run(&packed, c->side), "gradients");
    return SQ_OK;
}

static sq_status add_to_bucket(sq_collective *c, float *values, size_t count, sq_dtype reduce_dtype)
{
    const size_t bytes = count * sq_dtype_bytes(reduce_dtype);
    c->bucket[c->bucket_count].values = values;
    c->bucket[c->bucket_count].reduce_dtype = reduce_dtype;
    c->bucket[c->bucket_count++].count = count;
    c->bucket_bytes += bytes;
    c->place.group->reduced_bytes += (int64_t)bytes;
    return c->bucket_bytes >= BUCKET_BYTES || c->bucket_count == BUCKET_LIMIT ? flush(c) : SQ_OK;
}

sq_status sq_collective_reduce(sq_collective *c, float *values, size_t count, sq_dtype reduce_dtype)
{
    if (!c)
        return SQ_OK;
    SQ_TRY(check_connected(c));
    while (count > 0) {
        const size_t piece = reduce_dtype == SQ_BF16 && count > PIECE_VALUES ? PIECE_VALUES : count;
        SQ_TRY(add_to_bucket(c, values, piece, reduce_dtype));
        values += piece;
        count -= piece;
    }
    return SQ_OK;
}

sq_status sq_collective_join(sq_collective *c)
{
    if (!c)
        return SQ_OK;
    SQ_TRY(flush(c));
    if (!c->is_pending)
        return SQ_OK;
    c->is_pending = false;
    SQ_CUDA(cudaEventRecord(c->done, c->side), "gradients");
    SQ_CUDA(cudaStreamWaitEvent(c->place.stream, c->done, 0), "gradients");
    return SQ_OK;
}
