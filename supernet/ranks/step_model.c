/* A reduction is a chain of hops. A hop consists of a transfer, during which it occupies one direction of the busiest
 * link, and a latency. Hops of different messages overlap, except for transfers in the same direction. */
#include "supernet/ranks/step_model.h"

enum { HOPS_LIMIT = 192, AGREEMENT_BYTES = 64 };

/* The direction of the busiest rank's link. An exchange occupies both directions equally and counts as IN. */
typedef enum { IN, OUT, DIRECTIONS } direction;

typedef struct {
    double latency, seconds;
    direction through;
} hop;

typedef struct {
    hop hops[HOPS_LIMIT];
    int count;
} chain;

/* ---- One reduction ---- */

static int rounds_of(int ranks)
{
    int rounds = 0;
    while (rounds < 30 && 1 << rounds < ranks)
        rounds++;
    return rounds;
}

static bool is_one_node(const sq_network *n)
{
    return n->ranks <= n->per_node;
}

/* Returns the link between ranks whose numbers differ by `distance`: n->within if all such pairs are on one node, else
 * n->between. */
static const sq_link *link_over(const sq_network *n, int distance)
{
    return is_one_node(n) || n->per_node % (2 * distance) == 0 ? &n->within : &n->between;
}

/* Like link_over, if all ranks of a node use the node's link at once and share its bandwidth. */
static sq_link shared_link(const sq_network *n, int distance)
{
    sq_link link = *link_over(n, distance);
    if (!is_one_node(n) && link_over(n, distance) == &n->between)
        link.bandwidth /= n->per_node;
    return link;
}

static void add(chain *c, double latency, double seconds, direction through)
{
    c->hops[c->count++] = (hop){latency, seconds, through};
}

/* Adds the hops of a message between two ranks. A message above eager_bytes has three hops: the first part, an
 * acknowledgement, and the rest. */
static void add_message(const sq_network *n, chain *c, sq_link link, size_t bytes, direction through)
{
    size_t left = bytes;
    if (n->eager_bytes && bytes > n->eager_bytes) {
        add(c, link.latency, (double)n->eager_bytes / link.bandwidth, through);
        add(c, link.latency, 0, through == IN ? OUT : IN);
        left -= n->eager_bytes;
    }
    add(c, link.latency, (double)left / link.bandwidth, through);
}

/* Adds a reduction to rank 0 along a binomial tree, and the broadcast of the result. In the reduction, one rank per
 * node sends the values of its node. In the broadcast, every rank that has the result sends it to a rank of another
 * node, so ranks share the node's link. */
static void add_binomial(const sq_network *n, chain *c, size_t bytes)
{
    const int rounds = rounds_of(n->ranks);
    for (int i = 0; i < rounds; i++)
        add_message(n, c, *link_over(n, 1 << i), bytes, IN);
    for (int i = 0; i < rounds; i++)
        add_message(n, c, shared_link(n, 1 << i), bytes, OUT);
}

/* Adds a reduction by recursive doubling. A number of ranks that is not a power of two needs one additional round
 * before the other rounds and one after them. All ranks of a node exchange values with the same other node at once. */
static void add_doubling(const sq_network *n, chain *c, size_t bytes)
{
    const int rounds = rounds_of(n->ranks), folded = (1 << rounds) == n->ranks ? 0 : 2;
    for (int i = 0; i < rounds - (folded ? 1 : 0) + folded; i++)
        add_message(n, c, shared_link(n, 1 << (i < rounds ? i : rounds - 1)), bytes, IN);
}

static double least_bandwidth(const sq_network *n)
{
    const bool is_within = is_one_node(n) || (n->per_node > 1 && n->within.bandwidth < n->between.bandwidth);
    return is_within ? n->within.bandwidth : n->between.bandwidth;
}

/* A ring reduction as one hop. All ranks advance together, so the slowest link determines the time of each round. A
 * ring crosses each node's link once. */
static hop ring_of(const sq_network *n, size_t bytes)
{
    const double rounds = 2.0 * (n->ranks - 1), part = (double)bytes / n->ranks;
    const bool is_within = is_one_node(n) || (n->per_node > 1 && n->within.latency > n->between.latency);
    const double latency = is_within ? n->within.latency : n->between.latency;
    return (hop){rounds * latency, rounds * part / least_bandwidth(n), IN};
}

/* A tree reduction as one hop: trees over the nodes, and a chain within each node. */
static hop tree_of(const sq_network *n, size_t bytes)
{
    const int nodes = (n->ranks + n->per_node - 1) / n->per_node, span = is_one_node(n) ? n->ranks : n->per_node;
    const double latency = rounds_of(nodes) * n->between.latency + (span - 1) * n->within.latency;
    return (hop){2 * latency, 2 * (double)bytes / least_bandwidth(n), IN};
}

static void make_chain(const sq_network *n, size_t bytes, sq_reduce_kind kind, chain *c)
{
    c->count = 0;
    if (n->ranks == 1)
        return;
    if (kind == SQ_REDUCE_BINOMIAL) {
        add_binomial(n, c, bytes);
    } else if (kind == SQ_REDUCE_DOUBLING) {
        add_doubling(n, c, bytes);
    } else {
        const hop ring = ring_of(n, bytes), tree = tree_of(n, bytes);
        const bool is_ring = kind == SQ_REDUCE_RING ||
                             (kind == SQ_REDUCE_FASTEST && ring.latency + ring.seconds <= tree.latency + tree.seconds);
        c->hops[c->count++] = is_ring ? ring : tree;
    }
}

static double chain_seconds(const chain *c, double pause)
{
    double sum = 0;
    for (int i = 0; i < c->count; i++)
        sum += c->hops[i].latency + c->hops[i].seconds + pause;
    return sum;
}

double sq_reduce_seconds(const sq_network *network, size_t bytes)
{
    chain c;
    make_chain(network, bytes, network->kind, &c);
    return chain_seconds(&c, 0);
}

/* ---- A step ---- */

typedef struct {
    size_t bytes;
    int hops;
    int done;     /* number of started hops */
    double ready; /* time when the last started hop ends */
} message;

typedef struct {
    const sq_network *network;
    message messages[SQ_MAX_MESSAGES]; /* since the last join */
    int count;
    double free_at[DIRECTIONS]; /* time when each direction of the link becomes free */
    double stream_until;        /* if !is_polled: time when the last message ends */
    double now, first_start;    /* the current time; start of the first message */
} walk;

/* Starts the next hop of a message, not before time `at`. Returns false if no hop is left. */
static bool begin_hop(walk *w, message *m, double at)
{
    chain c;
    if (m->done == m->hops)
        return false;
    make_chain(w->network, m->bytes, w->network->kind, &c);
    const hop h = c.hops[m->done++];
    const double begin = at > w->free_at[h.through] ? at : w->free_at[h.through];
    w->free_at[h.through] = begin + h.seconds;
    m->ready = begin + h.seconds + h.latency;
    return true;
}

/* Simulates one call of MPI, which starts the next hop of each message whose last hop has ended. */
static void poll(walk *w)
{
    for (int i = 0; i < w->count; i++)
        while (w->messages[i].ready <= w->now && begin_hop(w, &w->messages[i], w->now))
            ;
}

static sq_status start_reduction(walk *w, size_t bytes, sq_step_time *time)
{
    if (w->count == SQ_MAX_MESSAGES)
        return sq_fail(SQ_INVALID, "step model: more than %d messages before a join", SQ_MAX_MESSAGES);
    time->bytes += bytes;
    time->messages++;
    if (w->network->ranks == 1)
        return SQ_OK;
    if (w->count == 0)
        w->first_start = w->now;
    chain c;
    make_chain(w->network, bytes, w->network->kind, &c);
    w->messages[w->count++] = (message){bytes, c.count, 0, w->now};
    if (w->network->is_polled) {
        poll(w);
    } else {
        w->stream_until = w->stream_until > w->now ? w->stream_until : w->now;
        w->stream_until += sq_reduce_seconds(w->network, bytes);
    }
    return SQ_OK;
}

/* Simulates a wait for all messages. MPI is called continuously, so each hop starts as soon as the rank notices the end
 * of the hop before. Returns the time when the last message ends. */
static double drain(walk *w)
{
    double end = w->now;
    for (;;) {
        message *first = NULL;
        for (int i = 0; i < w->count; i++) {
            const message *m = &w->messages[i];
            end = m->ready + w->network->pause > end ? m->ready + w->network->pause : end;
            if (m->done < m->hops && (!first || m->ready < first->ready))
                first = &w->messages[i];
        }
        if (!first)
            return end;
        const double seen = first->ready + w->network->pause;
        (void)begin_hop(w, first, seen > w->now ? seen : w->now); /* `first` has a hop left */
    }
}

static void join(walk *w, sq_step_time *time)
{
    if (w->count == 0)
        return;
    const double end = w->network->is_polled ? drain(w) : w->stream_until > w->now ? w->stream_until : w->now;
    time->network += (w->network->is_polled ? end : w->stream_until) - w->first_start;
    time->exposed += end - w->now;
    w->now = end;
    w->count = 0;
}

/* Agreements use MPI even if reductions use NCCL. */
static double agreement_seconds(const sq_network *n)
{
    chain c;
    make_chain(n, AGREEMENT_BYTES, SQ_REDUCE_BINOMIAL, &c);
    return chain_seconds(&c, n->pause);
}

sq_status sq_step_predict(const sq_network *network, const sq_step_part *parts, size_t count, sq_step_time *out)
{
    walk w = {.network = network};
    sq_step_time time = {0};
    for (size_t i = 0; i < count; i++) {
        const double seconds = parts[i].kind == SQ_PART_AGREE ? agreement_seconds(network) : parts[i].seconds;
        if (parts[i].kind == SQ_PART_REDUCE)
            SQ_TRY(start_reduction(&w, parts[i].bytes, &time));
        else if (parts[i].kind == SQ_PART_JOIN)
            join(&w, &time);
        else
            w.now += seconds;
        time.programs += parts[i].kind == SQ_PART_RUN ? seconds : 0;
        time.agreement += parts[i].kind == SQ_PART_AGREE ? seconds : 0;
    }
    if (w.count > 0)
        return sq_fail(SQ_INVALID, "step model: %d messages without a join after them", w.count);
    time.seconds = w.now;
    *out = time;
    return SQ_OK;
}
