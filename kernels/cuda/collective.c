/* NCCL, opened at run time. Its calls do not block (ncclConfig_t.blocking = 0): whatever could wait for another rank is
 * begun and then looked at again and again, so that a death or a time limit ends the waiting. */
#include "kernels/cuda/collective.h"

#include <dlfcn.h>
#include <nccl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/clock.h"
#include "kernels/cuda/operations/operations.h"

enum {
    BUCKET_BYTES = 1 << 20, /* below it a reduction takes its latency and not its bytes; not measured here */
    BUCKET_LIMIT = SQ_CUDA_BF16_PACK_RANGES,
    PIECE_VALUES = 1 << 20, /* BF16: a larger range travels in so many pieces, so that a bucket fits into its row */
    ROW_VALUES = PIECE_VALUES + BUCKET_BYTES / sizeof(sq_bf16),
    TEXT_BYTES = 512,
    HOST_BYTES = 64
};
#define LOOK_SECONDS  0.5 /* between looks for who is gone */
#define NAME_SECONDS  3.0 /* NCCL may see a broken connection before the process is gone that it can be blamed on */
#define LEAVE_SECONDS 5.0 /* of leaving in order, which all ranks do at the same time */

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
    _Static_assert(_Generic(&name, ncclResult_t(*) parameters : 1, default : 0), "nccl.h has another " #name);
NCCL_FUNCTIONS
#undef NCCL_FUNCTION

#define NCCL_FUNCTION(field, name, parameters) ncclResult_t(*field) parameters;
typedef struct {
    void *library; /* of dlopen; stays open: its threads may outlive a communicator that was given up */
    int code;      /* of the version */
    const char *(*error_string)(ncclResult_t);
    const char *(*last_error)(ncclComm_t);
    NCCL_FUNCTIONS
} nccl;
#undef NCCL_FUNCTION

struct sq_collective {
    nccl nccl;
    sq_collective_place place;
    ncclComm_t comm;   /* NULL: not yet, or given up */
    cudaStream_t side; /* owned, as are the events */
    cudaEvent_t ready, done;
    bool is_under_way;   /* reductions since the last join */
    cudaError_t earlier; /* first error that a call outside of here left for cudaGetLastError */
    struct {
        float *values;
        size_t count;
        sq_dtype reduce_dtype;
    } bucket[BUCKET_LIMIT]; /* not begun yet */
    sq_bf16 *row;           /* owned: a bucket's values that travel as BF16, next to each other */
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
            return sq_fail(SQ_UNSUPPORTED, "NCCL: %s is not in the library that was found; wanted 2.14 or newer",
                           symbols[i].name);
        memcpy((unsigned char *)n + symbols[i].offset, &found, sizeof found); /* POSIX: of the same size */
    }
    return n->version(&n->code) == ncclSuccess ? SQ_OK : sq_fail(SQ_DEVICE, "NCCL: ncclGetVersion failed");
}

/* SQ_NCCL_LIBRARY names the file, and nothing else is tried then. */
static sq_status load(nccl *n)
{
    const char *named = getenv("SQ_NCCL_LIBRARY");
    n->library = dlopen(named && *named ? named : "libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!n->library && !(named && *named))
        n->library = dlopen("/usr/local/cuda/lib64/libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!n->library) {
        const char *why = dlerror(); /* valid until the next call */
        return sq_fail(SQ_UNSUPPORTED,
                       "NCCL is not there (%s); SQ_NCCL_LIBRARY names its file, LD_LIBRARY_PATH its folder "
                       "(PyTorch's lies in site-packages/nvidia/nccl/lib)",
                       why ? why : "libnccl.so.2");
    }
    const sq_status status = find_functions(n);
    if (status != SQ_OK) {
        (void)dlclose(n->library); /* nothing of it was used */
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
        (void)dlclose(n.library); /* its version was all that was asked for */
}

/* ---- Waiting ---- */

static sq_status cuda_failed(cudaError_t error, const char *what)
{
    return error == cudaSuccess ? SQ_OK : sq_fail(SQ_DEVICE, "%s: %s", what, cudaGetErrorString(error));
}

#define SQ_CUDA(call, what) SQ_TRY(cuda_failed((call), (what)))

/* NCCL's kernels end, and so does all that waits for them on the device. */
static void give_up(sq_collective *c)
{
    if (c->comm)
        (void)c->nccl.abort(c->comm); /* its flag is up when the call returns; nothing can be done about the rest */
    c->comm = NULL;
}

/* What NCCL says, with the ranks that are gone, if they are found soon. */
static void explain(const sq_collective *c, ncclResult_t result, char *why, size_t bytes)
{
    const sq_rank_group *g = c->place.group;
    const double begin = sq_seconds_now();
    const char *detail = c->comm ? c->nccl.last_error(c->comm) : NULL;
    char gone[TEXT_BYTES] = "";
    while (result != ncclInvalidUsage && result != ncclInvalidArgument && sq_seconds_now() - begin < NAME_SECONDS)
        if (g->is_lost(g->context, 0, gone, sizeof gone))
            break;
        else
            sq_pause();
    const int length = detail ? (int)strcspn(detail, "\n") : 0;
    (void)snprintf(why, bytes, "NCCL: %s%s%.*s%s%s", c->nccl.error_string(result), length ? " (" : "", length,
                   length ? detail : "", length ? ")" : "", *gone ? "; " : "");
    (void)snprintf(why + strlen(why), bytes - strlen(why), "%s", gone);
}

/* How far the communicator is; that it could not be asked is an answer too. */
static ncclResult_t state_of(const sq_collective *c)
{
    ncclResult_t state = ncclSuccess;
    const ncclResult_t asked = c->comm ? c->nccl.state(c->comm, &state) : ncclSuccess;
    return asked == ncclSuccess ? state : asked;
}

/* Whether the waiting that began then must end; then reductions are given up, and `why` is told. */
static bool is_over(sq_collective *c, double begin, double *looked, char *why, size_t bytes)
{
    const sq_rank_group *g = c->place.group;
    const ncclResult_t state = state_of(c);
    const double now = sq_seconds_now();
    bool is_lost = state != ncclSuccess && state != ncclInProgress;
    if (is_lost) {
        explain(c, state, why, bytes);
    } else if (now - *looked > LOOK_SECONDS) {
        *looked = now;
        is_lost = g->is_lost(g->context, now - begin, why, bytes);
    }
    if (is_lost)
        give_up(c);
    else
        sq_pause_after(now - begin);
    return is_lost;
}

/* Takes the runtime's last error. A query that is not ready replaces it, so it is taken before each group of queries.
 */
static void keep_earlier_error(sq_collective *c)
{
    const cudaError_t error = cudaGetLastError();
    if (c->earlier == cudaSuccess && error != cudaErrorNotReady)
        c->earlier = error;
}

/* event NULL: the stream. */
static bool is_busy(cudaStream_t stream, cudaEvent_t event)
{
    if ((event ? cudaEventQuery(event) : cudaStreamQuery(stream)) != cudaErrorNotReady)
        return false;
    (void)cudaGetLastError(); /* "not ready" is no failure, but the next launch would report it */
    return true;
}

/* Until the stream is idle or at the event; false: a rank is lost, `why` says which. */
static bool poll(sq_collective *c, cudaEvent_t event, char *why, size_t bytes)
{
    double begin = sq_seconds_now(), looked = begin;
    bool is_lost = false;
    keep_earlier_error(c);
    while (!is_lost && is_busy(c->place.stream, event))
        is_lost = is_over(c, begin, &looked, why, bytes);
    for (begin = sq_seconds_now();
         is_lost && is_busy(c->place.stream, event) && sq_seconds_now() - begin < LEAVE_SECONDS;)
        sq_pause(); /* the device has yet to notice that it was given up */
    return !is_lost;
}

sq_status sq_collective_wait(sq_collective *c, cudaEvent_t event)
{
    char why[2 * TEXT_BYTES];
    return !c || poll(c, event, why, sizeof why) ? SQ_OK : sq_fail(SQ_COMMUNICATION, "gradients: %s", why);
}

void sq_collective_drain(sq_collective *c)
{
    char why[2 * TEXT_BYTES];
    if (c)
        (void)poll(c, NULL, why, sizeof why); /* who closes knows already, or does not care any more */
}

/* Until NCCL has done what it began: before that its work is not on the stream. */
static sq_status finish(sq_collective *c, ncclResult_t result, const char *what)
{
    const double begin = sq_seconds_now();
    double looked = begin;
    char why[2 * TEXT_BYTES];
    while (result == ncclInProgress) {
        result = state_of(c);
        if (result == ncclInProgress && is_over(c, begin, &looked, why, sizeof why))
            return sq_fail(SQ_COMMUNICATION, "%s: %s", what, why);
    }
    if (result == ncclSuccess)
        return SQ_OK;
    explain(c, result, why, sizeof why);
    give_up(c);
    return sq_fail(SQ_COMMUNICATION, "%s: %s", what, why);
}

/* ---- Coming together ---- */

/* What each rank tells the others. */
typedef struct {
    ncclUniqueId id; /* rank 0's counts */
    unsigned char uuid[16];
    char gpu[32], host[HOST_BYTES];
} card;

static sq_status fill_card(sq_collective *c, card *own)
{
    struct cudaDeviceProp properties;
    SQ_CUDA(cudaGetDeviceProperties(&properties, c->place.device), "ranks");
    memcpy(own->uuid, properties.uuid.bytes, sizeof own->uuid);
    (void)snprintf(own->gpu, sizeof own->gpu, "%04x:%02x:%02x", (unsigned)properties.pciDomainID,
                   (unsigned)properties.pciBusID, (unsigned)properties.pciDeviceID);
    (void)snprintf(own->host, sizeof own->host, "%s", c->place.group->host);
    SQ_TRY(load(&c->nccl));
    if (c->place.group->rank == 0 && c->nccl.get_id(&own->id) != ncclSuccess)
        return sq_fail(SQ_COMMUNICATION, "ranks: ncclGetUniqueId failed (NCCL_DEBUG=WARN says why)");
    return SQ_OK;
}

/* The same answer on every rank. */
static sq_status check_cards(const card *cards, int count)
{
    for (int i = 1; i < count; i++)
        for (int k = 0; k < i; k++)
            if (memcmp(cards[i].uuid, cards[k].uuid, sizeof cards->uuid) == 0 &&
                strcmp(cards[i].host, cards[k].host) == 0)
                return sq_fail(SQ_INVALID,
                               "ranks %d and %d have the same GPU, %s of %s: start as many ranks as there are GPUs "
                               "(--device cuda:0 lets them share where NCCL does)",
                               k, i, cards[i].gpu, cards[i].host);
    return SQ_OK;
}

static sq_status join_ranks(sq_collective *c, const card *cards)
{
    const sq_rank_group *g = c->place.group;
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    if (c->place.is_local_rank)
        SQ_TRY(check_cards(cards, g->count));
    SQ_TRY(finish(c, c->nccl.open(&c->comm, g->count, cards[0].id, g->rank, &config), "ranks"));
    SQ_CUDA(cudaMalloc((void **)&c->row, ROW_VALUES * sizeof *c->row), "ranks");
    SQ_CUDA(cudaStreamCreateWithFlags(&c->side, cudaStreamNonBlocking), "ranks");
    SQ_CUDA(cudaEventCreateWithFlags(&c->ready, cudaEventDisableTiming), "ranks");
    SQ_CUDA(cudaEventCreateWithFlags(&c->done, cudaEventDisableTiming), "ranks");
    return SQ_OK;
}

static sq_status open_together(sq_collective *c)
{
    sq_rank_group *g = c->place.group;
    card own = {0};
    SQ_TRY(g->agree(g->context, fill_card(c, &own)));
    card *cards = calloc((size_t)g->count, sizeof *cards);
    sq_status status = g->agree(g->context, cards ? SQ_OK : sq_fail(SQ_NO_MEMORY, "%d ranks", g->count));
    if (status == SQ_OK)
        status = g->gather(g->context, &own, cards, sizeof own);
    if (status == SQ_OK)
        status = g->agree(g->context, join_ranks(c, cards));
    free(cards);
    if (status == SQ_OK)
        print_version(&c->nccl, g->library, sizeof g->library);
    return status;
}

sq_status sq_collective_open(sq_collective **out, const sq_collective_place *place)
{
    sq_collective *c = calloc(1, sizeof *c);
    SQ_TRY(place->group->agree(place->group->context, c ? SQ_OK : sq_fail(SQ_NO_MEMORY, "ranks")));
    c->place = *place;
    const sq_status status = open_together(c);
    if (status == SQ_OK)
        *out = c;
    else
        sq_collective_close(c);
    return status;
}

/* In order if nothing is under way: what others still get from here must not be cut off. */
static void leave(sq_collective *c)
{
    const double begin = sq_seconds_now();
    ncclResult_t state;
    if (!c->side || is_busy(c->side, NULL)) {
        give_up(c);
        return;
    }
    state = c->nccl.finalize(c->comm);
    while (state == ncclInProgress && sq_seconds_now() - begin < LEAVE_SECONDS) {
        state = state_of(c);
        sq_pause_after(sq_seconds_now() - begin);
    }
    if (state == ncclSuccess) {
        (void)c->nccl.destroy(c->comm); /* local after finalize */
        c->comm = NULL;
    }
    give_up(c);
}

void sq_collective_close(sq_collective *c)
{
    if (!c)
        return;
    sq_collective_drain(c);
    if (c->comm)
        leave(c);
    if (c->ready)
        (void)cudaEventDestroy(c->ready); /* a failure has been told, or nobody waits for it; here and below */
    if (c->done)
        (void)cudaEventDestroy(c->done);
    if (c->side)
        (void)cudaStreamDestroy(c->side);
    (void)cudaFree(c->row);
    free(c);
}

/* ---- Reductions ---- */

static sq_status check_alive(const sq_collective *c)
{
    return c->comm ? SQ_OK : sq_fail(SQ_COMMUNICATION, "gradients: the ranks were given up");
}

/* What of the bucket travels as BF16. values: how many in all. */
static sq_cuda_bf16_pack narrow_ranges(const sq_collective *c, size_t *values)
{
    sq_cuda_bf16_pack narrow = {.row = c->row, .divisor = (float)c->place.group->count};
    *values = 0;
    for (int i = 0; i < c->bucket_count; i++) {
        if (c->bucket[i].reduce_dtype != SQ_BF16)
            continue;
        narrow.ranges[narrow.count].values = c->bucket[i].values;
        narrow.ranges[narrow.count].count = c->bucket[i].count;
        narrow.ranges[narrow.count++].at = *values;
        *values += c->bucket[i].count;
    }
    return narrow;
}

static bool is_begun(ncclResult_t result)
{
    return result == ncclSuccess || result == ncclInProgress;
}

/* Those of the bucket, and the row, as one group. The row's sums are divided as they are widened: NCCL's mean would
 * round 1 / ranks to BF16 first. */
static ncclResult_t begin_group(sq_collective *c, size_t row_values)
{
    const nccl *n = &c->nccl;
    ncclResult_t result = ncclSuccess;
    (void)n->group_start(); /* counts only */
    for (int i = 0; i < c->bucket_count && is_begun(result); i++)
        if (c->bucket[i].reduce_dtype == SQ_F32)
            result = n->all_reduce(c->bucket[i].values, c->bucket[i].values, c->bucket[i].count, ncclFloat32, ncclAvg,
                                   c->comm, c->side);
    if (row_values > 0 && is_begun(result))
        result = n->all_reduce(c->row, c->row, row_values, ncclBfloat16, ncclSum, c->comm, c->side);
    const ncclResult_t ended = n->group_end();
    return is_begun(result) ? ended : result;
}

/* Begins what is in the bucket, after all that the backend's stream holds now. The row is used by one bucket after the
 * other, all on one stream. */
static sq_status flush(sq_collective *c)
{
    size_t row_values;
    if (c->bucket_count == 0)
        return SQ_OK;
    SQ_TRY(check_alive(c));
    keep_earlier_error(c);
    SQ_CUDA(c->earlier, "gradients: an earlier call failed");
    SQ_CUDA(cudaEventRecord(c->ready, c->place.stream), "gradients");
    SQ_CUDA(cudaStreamWaitEvent(c->side, c->ready, 0), "gradients");
    const sq_cuda_bf16_pack narrow = narrow_ranges(c, &row_values);
    if (narrow.count > 0)
        SQ_CUDA(sq_cuda_bf16_pack_run(&narrow, c->side), "gradients");
    const ncclResult_t begun = begin_group(c, row_values);
    c->bucket_count = 0;
    c->bucket_bytes = 0;
    c->is_under_way = true;
    SQ_TRY(finish(c, begun, "gradients"));
    (void)cudaGetLastError(); /* left by calls inside NCCL, which reported success; earlier errors are in c->earlier */
    if (narrow.count > 0)
        SQ_CUDA(sq_cuda_bf16_unpack_run(&narrow, c->side), "gradients");
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
    SQ_TRY(check_alive(c));
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
    if (!c->is_under_way)
        return SQ_OK;
    c->is_under_way = false;
    SQ_CUDA(cudaEventRecord(c->done, c->side), "gradients");
    SQ_CUDA(cudaStreamWaitEvent(c->place.stream, c->done, 0), "gradients");
    return SQ_OK;
}
