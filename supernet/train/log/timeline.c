
#include "supernet/train/log/timeline.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/clock.h"
#include "kernels/base/file.h"

/* All fields are doubles, so that sq_ranks_sum can exchange entries. */
typedef struct {
    double kind, detail, choice, begin, end; /* begin and end in seconds */
} entry;
enum { FIELDS = sizeof(entry) / sizeof(double) };

struct sq_timeline {
    sq_ranks *ranks;
    double zero;
    int count, limit;
    int first_open; /* index; reductions from this entry on are not complete */
    entry *entries, *received;
};

sq_status sq_timeline_open(sq_timeline **out, int entries, sq_ranks *ranks)
{
    sq_timeline *t = calloc(1, sizeof *t);
    if (!t)
        return sq_fail(SQ_NO_MEMORY, "timeline");
    t->ranks = ranks;
    t->limit = entries;
    t->entries = calloc((size_t)entries + 1, sizeof *t->entries); /* the last entry holds the count */
    t->received = calloc((size_t)entries + 1, sizeof *t->received);
    sq_status status = t->entries && t->received ? SQ_OK : sq_fail(SQ_NO_MEMORY, "timeline: %d entries", entries);
    status = sq_ranks_agree(ranks, status);
    if (status == SQ_OK)
        status = sq_ranks_barrier(ranks);
    t->zero = sq_seconds_now();
    if (status == SQ_OK)
        *out = t;
    else
        sq_timeline_close(t);
    return status;
}

void sq_timeline_close(sq_timeline *t)
{
    if (!t)
        return;
    free(t->entries);
    free(t->received);
    free(t);
}

double sq_timeline_now(const sq_timeline *t)
{
    return t ? sq_seconds_now() - t->zero : 0;
}

void sq_timeline_add(sq_timeline *t, int kind, int64_t detail, int choice, double begin)
{
    if (!t)
        return;
    const double now = sq_timeline_now(t);
    if (kind == SQ_TIME_WAIT) {
        for (int i = t->first_open; i < t->count; i++)
            if (t->entries[i].kind == SQ_TIME_REDUCTION)
                t->entries[i].end = now;
        t->first_open = t->count;
    }
    if (t->count < t->limit)
        t->entries[t->count++] = (entry){kind, (double)detail, choice, begin, now};
}

static void write_entry(FILE *file, const entry *e, int rank, int index)
{
    static const char *const names[SQ_TIME_KINDS] = {[SQ_TIME_STEP] = "step", [SQ_TIME_LOAD] = "load",
                                                     [SQ_TIME_LOSS] = "loss", [SQ_TIME_REDUCTION] = "reduction",
                                                     [SQ_TIME_WAIT] = "wait", [SQ_TIME_AGREE] = "agree",
                                                     [SQ_TIME_LOG] = "log",   [SQ_TIME_CHECKPOINT] = "checkpoint"};
    const int kind = (int)e->kind;
    const double begin = 1e6 * e->begin, end = 1e6 * e->end; /* microseconds */
    const char *name = kind < SQ_MODES ? sq_mode_name((sq_mode)kind) : names[kind];
    if (kind == SQ_TIME_REDUCTION) { /* asynchronous events, because reductions overlap programs */
        for (int is_end = 0; is_end < 2; is_end++)
            (void)fprintf(file,
                          ",\n{\"name\":\"reduction\",\"cat\":\"reduction\",\"ph\":\"%s\",\"id\":\"%d.%d\",\"pid\":0,"
                          "\"tid\":%d,\"ts\":%.3f,\"args\":{\"bytes\":%.0f}}",
                          is_end ? "e" : "b", rank, index, rank, is_end ? end : begin, e->detail);
        return;
    }
    (void)fprintf(file, ",\n{\"name\":\"%s", name);
    if (kind < SQ_MODES || kind == SQ_TIME_STEP)
        (void)fprintf(file, " %.0f", e->detail);
    (void)fprintf(file, "\",\"cat\":\"%s\",\"ph\":\"X\",\"pid\":0,\"tid\":%d,\"ts\":%.3f,\"dur\":%.3f", name, rank,
                  begin, end - begin);
    if (kind < SQ_MODES)
        (void)fprintf(file, ",\"args\":{\"layer\":%.0f,\"choice\":%.0f}", e->detail, e->choice);
    (void)fprintf(file, "}");
}

/* Sends the entries of `rank` to all ranks; rank 0 writes them to the file. */
static sq_status write_rank(const sq_timeline *t, int rank, FILE *file)
{
    const size_t bytes = ((size_t)t->limit + 1) * sizeof(entry);
    if (rank == sq_ranks_rank(t->ranks)) {
        memcpy(t->received, t->entries, bytes);
        t->received[t->limit].kind = t->count;
    } else
        memset(t->received, 0, bytes);
    SQ_TRY(sq_ranks_sum(t->ranks, (double *)t->received, (t->limit + 1) * FIELDS));
    if (!file)
        return SQ_OK;
    (void)fprintf(file,
                  "%s\n{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":0,\"tid\":%d,\"args\":{\"name\":\"rank %d\"}}",
                  rank ? "," : "", rank, rank);
    for (int i = 0; i < (int)t->received[t->limit].kind; i++)
        write_entry(file, &t->received[i], rank, i);
    return SQ_OK;
}

sq_status sq_timeline_write(const sq_timeline *t, const char *path)
{
    sq_file_writer w = {NULL, NULL, 0};
    sq_status status = SQ_OK;
    if (!t)
        return SQ_OK;
    const bool is_first = sq_ranks_rank(t->ranks) == 0;
    SQ_TRY(sq_ranks_reduce_status(t->ranks, is_first ? sq_file_begin(&w, path) : SQ_OK));
    if (is_first)
        (void)fprintf(w.stream, "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[");
    for (int rank = 0; status == SQ_OK && rank < sq_ranks_count(t->ranks); rank++)
        status = write_rank(t, rank, w.stream);
    if (!is_first)
        return sq_ranks_reduce_status(t->ranks, status);
    (void)fprintf(w.stream, "\n]}\n");
    if (status == SQ_OK)
        status = sq_file_finish(&w, path);
    else
        sq_file_discard(&w);
    return sq_ranks_reduce_status(t->ranks, status);
}
