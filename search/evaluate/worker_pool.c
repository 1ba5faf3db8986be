/* Candidates shared out over the ranks. Letters: a share goes out as task and paths; it comes back as answer and
 * results, or as answer and the text of a failure. */
#include "search/evaluate/worker_pool.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/clock.h"
#include "search/evaluate/prefix_tree.h"
#include "supernet/ranks/messages.h"

enum {
    AHEAD = 2,     /* shares that a rank has at a time: one to work on, one to go on with */
    FAREWELL = -1, /* instead of a share: the last letter of a rank */
    PATIENCE = 4,
    TEXT_BYTES = 512,
};

typedef enum { EVALUATE, GO_HOME, LEAVE } task_kind;

typedef struct {
    int32_t kind, share, count;
    int32_t most; /* candidates of the largest share, which the first rank may be working on before it writes again */
    int64_t images;
} task; /* paths [count * layers] of int32_t follow */

typedef struct {
    int32_t status, share, count;
    double seconds;
} answer; /* sq_result [count] follow, or a text */

/* A part of the candidates that were asked for: order[first .. first + count). */
typedef struct {
    int first, count, rank; /* SQ_ANY_RANK: not dealt out */
    bool is_done;
    double since; /* dealt out, or last heard of its rank */
} share;

struct sq_worker_pool {
    sq_candidate_group *group;
    const sq_space *space;
    sq_ranks *ranks;
    sq_messages *messages; /* NULL: alone */
    int size;
    bool *is_lost;              /* [size] */
    sq_worker_counters *counts; /* [size] */
    char lost[TEXT_BYTES];      /* which ranks have been lost, and how; empty: none */
    bool is_met;                /* all ranks have a pool: the others serve, and are to be sent home */
    double patience;            /* seconds that the first rank may be at work on a share of its own */
    /* of the evaluation that is under way */
    const int *const *paths;
    size_t images;
    sq_result *results;
    int order[SQ_WORKER_POOL_CANDIDATES], share_count;
    share shares[SQ_WORKER_POOL_CANDIDATES];
};

/* ---- Begin and end ---- */

/* Layers at the beginning that leave no choice: their work is done once for all candidates. */
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
    sq_worker_pool *c = calloc(1, sizeof *c);
    if (!c)
        return sq_fail(SQ_NO_MEMORY, "search: ranks");
    c->group = group;
    c->space = space;
    c->ranks = ranks;
    c->size = sq_ranks_count(ranks);
    c->is_lost = calloc((size_t)c->size, sizeof *c->is_lost);
    c->counts = calloc((size_t)c->size, sizeof *c->counts);
    fix_leading_layers(group, space, search_mask);
    sq_status status = c->is_lost && c->counts ? SQ_OK : sq_fail(SQ_NO_MEMORY, "search: %d ranks", c->size);
    if (status == SQ_OK && c->size > 1)
        status = sq_messages_open(&c->messages, ranks);
    if (status == SQ_OK)
        *out = c;
    else
        sq_worker_pool_destroy(c);
    return status;
}

/* What a candidate takes: the longest mean of a rank; 0: nothing is known. */
static double seconds_each(const sq_worker_pool *c)
{
    double longest = 0;
    for (int r = 0; r < c->size; r++)
        if (c->counts[r].candidates)
            longest = fmax(longest, c->counts[r].seconds / (double)c->counts[r].candidates);
    return longest;
}

/* Takes what is still under way from a rank, up to its farewell. */
static sq_status hear_out(sq_worker_pool *c, int rank)
{
    for (bool is_over = false; !is_over;) {
        sq_message message;
        answer a = {.share = FAREWELL};
        const int most = c->share_count ? c->shares[0].count : 0;
        SQ_TRY(sq_messages_wait(c->messages, rank, PATIENCE * seconds_each(c) * AHEAD * most, &message));
        memcpy(&a, message.bytes, message.count < sizeof a ? message.count : sizeof a);
        is_over = a.share == FAREWELL;
        free(message.bytes);
    }
    return SQ_OK;
}

/* Who cannot be reached any more is seen by the next thing that ranks do together. */
static void send_home(sq_worker_pool *c)
{
    const task home = {.kind = *c->lost ? LEAVE : GO_HOME};
    sq_status status = SQ_OK;
    for (int r = 1; status == SQ_OK && r < c->size; r++)
        if (!c->is_lost[r])
            status = sq_messages_send(c->messages, r, &home, sizeof home);
    for (int r = 1; status == SQ_OK && !*c->lost && r < c->size; r++)
        status = hear_out(c, r);
    if (*c->lost)
        sq_ranks_break(c->ranks);
}

void sq_worker_pool_destroy(sq_worker_pool *c)
{
    if (!c)
        return;
    if (c->is_met && c->messages && sq_ranks_rank(c->ranks) == 0)
        send_home(c);
    sq_messages_close(c->messages);
    free(c->counts);
    free(c->is_lost);
    free(c);
}

void sq_worker_pool_start(sq_worker_pool *c)
{
    c->is_met = true;
}

int sq_worker_pool_size(const sq_worker_pool *c)
{
    return c->size;
}

sq_worker_counters sq_worker_pool_counters(const sq_worker_pool *c, int rank)
{
    return c->counts[rank];
}

sq_status sq_worker_pool_check(const sq_worker_pool *c)
{
    return *c->lost ? sq_fail(SQ_COMMUNICATION, "%s; the others have scored its candidates", c->lost) : SQ_OK;
}

/* ---- Shares ---- */

/* Half of what is left for each rank, and no less than a quarter of its part: large shares share more work, small ones
 * at the end let all ranks end together. */
static void make_shares(sq_worker_pool *c, int count)
{
    const int least = count / (4 * c->size) > 1 ? count / (4 * c->size) : 1;
    c->share_count = 0;
    for (int first = 0; first < count;) {
        const int left = count - first, half = left / (2 * c->size), wanted = half > least ? half : least;
        const int size = wanted < left ? wanted : left;
        c->shares[c->share_count++] = (share){.first = first, .count = size, .rank = SQ_ANY_RANK};
        first += size;
    }
}

static share *next_share(sq_worker_pool *c)
{
    for (int i = 0; i < c->share_count; i++)
        if (!c->shares[i].is_done && c->shares[i].rank == SQ_ANY_RANK)
            return &c->shares[i];
    return NULL;
}

static int count_shares(const sq_worker_pool *c, int rank)
{
    int count = 0;
    for (int i = 0; i < c->share_count; i++)
        count += !c->shares[i].is_done && c->shares[i].rank == rank;
    return count;
}

static bool are_all_done(const sq_worker_pool *c)
{
    for (int i = 0; i < c->share_count; i++)
        if (!c->shares[i].is_done)
            return false;
    return true;
}

static void count_work(sq_worker_pool *c, int rank, int candidates, double seconds)
{
    c->counts[rank].candidates += candidates;
    c->counts[rank].seconds += seconds;
}

/* ---- The first rank ---- */

static sq_status send_share(sq_worker_pool *c, share *s, int rank)
{
    const size_t layers = (size_t)c->space->layer_count,
                 bytes = sizeof(task) + (size_t)s->count * layers * sizeof(int32_t);
    char *message = malloc(bytes);
    if (!message)
        return sq_fail(SQ_NO_MEMORY, "search: %d candidates for another rank", s->count);
    const task t = {EVALUATE, (int32_t)(s - c->shares), s->count, c->shares[0].count, (int64_t)c->images};
    memcpy(message, &t, sizeof t);
    for (int i = 0; i < s->count; i++)
        for (size_t l = 0; l < layers; l++) {
            const int32_t choice = c->paths[c->order[s->first + i]][l];
            memcpy(message + sizeof t + ((size_t)i * layers + l) * sizeof choice, &choice, sizeof choice);
        }
    s->rank = rank;
    s->since = sq_seconds_now();
    const sq_status status = sq_messages_send(c->messages, rank, message, bytes);
    free(message);
    return status;
}

/* Until every rank has `ahead` shares, as far as they go. */
static sq_status deal_out(sq_worker_pool *c, int ahead)
{
    for (int have = 0; have < ahead; have++)
        for (int r = 1; r < c->size; r++) {
            share *s = next_share(c);
            if (!s)
                return SQ_OK;
            if (!c->is_lost[r] && count_shares(c, r) <= have)
                SQ_TRY(send_share(c, s, r));
        }
    return SQ_OK;
}

/* A share that a lost rank had may come back from two ranks: the results are the same. */
static sq_status take_answer(sq_worker_pool *c, const sq_message *message)
{
    answer a;
    if (message->count < sizeof a)
        return sq_fail(SQ_COMMUNICATION, "rank %d: a letter of %zu bytes", message->from, message->count);
    memcpy(&a, message->bytes, sizeof a);
    if (a.status != SQ_OK)
        return sq_fail((sq_status)a.status, "rank %d: %s", message->from, message->bytes + sizeof a);
    if (a.share < 0 || a.share >= c->share_count || a.count != c->shares[a.share].count ||
        message->count != sizeof a + (size_t)a.count * sizeof(sq_result))
        return sq_fail(SQ_COMMUNICATION, "rank %d: scores of candidates that it was not given", message->from);
    share *s = &c->shares[a.share];
    for (int i = 0; i < s->count; i++)
        memcpy(&c->results[c->order[s->first + i]], message->bytes + sizeof a + (size_t)i * sizeof(sq_result),
               sizeof(sq_result));
    s->is_done = true;
    count_work(c, message->from, s->count, a.seconds);
    for (int i = 0; i < c->share_count; i++)
        if (c->shares[i].rank == message->from)
            c->shares[i].since = sq_seconds_now(); /* it lives */
    return SQ_OK;
}

static sq_status take_answers(sq_worker_pool *c)
{
    for (;;) {
        sq_message message;
        SQ_TRY(sq_messages_poll(c->messages, &message));
        if (!message.bytes)
            return SQ_OK;
        const sq_status status = take_answer(c, &message);
        free(message.bytes);
        SQ_TRY(status);
    }
}

static void lose(sq_worker_pool *c, int rank, const char *how)
{
    const size_t used = strlen(c->lost);
    (void)snprintf(c->lost + used, sizeof c->lost - used, "%s%s", used ? ", " : "", how);
    c->is_lost[rank] = true;
    for (int i = 0; i < c->share_count; i++)
        if (!c->shares[i].is_done && c->shares[i].rank == rank)
            c->shares[i].rank = SQ_ANY_RANK;
}

/* Whether a rank that has shares has not answered for the time limit, and for several times what they should take. */
static bool is_silent(const sq_worker_pool *c, int rank)
{
    double since = INFINITY;
    int candidates = 0;
    for (int i = 0; i < c->share_count; i++)
        if (!c->shares[i].is_done && c->shares[i].rank == rank) {
            since = fmin(since, c->shares[i].since);
            candidates += c->shares[i].count;
        }
    return sq_seconds_now() - since > sq_ranks_time_limit(c->ranks) + PATIENCE * seconds_each(c) * candidates;
}

static void look_for_lost(sq_worker_pool *c)
{
    char text[TEXT_BYTES];
    for (int r = 1; r < c->size; r++) {
        if (c->is_lost[r])
            continue;
        if (sq_ranks_find_dead(c->ranks, r, text, sizeof text)) {
            lose(c, r, text);
        } else if (is_silent(c, r)) {
            (void)snprintf(text, sizeof text, "rank %d has not answered for %.0f s", r, sq_ranks_time_limit(c->ranks));
            lose(c, r, text);
        }
    }
}

static sq_status evaluate_timed(sq_worker_pool *c, const int *const *paths, int count, size_t images,
                                sq_result *results, double *seconds)
{
    const double begin = sq_seconds_now();
    SQ_TRY(sq_candidate_group_evaluate(c->group, paths, count, images, results));
    *seconds = sq_seconds_now() - begin;
    return SQ_OK;
}

static sq_status evaluate_here(sq_worker_pool *c, share *s)
{
    const int *paths[SQ_WORKER_POOL_CANDIDATES];
    sq_result results[SQ_WORKER_POOL_CANDIDATES];
    double seconds;
    for (int i = 0; i < s->count; i++)
        paths[i] = c->paths[c->order[s->first + i]];
    SQ_TRY(evaluate_timed(c, paths, s->count, c->images, results, &seconds));
    for (int i = 0; i < s->count; i++)
        c->results[c->order[s->first + i]] = results[i];
    s->is_done = true;
    count_work(c, 0, s->count, seconds);
    return SQ_OK;
}

/* Deals out, works, and waits when nothing is left to begin. */
static sq_status share_out(sq_worker_pool *c)
{
    double looked = sq_seconds_now();
    while (!are_all_done(c)) {
        SQ_TRY(take_answers(c));
        SQ_TRY(deal_out(c, 1));
        share *own = next_share(c);
        if (own)
            own->rank = 0;
        SQ_TRY(deal_out(c, AHEAD)); /* so that nobody is idle meanwhile */
        if (own)
            SQ_TRY(evaluate_here(c, own));
        else
            sq_pause();
        if (sq_seconds_now() - looked > 0.5) {
            looked = sq_seconds_now();
            SQ_TRY(take_answers(c)); /* of shares that a rank finished before it went */
            look_for_lost(c);
        }
    }
    return SQ_OK;
}

sq_status sq_worker_pool_evaluate(sq_worker_pool *c, const int *const *paths, int count, size_t images,
                                  sq_result *results)
{
    if (!c->messages) {
        double seconds;
        SQ_TRY(evaluate_timed(c, paths, count, images, results, &seconds));
        count_work(c, 0, count, seconds);
        return SQ_OK;
    }
    c->paths = paths;
    c->images = images;
    c->results = results;
    SQ_TRY(sq_prefix_tree_order(c->order, c->space, c->paths, count)); /* neighbours in their tree come together */
    make_shares(c, count);
    return share_out(c);
}

/* ---- The others ---- */

static sq_status evaluate_task(sq_worker_pool *c, const task *t, const int32_t *choices, double *seconds,
                               sq_result *results)
{
    const int *paths[SQ_WORKER_POOL_CANDIDATES];
    for (int i = 0; i < t->count; i++)
        paths[i] = choices + (size_t)i * (size_t)c->space->layer_count;
    return evaluate_timed(c, paths, t->count, (size_t)t->images, results, seconds);
}

/* A share's scores, or why there are none. */
static sq_status work(sq_worker_pool *c, const task *t, const sq_message *message)
{
    struct {
        answer head;
        union {
            sq_result results[SQ_WORKER_POOL_CANDIDATES];
            char text[TEXT_BYTES];
        } body;
    } reply = {.head = {.share = t->share, .count = t->count}};
    if (t->count < 1 || t->count > SQ_WORKER_POOL_CANDIDATES ||
        message->count != sizeof *t + (size_t)t->count * (size_t)c->space->layer_count * sizeof(int32_t))
        return sq_fail(SQ_COMMUNICATION, "rank 0: a letter of %zu bytes", message->count);
    reply.head.status = (int32_t)evaluate_task(c, t, (const int32_t *)(const void *)(message->bytes + sizeof *t),
                                               &reply.head.seconds, reply.body.results);
    count_work(c, sq_ranks_rank(c->ranks), t->count, reply.head.seconds);
    c->patience = PATIENCE * seconds_each(c) * t->most;
    size_t bytes = sizeof reply.head + (size_t)t->count * sizeof *reply.body.results;
    if (reply.head.status != SQ_OK)
        bytes = sizeof reply.head + (size_t)snprintf(reply.body.text, TEXT_BYTES, "%s", sq_error_text()) + 1;
    return sq_messages_send(c->messages, 0, &reply, bytes);
}

/* Does what a letter asks for. */
static sq_status handle_message(sq_worker_pool *c, const sq_message *message, bool *is_over)
{
    task t;
    if (message->count < sizeof t)
        return sq_fail(SQ_COMMUNICATION, "rank 0: a letter of %zu bytes", message->count);
    memcpy(&t, message->bytes, sizeof t);
    *is_over = t.kind == GO_HOME;
    if (t.kind == EVALUATE)
        return work(c, &t, message);
    if (t.kind == GO_HOME)
        return sq_messages_send(c->messages, 0, &(answer){.share = FAREWELL}, sizeof(answer));
    sq_ranks_leave_reported(c->ranks);
    return sq_fail(SQ_COMMUNICATION, "rank 0 has lost another rank");
}

sq_status sq_worker_pool_serve(sq_worker_pool *c)
{
    for (bool is_over = false; !is_over;) {
        sq_message message;
        SQ_TRY(sq_messages_wait(c->messages, 0, c->patience, &message));
        const sq_status status = handle_message(c, &message, &is_over);
        free(message.bytes);
        SQ_TRY(status);
    }
    return SQ_OK;
}
