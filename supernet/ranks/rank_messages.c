/* Messages are buffered here until MPI has sent them. A receive is posted only after a probe has found the message. */
#include "supernet/ranks/rank_messages.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/clock.h"

#define OMPI_SKIP_MPICXX 1
#include <mpi.h>

enum { TAG = 7, TEXT_BYTES = 512, MOST_BYTES = 1 << 30 };
#define CHECK_SECONDS 0.5 /* between two checks whether the other process exited */

typedef struct sent {
    struct sent *next;
    MPI_Request request;
    char bytes[];
} sent;

struct sq_messages {
    sq_ranks *ranks;
    sent *pending;
};

sq_status sq_messages_open(sq_messages **out, sq_ranks *ranks)
{
    sq_messages *m = calloc(1, sizeof *m);
    if (!m)
        return sq_fail(SQ_NO_MEMORY, "messages between ranks");
    m->ranks = ranks;
    *out = m;
    return SQ_OK;
}

static sq_status mpi_failed(const sq_messages *m, const char *what)
{
    sq_ranks_abandon(m->ranks);
    return sq_fail(SQ_COMMUNICATION, "%s: MPI failed", what);
}

/* Frees the messages that MPI has sent. */
static void clear_sent(sq_messages *m)
{
    for (sent **at = &m->pending; *at;) {
        sent *s = *at;
        int is_done = 0;
        if (MPI_Test(&s->request, &is_done, MPI_STATUS_IGNORE) != MPI_SUCCESS || !is_done) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        free(s);
    }
}

/* An unsent message is addressed to a rank that has exited or is exiting. MPI may still read the message, so its memory
 * is not freed. */
void sq_messages_close(sq_messages *m)
{
    if (!m)
        return;
    clear_sent(m);
    free(m);
}

sq_status sq_messages_send(sq_messages *m, int to, const void *bytes, size_t count)
{
    sent *s = count <= MOST_BYTES ? malloc(sizeof *s + count) : NULL;
    clear_sent(m);
    if (!s)
        return sq_fail(SQ_NO_MEMORY, "a message of %zu bytes", count);
    memcpy(s->bytes, bytes, count);
    if (MPI_Isend(s->bytes, (int)count, MPI_BYTE, to, TAG, MPI_COMM_WORLD, &s->request) != MPI_SUCCESS) {
        free(s);
        return mpi_failed(m, "sending");
    }
    s->next = m->pending;
    m->pending = s;
    return SQ_OK;
}

/* Fails if the rank has exited, or if it has sent nothing for more than the time limit plus `patience` seconds.
 * seconds: the time so far without a message. */
static sq_status check_silence(const sq_messages *m, int from, double seconds, double patience)
{
    char text[TEXT_BYTES];
    const double limit = sq_ranks_time_limit(m->ranks);
    const bool is_dead = sq_ranks_find_dead(m->ranks, from, text, sizeof text);
    if (!is_dead && seconds <= limit + patience)
        return SQ_OK;
    sq_ranks_abandon(m->ranks);
    return is_dead ? sq_fail(SQ_COMMUNICATION, "%s", text)
                   : sq_fail(SQ_COMMUNICATION, "rank %d has not answered for %.0f s", from, seconds);
}

static sq_status receive(sq_messages *m, int from, int count, sq_message *out)
{
    MPI_Request request;
    int is_done = 0;
    const double begin = sq_seconds_now();
    char *bytes = malloc((size_t)count + 1);
    if (!bytes)
        return sq_fail(SQ_NO_MEMORY, "a message of %d bytes", count);
    if (MPI_Irecv(bytes, count, MPI_BYTE, from, TAG, MPI_COMM_WORLD, &request) != MPI_SUCCESS) {
        free(bytes);
        return mpi_failed(m, "receiving");
    }
    for (double checked = begin; !is_done;) {
        const double now = sq_seconds_now();
        if (MPI_Test(&request, &is_done, MPI_STATUS_IGNORE) != MPI_SUCCESS)
            return mpi_failed(m, "receiving"); /* `bytes` is not freed, because MPI may still write to it */
        if (is_done)
            break;
        if (now - checked > CHECK_SECONDS) {
            checked = now;
            SQ_TRY(check_silence(m, from, now - begin, 0));
        }
        sq_pause_after(now - begin);
    }
    bytes[count] = 0;
    *out = (sq_message){from, bytes, (size_t)count};
    return SQ_OK;
}

static sq_status probe(sq_messages *m, int from, sq_message *out)
{
    MPI_Status status;
    int is_available = 0, count;
    *out = (sq_message){SQ_ANY_RANK, NULL, 0};
    clear_sent(m);
    if (MPI_Iprobe(from == SQ_ANY_RANK ? MPI_ANY_SOURCE : from, TAG, MPI_COMM_WORLD, &is_available, &status) !=
        MPI_SUCCESS)
        return mpi_failed(m, "probing for messages");
    if (!is_available)
        return SQ_OK;
    if (MPI_Get_count(&status, MPI_BYTE, &count) != MPI_SUCCESS || count < 0)
        return mpi_failed(m, "the size of a message");
    return receive(m, status.MPI_SOURCE, count, out);
}

sq_status sq_messages_poll(sq_messages *m, sq_message *out)
{
    return probe(m, SQ_ANY_RANK, out);
}

sq_status sq_messages_wait(sq_messages *m, int from, double patience, sq_message *out)
{
    const double begin = sq_seconds_now();
    for (double checked = begin;;) {
        const double now = sq_seconds_now();
        SQ_TRY(probe(m, from, out));
        if (out->bytes)
            return SQ_OK;
        if (now - checked > CHECK_SECONDS) {
            checked = now;
            SQ_TRY(check_silence(m, from, now - begin, patience));
        }
        sq_pause_after(now - begin);
    }
}
