/* Distributes candidates over the ranks. Rank 0 sends a share as a `task` followed by the paths. A worker replies with
 * an `answer` followed by the results or by the text of an error. */
#include "search/evaluate/worker_pool.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/clock.h"
#include "search/evaluate/prefix_tree.h"
#include "supernet/ranks/rank_messages.h"

enum {
    AHEAD = 2,     /* shares of a worker at a time: one being evaluated, one queued */
    SHUTDOWN = -1, /* value of answer.share in the last message of a worker */
    PATIENCE = 4,  /* factor on the expected duration, after which a rank counts as silent */
    TEXT_BYTES = 512,
};

#define CHECK_SECONDS 0.5 /* interval between checks for lost ranks */

typedef enum { EVALUATE, FINISH, ABANDON } task_kind;

typedef struct {
    int32_t kind, share, count;
    int32_t most; /* candidates of the largest share, which rank 0 may be evaluating before its next message */
    int64_t images;
} task; /* paths [count * layers] of int32_t follow */

typedef struct {
    int32_t status, share, count;
    double seconds;
} answer; /* sq_result [count] follow, or the text of an error */

/* A share is a part of the candidates: order[first .. first + count). */
typedef struct {
    int first, count, rank; /* SQ_ANY_RANK: not assigned */
    bool is_done;
    double since; /* time when the share was assigned, or when the share's rank last answered */
} share;

struct sq_worker_pool {
    sq_candidate_group *group;
    const sq_space *space;
    sq_ranks *ranks;
    sq_messages *messages; /* NULL: one rank */
    int size;
    bool *is_lost;              /* [size] */
    sq_worker_counters *counts; /* [size] */
    char lost[TEXT_BYTES];      /* text with the lost ranks and the reasons; empty: none */
    bool is_started;            /* all ranks have a pool, and the workers serve until rank 0 ends them */
    double patience;            /* worker: seconds that rank 0 may take for one share */
    /* The members below belong to the current evaluation. */
    const int *const *paths;
    size_t images;
    sq_result *results;
    int order[SQ_WORKER_POOL_CANDIDATES], share_count;
    share shares[SQ_WORKER_POOL_CANDIDATES];
};

/* ---- Start and end ---- */

/* Fixes the first layers that have only one choice, so that their output is computed only once. */
static void fix_leading_layers(sq_candidate_group *group, const sq_space *space, const sq_search_mask *search_mask)
{
    int path[SQ_MAX_LAYERS] = {0}, depth = 0;
    while (depth < space->layer_count - 1 &&
           (search_mask ? search_mask->count[depth] : space->layers[depth].choice_count) == 1) {
        path[depth] = search_mask ? search_mask->choices[depth][0] : 0;
        depth++;
    }
    sq_candidate_group_fix(group, path, depth);
}

sq_status sq_worker_pool_create(sq_worker_pool **out, sq_candidate_group *group, const sq_space *space,
                                const sq_search_mask *search_mask, sq_ranks *ranks)
{
    sq_worker_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return sq_fail(SQ_NO_MEMORY, "search: ranks");
    pool->group = group;
    pool->space = space;
    pool->ranks = ranks;
    pool->size = sq_ranks_count(ranks);
    pool->is_lost = calloc((size_t)pool->size, sizeof *pool->is_lost);
    pool->counts = calloc((size_t)pool->size, sizeof *pool->counts);
    fix_leading_layers(group, space, search_mask);
    sq_status status = pool->is_lost && pool->counts ? SQ_OK : sq_fail(SQ_NO_MEMORY, "search: %d ranks", pool->size);
    if (status == SQ_OK && pool->size > 1)
        status = sq_messages_open(&pool->messages, ranks);
    if (status == SQ_OK)
        *out = pool;
    else
        sq_worker_pool_destroy(pool);
    return status;
}

/* Returns the seconds per candidate of the slowest rank; 0: unknown. */
static double seconds_each(const sq_worker_pool *pool)
{
    double longest = 0;
    for (int r = 0; r < pool->size; r++)
        if (pool->counts[r].candidates)
            longest = fmax(longest, pool->counts[r].seconds / (double)pool->counts[r].candidates);
    return longest;
}

/* Receives and discards the outstanding messages of a worker, up to the worker's shutdown message. */
static sq_status drain(sq_worker_pool *pool, int rank)
{
    for (bool is_over = false; !is_over;) {
        sq_message message;
        answer a = {.share = SHUTDOWN};
        const int most = pool->share_count ? pool->shares[0].count : 0;
        SQ_TRY(sq_messages_wait(pool->messages, rank, PATIENCE * seconds_each(pool) * AHEAD * most, &message));
        memcpy(&a, message.bytes, message.count < sizeof a ? message.count : sizeof a);
        is_over = a.share == SHUTDOWN;
        free(message.bytes);
    }
    return SQ_OK;
}

/* Ends the workers. Errors are ignored, because the next collective call detects unreachable ranks. */
static void finish_workers(sq_worker_pool *pool)
{
    const task last = {.kind = *pool->lost ? ABANDON : FINISH};
    sq_status status = SQ_OK;
    for (int r = 1; status == SQ_OK && r < pool->size; r++)
        if (!pool->is_lost[r])
            status = sq_messages_send(pool->messages, r, &last, sizeof last);
    for (int r = 1; status == SQ_OK && !*pool->lost && r < pool->size; r++)
        status = drain(pool, r);
    if (*pool->lost)
        sq_ranks_abandon(pool->ranks);
}

void sq_worker_pool_destroy(sq_worker_pool *pool)
{
    if (!pool)
        return;
    if (pool->is_started && pool->messages && sq_ranks_rank(pool->ranks) == 0)
        finish_workers(pool);
    sq_messages_close(pool->messages);
    free(pool->counts);
    free(pool->is_lost);
    free(pool);
}

void sq_worker_pool_start(sq_worker_pool *pool)
{
    pool->is_started = true;
}

int sq_worker_pool_size(const sq_worker_pool *pool)
{
    return pool->size;
}

sq_worker_counters sq_worker_pool_counters(const sq_worker_pool *pool, int rank)
{
    return pool->counts[rank];
}

sq_status sq_worker_pool_check(const sq_worker_pool *pool)
{
    return *pool->lost ? sq_fail(SQ_COMMUNICATION, "%s; the other ranks have scored its candidates", pool->lost)
                       : SQ_OK;
}

/* ---- Shares ---- */

/* Divides `count` candidates into shares. A share has half of (remaining candidates / ranks), but at least a quarter of
 * (count / ranks). Large shares save more work in the prefix tree; small shares at the end let all ranks finish at
 * about the same time. */
static void make_shares(sq_worker_pool *pool, int count)
{
    const int least = count / (4 * pool->size) > 1 ? count / (4 * pool->size) : 1;
    pool->share_count = 0;
    for (int first = 0; first < count;) {
        const int left = count - first, half = left / (2 * pool->size), wanted = half > least ? half : least;
        const int size = wanted < left ? wanted : left;
        pool->shares[pool->share_count++] = (share){.first = first, .count = size, .rank = SQ_ANY_RANK};
        first += size;
    }
}

static share *next_share(sq_worker_pool *pool)
{
    for (int i = 0; i < pool->share_count; i++)
        if (!pool->shares[i].is_done && pool->shares[i].rank == SQ_ANY_RANK)
            return &pool->shares[i];
    return NULL;
}

static int count_shares(const sq_worker_pool *pool, int rank)
{
    int count = 0;
    for (int i = 0; i < pool->share_count; i++)
        count += !pool->shares[i].is_done && pool->shares[i].rank == rank;
    return count;
}

static bool are_all_done(const sq_worker_pool *pool)
{
    for (int i = 0; i < pool->share_count; i++)
        if (!pool->shares[i].is_done)
            return false;
    return true;
}

static void count_work(sq_worker_pool *pool, int rank, int candidates, double seconds)
{
    pool->counts[rank].candidates += candidates;
    pool->counts[rank].seconds += seconds;
}

/* ---- Rank 0 ---- */

static sq_status send_share(sq_worker_pool *pool, share *s, int rank)
{
    const size_t layers = (size_t)pool->space->layer_count,
                 bytes = sizeof(task) + (size_t)s->count * layers * sizeof(int32_t);
    char *message = malloc(bytes);
    if (!message)
        return sq_fail(SQ_NO_MEMORY, "search: a message of %d candidates", s->count);
    const task t = {EVALUATE, (int32_t)(s - pool->shares), s->count, pool->shares[0].count, (int64_t)pool->images};
    memcpy(message, &t, sizeof t);
    for (int i = 0; i < s->count; i++)
        for (size_t l = 0; l < layers; l++) {
            const int32_t choice = pool->paths[pool->order[s->first + i]][l];
            memcpy(message + sizeof t + ((size_t)i * layers + l) * sizeof choice, &choice, sizeof choice);
        }
    s->rank = rank;
    s->since = sq_seconds_now();
    const sq_status status = sq_messages_send(pool->messages, rank, message, bytes);
    free(message);
    return status;
}

/* Assigns shares until every worker has `ahead` shares or no share is left. */
static sq_status assign_shares(sq_worker_pool *pool, int ahead)
{
    for (int have = 0; have < ahead; have++)
        for (int r = 1; r < pool->size; r++) {
            share *s = next_share(pool);
            if (!s)
                return SQ_OK;
            if (!pool->is_lost[r] && count_shares(pool, r) <= have)
                SQ_TRY(send_share(pool, s, r));
        }
    return SQ_OK;
}

/* Stores the results in an answer. Two ranks may answer the same share if one of them was considered lost; their
 * results are equal. */
static sq_status take_answer(sq_worker_pool *pool, const sq_message *message)
{
    answer a;
    if (message->count < sizeof a)
        return sq_fail(SQ_COMMUNICATION, "rank %d: a message of %zu bytes", message->from, message->count);
    memcpy(&a, message->bytes, sizeof a);
    if (a.status != SQ_OK)
        return sq_fail((sq_status)a.status, "rank %d: %s", message->from, message->bytes + sizeof a);
    if (a.share < 0 || a.share >= pool->share_count || a.count != pool->shares[a.share].count ||
        message->count != sizeof a + (size_t)a.count * sizeof(sq_result))
        return sq_fail(SQ_COMMUNICATION, "rank %d: scores of a share that it does not have", message->from);
    share *s = &pool->shares[a.share];
    for (int i = 0; i < s->count; i++)
        memcpy(&pool->results[pool->order[s->first + i]], message->bytes + sizeof a + (size_t)i * sizeof(sq_result),
               sizeof(sq_result));
    s->is_done = true;
    count_work(pool, message->from, s->count, a.seconds);
    for (int i = 0; i < pool->share_count; i++)
        if (pool->shares[i].rank == message->from)
            pool->shares[i].since = sq_seconds_now(); /* the rank has answered */
    return SQ_OK;
}

static sq_status take_answers(sq_worker_pool *pool)
{
    for (;;) {
        sq_message message;
        SQ_TRY(sq_messages_poll(pool->messages, &message));
        if (!message.bytes)
            return SQ_OK;
        const sq_status status = take_answer(pool, &message);
        free(message.bytes);
        SQ_TRY(status);
    }
}

static void mark_lost(sq_worker_pool *pool, int rank, const char *how)
{
    const size_t used = strlen(pool->lost);
    (void)snprintf(pool->lost + used, sizeof pool->lost - used, "%s%s", used ? ", " : "", how);
    pool->is_lost[rank] = true;
    for (int i = 0; i < pool->share_count; i++)
        if (!pool->shares[i].is_done && pool->shares[i].rank == rank)
            pool->shares[i].rank = SQ_ANY_RANK;
}

/* Returns whether a rank has shares but has not answered within the time limit plus PATIENCE times the shares' expected
 * duration. */
static bool is_silent(const sq_worker_pool *pool, int rank)
{
    double since = INFINITY;
    int candidates = 0;
    for (int i = 0; i < pool->share_count; i++)
        if (!pool->shares[i].is_done && pool->shares[i].rank == rank) {
            since = fmin(since, pool->shares[i].since);
            candidates += pool->shares[i].count;
        }
    return sq_seconds_now() - since > sq_ranks_time_limit(pool->ranks) + PATIENCE * seconds_each(pool) * candidates;
}

static void find_lost(sq_worker_pool *pool)
{
    char text[TEXT_BYTES];
    for (int r = 1; r < pool->size; r++) {
        if (pool->is_lost[r])
            continue;
        if (sq_ranks_find_dead(pool->ranks, r, text, sizeof text)) {
            mark_lost(pool, r, text);
        } else if (is_silent(pool, r)) {
            (void)snprintf(text, sizeof text, "rank %d has not answered for %.0f s", r,
                           sq_ranks_time_limit(pool->ranks));
            mark_lost(pool, r, text);
        }
    }
}

typedef struct {
    const int *const *paths;
    int count;
    size_t images;
} path_batch;

static sq_status evaluate_timed(sq_worker_pool *pool, const path_batch *batch, sq_result *results, double *seconds)
{
    const double begin = sq_seconds_now();
    SQ_TRY(sq_candidate_group_evaluate(pool->group, batch->paths, batch->count, batch->images, results));
    *seconds = sq_seconds_now() - begin;
    return SQ_OK;
}

static sq_status evaluate_here(sq_worker_pool *pool, share *s)
{
    const int *paths[SQ_WORKER_POOL_CANDIDATES];
    sq_result results[SQ_WORKER_POOL_CANDIDATES];
    double seconds;
    for (int i = 0; i < s->count; i++)
        paths[i] = pool->paths[pool->order[s->first + i]];
    SQ_TRY(evaluate_timed(pool, &(path_batch){paths, s->count, pool->images}, results, &seconds));
    for (int i = 0; i < s->count; i++)
        pool->results[pool->order[s->first + i]] = results[i];
    s->is_done = true;
    count_work(pool, 0, s->count, seconds);
    return SQ_OK;
}

/* Assigns shares to workers and evaluates shares on rank 0 until all shares are done. Waits if all remaining shares are
 * assigned. */
static sq_status distribute(sq_worker_pool *pool)
{
    double looked = sq_seconds_now();
    while (!are_all_done(pool)) {
        SQ_TRY(take_answers(pool));
        SQ_TRY(assign_shares(pool, 1));
        share *own = next_share(pool);
        if (own)
            own->rank = 0;
        SQ_TRY(assign_shares(pool, AHEAD)); /* so that no worker becomes idle while rank 0 evaluates */
        if (own)
            SQ_TRY(evaluate_here(pool, own));
        else
            sq_pause();
        if (sq_seconds_now() - looked > CHECK_SECONDS) {
            looked = sq_seconds_now();
            SQ_TRY(take_answers(pool)); /* includes shares that a rank finished before it failed */
            find_lost(pool);
        }
    }
    return SQ_OK;
}

sq_status sq_worker_pool_evaluate(sq_worker_pool *pool, const int *const *paths, int count, size_t images,
                                  sq_result *results)
{
    if (!pool->messages) {
        double seconds;
        SQ_TRY(evaluate_timed(pool, &(path_batch){paths, count, images}, results, &seconds));
        count_work(pool, 0, count, seconds);
        return SQ_OK;
    }
    pool->paths = paths;
    pool->images = images;
    pool->results = results;
    SQ_TRY(sq_prefix_tree_order(pool->order, pool->space, pool->paths,
                                count)); /* a share gets neighbours in the prefix tree */
    make_shares(pool, count);
    return distribute(pool);
}

/* ---- Workers ---- */

static sq_status evaluate_task(sq_worker_pool *pool, const task *t, const int32_t *choices, double *seconds,
                               sq_result *results)
{
    const int *paths[SQ_WORKER_POOL_CANDIDATES];
    for (int i = 0; i < t->count; i++)
        paths[i] = choices + (size_t)i * (size_t)pool->space->layer_count;
    return evaluate_timed(pool, &(path_batch){paths, t->count, (size_t)t->images}, results, seconds);
}

/* Evaluates a share and replies with the results or with the error. */
static sq_status evaluate_share(sq_worker_pool *pool, const task *t, const sq_message *message)
{
    struct {
        answer head;
        union {
            sq_result results[SQ_WORKER_POOL_CANDIDATES];
            char text[TEXT_BYTES];
        } body;
    } reply = {.head = {.share = t->share, .count = t->count}};
    if (t->count < 1 || t->count > SQ_WORKER_POOL_CANDIDATES ||
        message->count != sizeof *t + (size_t)t->count * (size_t)pool->space->layer_count * sizeof(int32_t))
        return sq_fail(SQ_COMMUNICATION, "rank 0: a message of %zu bytes", message->count);
    reply.head.status = (int32_t)evaluate_task(pool, t, (const int32_t *)(const void *)(message->bytes + sizeof *t),
                                               &reply.head.seconds, reply.body.results);
    count_work(pool, sq_ranks_rank(pool->ranks), t->count, reply.head.seconds);
    pool->patience = PATIENCE * seconds_each(pool) * t->most;
    size_t bytes = sizeof reply.head + (size_t)t->count * sizeof *reply.body.results;
    if (reply.head.status != SQ_OK)
        bytes = sizeof reply.head + (size_t)snprintf(reply.body.text, TEXT_BYTES, "%s", sq_error_text()) + 1;
    return sq_messages_send(pool->messages, 0, &reply, bytes);
}

/* Handles one message of rank 0. */
static sq_status handle_message(sq_worker_pool *pool, const sq_message *message, bool *is_over)
{
    task t;
    if (message->count < sizeof t)
        return sq_fail(SQ_COMMUNICATION, "rank 0: a message of %zu bytes", message->count);
    memcpy(&t, message->bytes, sizeof t);
    *is_over = t.kind == FINISH;
    if (t.kind == EVALUATE)
        return evaluate_share(pool, &t, message);
    if (t.kind == FINISH)
        return sq_messages_send(pool->messages, 0, &(answer){.share = SHUTDOWN}, sizeof(answer));
    sq_ranks_abandon(pool->ranks);
    const sq_status status = sq_fail(SQ_COMMUNICATION, "rank 0 has lost another rank");
    sq_error_set_reported(); /* because rank 0 reports it */
    return status;
}

sq_status sq_worker_pool_serve(sq_worker_pool *pool)
{
    for (bool is_over = false; !is_over;) {
        sq_message message;
        SQ_TRY(sq_messages_wait(pool->messages, 0, pool->patience, &message));
        const sq_status status = handle_message(pool, &message, &is_over);
        free(message.bytes);
        SQ_TRY(status);
    }
    return SQ_OK;
}
