/* nccl_emulated.c - implements NCCL's calls over shared memory for the emulated device, as a library that is loaded
 * instead of libnccl (SQ_NCCL_LIBRARY). A call enqueues work in a stream of the emulator, and this work waits for the
 * other processes. As with ncclConfig_t.blocking = 0, no call blocks. A reduction enters its stream only after ASKED
 * calls of ncclCommGetAsyncError. The program that loads this library must define emu_enqueue. Variables:
 *
 * NCCL_EMULATED_EAGER=1: a reduction reads its input as early as its stream allows. By default, it reads its input as
 * late as possible.
 *
 * NCCL_EMULATED_NOTICES=1: the other processes report a process that has exited, as NCCL does when a connection breaks.
 * By default, they do not report it.
 *
 * NCCL_EMULATED_FAIL=n: the n-th reduction fails on the device. NCCL_EMULATED_NEVER=1: reductions never start.
 *
 * NCCL_EMULATED_STUCK=1: communicators are never ready. */
#include <nccl.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/emulation/runtime/emu_control.h"
#include "kernels/base/bf16.h"

enum { RANKS = 8, VALUES = 4 << 20, GROUP = 256, ASKED = 3, VERSION = 22809 };

/* Memory that all processes of a communicator share. values[k] belongs to the reduction with number
 * ranks[k].written. */
typedef struct {
    atomic_int arrived;
    struct {
        atomic_long pid;
        atomic_ulong written, read; /* numbers of the last reductions that this rank wrote and read */
        size_t count;               /* bytes of the rank's values */
    } ranks[RANKS];
    unsigned char values[RANKS][VALUES * sizeof(float)]; /* only pages that are used take memory */
} room;

struct ncclComm {
    room *room;
    int rank, count, asked;
    int is_ready, is_aborted, is_finalized;
    ncclResult_t state;
    unsigned long begun; /* number of reductions that have started */
    struct reduction *waiting[GROUP];
    int waiting_count;
    /* Next in the list of all communicators; the list keeps aborted ones reachable for the leak check. */
    ncclComm_t next;
};

typedef struct reduction {
    ncclComm_t comm;
    const void *from;
    void *to;
    size_t count;
    int is_narrow;        /* the values are BF16 */
    unsigned long number; /* the first reduction has number 1 */
    int is_mean, fails;
    cudaStream_t stream;
    struct reduction *next; /* next in the list of all reductions; the list keeps them reachable for the leak check */
} reduction;

static reduction *reductions;
static ncclComm_t communicators;
static ncclComm_t group[RANKS];
static int group_depth, group_count;

static int flag(const char *name)
{
    const char *text = getenv(name);
    return text ? atoi(text) : 0;
}

/* ---- On the device ---- */

static void fail(ncclComm_t comm, ncclResult_t why)
{
    comm->state = comm->state == ncclSuccess || comm->state == ncclInProgress ? why : comm->state;
}

static void look_for_dead(ncclComm_t comm)
{
    for (int i = 0; i < comm->count; i++)
        if (flag("NCCL_EMULATED_NOTICES") && kill((pid_t)atomic_load(&comm->room->ranks[i].pid), 0) != 0 &&
            errno == ESRCH)
            fail(comm, ncclRemoteError);
}

static size_t bytes_of(const reduction *r)
{
    return r->count * (r->is_narrow ? sizeof(sq_bf16) : sizeof(float));
}

/* Stores the values of this rank, if all ranks have read the previous values. Returns 1 if all ranks have stored their
 * values. */
static int is_ready(void *context)
{
    reduction *r = context;
    room *shared = r->comm->room;
    if (r->comm->is_aborted)
        return 1;
    if (r->fails) {
        fail(r->comm, ncclInternalError);
        return 0;
    }
    if (flag("NCCL_EMULATED_NEVER"))
        return 0;
    look_for_dead(r->comm);
    if (atomic_load(&shared->ranks[r->comm->rank].written) < r->number) {
        for (int i = 0; i < r->comm->count; i++)
            if (atomic_load(&shared->ranks[i].read) + 1 < r->number)
                return 0;
        memcpy(shared->values[r->comm->rank], r->from, bytes_of(r));
        shared->ranks[r->comm->rank].count = bytes_of(r);
        atomic_store(&shared->ranks[r->comm->rank].written, r->number);
    }
    for (int i = 0; i < r->comm->count; i++)
        if (atomic_load(&shared->ranks[i].written) < r->number)
            return 0;
    for (int i = 0; i < r->comm->count; i++)
        if (shared->ranks[i].count != bytes_of(r)) {
            fail(r->comm, ncclInvalidUsage);
            return 0;
        }
    return 1;
}

/* Adds the values in rank order. For a mean, each value is scaled before the addition, as in NCCL. */
static void work(void *context)
{
    reduction *r = context;
    const float scale = r->is_mean ? 1.0f / (float)r->comm->count : 1;
    if (r->comm->is_aborted)
        return;
    if (r->is_narrow) {
        memcpy(r->to, r->comm->room->values[0], bytes_of(r));
        for (int k = 1; k < r->comm->count; k++)
            sq_bf16_add(r->to, (const sq_bf16 *)(const void *)r->comm->room->values[k], r->count);
    }
    for (size_t i = 0; i < r->count && !r->is_narrow; i++) {
        float sum = 0;
        for (int k = 0; k < r->comm->count; k++)
            sum += scale * ((const float *)(const void *)r->comm->room->values[k])[i];
        ((float *)r->to)[i] = sum;
    }
    atomic_store(&r->comm->room->ranks[r->comm->rank].read, r->number);
}

/* ---- Communicators ---- */

ncclResult_t ncclGetVersion(int *version)
{
    *version = VERSION;
    return ncclSuccess;
}

const char *ncclGetErrorString(ncclResult_t result)
{
    return result == ncclRemoteError     ? "remote process exited or there was a network error"
           : result == ncclInternalError ? "internal error"
           : result == ncclInvalidUsage  ? "invalid usage"
                                         : "another error";
}

const char *ncclGetLastError(ncclComm_t comm)
{
    return comm && comm->state == ncclRemoteError ? "connection closed by a peer\nmore of it" : "";
}

static ncclUniqueId made; /* id of the only communicator of this process */

static void unmake(void)
{
    (void)shm_unlink(made.internal); /* the name is not needed, because all processes have opened it */
}

ncclResult_t ncclGetUniqueId(ncclUniqueId *id)
{
    (void)snprintf(made.internal, sizeof made.internal, "/squall-nccl-%d", (int)getpid());
    const int file = shm_open(made.internal, O_CREAT | O_EXCL | O_RDWR, 0600);
    if (file < 0 || ftruncate(file, sizeof(room)) != 0 || atexit(unmake) != 0)
        return ncclSystemError;
    close(file);
    *id = made;
    return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t *out, int count, ncclUniqueId id, int rank, ncclConfig_t *config)
{
    const int file = shm_open(id.internal, O_RDWR, 0600);
    if (file < 0 || count > RANKS || rank < 0 || rank >= count || config->blocking != 0)
        return ncclInvalidArgument;
    ncclComm_t comm = calloc(1, sizeof *comm);
    comm->room = mmap(NULL, sizeof(room), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (comm->room == MAP_FAILED)
        return ncclSystemError;
    comm->rank = rank;
    comm->count = count;
    comm->state = ncclInProgress;
    comm->next = communicators;
    communicators = comm;
    atomic_store(&comm->room->ranks[rank].pid, (long)getpid());
    if (atomic_fetch_add(&comm->room->arrived, 1) + 1 == count)
        (void)shm_unlink(id.internal); /* all processes have opened the memory; the creator may be killed later */
    *out = comm;
    return ncclInProgress;
}

static void launch(ncclComm_t comm)
{
    for (int i = 0; i < comm->waiting_count; i++) {
        reduction *r = comm->waiting[i];
        emu_enqueue(r->stream, is_ready, work, r);
        for (int looks = 0; flag("NCCL_EMULATED_EAGER") && looks < 4; looks++)
            (void)cudaStreamQuery(r->stream);
    }
    comm->waiting_count = 0;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *state)
{
    if (comm->state == ncclInProgress) {
        if (!comm->is_ready)
            comm->is_ready = atomic_load(&comm->room->arrived) == comm->count && !flag("NCCL_EMULATED_STUCK");
        if (comm->is_ready && ++comm->asked >= ASKED) {
            comm->state = ncclSuccess;
            launch(comm);
        }
    }
    *state = comm->state;
    return ncclSuccess;
}

ncclResult_t ncclCommFinalize(ncclComm_t comm)
{
    if (comm->is_finalized || !comm->is_ready || comm->is_aborted)
        return ncclInvalidUsage;
    comm->is_finalized = 1;
    comm->asked = 0;
    return comm->state = ncclInProgress;
}

ncclResult_t ncclCommDestroy(ncclComm_t comm)
{
    if (!comm->is_finalized || comm->state != ncclSuccess)
        return ncclInvalidUsage;
    (void)munmap(comm->room, sizeof(room));
    comm->room = NULL;
    return ncclSuccess;
}

/* Work in the streams still uses the communicator and checks is_aborted. Therefore, the communicator is not freed. */
ncclResult_t ncclCommAbort(ncclComm_t comm)
{
    comm->is_aborted = 1;
    return ncclSuccess;
}

/* ---- Reductions ---- */

ncclResult_t ncclGroupStart(void)
{
    group_depth++;
    return ncclSuccess;
}

ncclResult_t ncclAllReduce(const void *from, void *to, size_t count, ncclDataType_t type, ncclRedOp_t op,
                           ncclComm_t comm, cudaStream_t stream)
{
    if (comm->state != ncclSuccess || comm->is_aborted || !group_depth || comm->waiting_count == GROUP ||
        count > VALUES || count == 0 || !(type == ncclFloat32 || (type == ncclBfloat16 && op == ncclSum)) ||
        (op != ncclAvg && op != ncclSum))
        return ncclInvalidUsage;
    reduction *r = calloc(1, sizeof *r);
    *r = (reduction){.comm = comm,
                     .from = from,
                     .to = to,
                     .count = count,
                     .is_narrow = type == ncclBfloat16,
                     .number = ++comm->begun,
                     .is_mean = op == ncclAvg,
                     .stream = stream,
                     .next = reductions};
    r->fails = (int)comm->begun == flag("NCCL_EMULATED_FAIL");
    reductions = r;
    comm->waiting[comm->waiting_count++] = r;
    if (group_count == 0 || group[group_count - 1] != comm)
        group[group_count++] = comm;
    return ncclSuccess;
}

ncclResult_t ncclGroupEnd(void)
{
    if (group_depth == 0)
        return ncclInvalidUsage;
    if (--group_depth > 0 || group_count == 0)
        return ncclSuccess;
    for (int i = 0; i < group_count; i++) {
        group[i]->asked = 0;
        group[i]->state = ncclInProgress;
    }
    group_count = 0;
    return ncclInProgress;
}
