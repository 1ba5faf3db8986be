/* Compares the model of a step on several ranks with numbers computed by hand. */
#include <string.h>

#include "supernet/ranks/step_model.h"
#include "tests/support/support.h"

/* All numbers have few decimals and the sums have a few dozen terms, so a small relative tolerance is enough. */
#define NEAR(a, b) cr_expect_float_eq((a), (b), 1e-9 * (1 + (b)), "%.12g, wanted %.12g", (double)(a), (double)(b))

static sq_network ranks_apart(int ranks, sq_reduce_kind kind, double latency, double bandwidth)
{
    const sq_link link = {latency, bandwidth};
    return (sq_network){.ranks = ranks, .per_node = 1, .within = {1e-9, 1e15}, .between = link, .kind = kind};
}

static sq_step_time predict(const sq_network *network, const sq_step_part *parts, size_t count)
{
    sq_step_time time;
    MUST(sq_step_predict(network, parts, count, &time));
    return time;
}
#define PREDICT(network, ...)                                                                                          \
    predict((network), (const sq_step_part[]){__VA_ARGS__},                                                            \
            sizeof((const sq_step_part[]){__VA_ARGS__}) / sizeof(sq_step_part))
#define RUN(s)                                                                                                         \
    {                                                                                                                  \
        SQ_PART_RUN, (s), 0                                                                                            \
    }
#define REDUCE(b)                                                                                                      \
    {                                                                                                                  \
        SQ_PART_REDUCE, 0, (b)                                                                                         \
    }
#define JOIN                                                                                                           \
    {                                                                                                                  \
        SQ_PART_JOIN, 0, 0                                                                                             \
    }
#define AGREE                                                                                                          \
    {                                                                                                                  \
        SQ_PART_AGREE, 0, 0                                                                                            \
    }

Test(step_model, one_rank_waits_for_nobody)
{
    for (int polled = 0; polled < 2; polled++) {
        sq_network alone = ranks_apart(1, polled ? SQ_REDUCE_BINOMIAL : SQ_REDUCE_RING, 1, 1);
        alone.is_polled = polled;
        alone.pause = 1;
        const sq_step_time t = PREDICT(&alone, AGREE, RUN(1), REDUCE(1000000), RUN(2), JOIN, AGREE, RUN(0.5));
        NEAR(t.seconds, 3.5);
        NEAR(t.programs, 3.5);
        cr_expect(t.network == 0 && t.exposed == 0 && t.agreement == 0);
        cr_expect(t.messages == 1 && t.bytes == 1000000, "bytes of a single rank are counted");
        NEAR(sq_reduce_seconds(&alone, 1 << 20), 0);
    }
}

Test(step_model, bandwidth_limits_large_messages)
{
    const sq_network ring = ranks_apart(4, SQ_REDUCE_RING, 0, 1e9), tree = ranks_apart(4, SQ_REDUCE_TREE, 0, 1e9),
                     binomial = ranks_apart(4, SQ_REDUCE_BINOMIAL, 0, 1e9),
                     doubling = ranks_apart(4, SQ_REDUCE_DOUBLING, 0, 1e9);
    NEAR(sq_reduce_seconds(&ring, 1000000000), 2 * 3 / 4.0);
    NEAR(sq_reduce_seconds(&tree, 1000000000), 2);
    NEAR(sq_reduce_seconds(&binomial, 1000000000), 4);
    NEAR(sq_reduce_seconds(&doubling, 1000000000), 2);
    const sq_network fastest = ranks_apart(4, SQ_REDUCE_FASTEST, 0, 1e9);
    NEAR(sq_reduce_seconds(&fastest, 1000000000), 1.5);
}

Test(step_model, latency_limits_small_messages)
{
    static const struct {
        sq_reduce_kind kind;
        int ranks, latencies;
    } rows[] = {{SQ_REDUCE_RING, 8, 14},    {SQ_REDUCE_TREE, 8, 6},     {SQ_REDUCE_FASTEST, 8, 6},
                {SQ_REDUCE_BINOMIAL, 8, 6}, {SQ_REDUCE_BINOMIAL, 5, 6}, {SQ_REDUCE_BINOMIAL, 2, 2},
                {SQ_REDUCE_DOUBLING, 8, 3}, {SQ_REDUCE_DOUBLING, 5, 4}, {SQ_REDUCE_RING, 2, 2}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const sq_network n = ranks_apart(rows[i].ranks, rows[i].kind, 1e-3, 1e15);
        NEAR(sq_reduce_seconds(&n, 8), 1e-3 * rows[i].latencies);
    }
}

Test(step_model, nodes_have_links_of_their_own)
{
    const sq_link within = {1e-3, 4e9}, between = {1e-2, 1e9};
    sq_network n = {.ranks = 4, .per_node = 2, .within = within, .between = between, .kind = SQ_REDUCE_RING};
    NEAR(sq_reduce_seconds(&n, 1000000000), 6 * 1e-2 + 1.5);
    /* The reduction and the broadcast use the links within nodes first, then the cables. One rank per node sends to
     * the root, but both ranks of a node receive the result over its cable. */
    n.kind = SQ_REDUCE_BINOMIAL;
    NEAR(sq_reduce_seconds(&n, 1000000000), 2 * (1e-3 + 0.25) + 1e-2 + 1 + 1e-2 + 2);
    n.kind = SQ_REDUCE_DOUBLING; /* in the second round both ranks of a node share its cable */
    NEAR(sq_reduce_seconds(&n, 1000000000), 1e-3 + 0.25 + 1e-2 + 2);
    n.kind = SQ_REDUCE_TREE;
    NEAR(sq_reduce_seconds(&n, 1000000000), 2 * (1e-2 + 1e-3) + 2);
    n.ranks = 2; /* both ranks are on one node */
    NEAR(sq_reduce_seconds(&n, 1000000000), 2 * 1e-3 + 0.5);
}

Test(step_model, what_is_large_is_announced)
{
    sq_network n = ranks_apart(2, SQ_REDUCE_BINOMIAL, 0.1, 1e6);
    n.eager_bytes = 1000000;
    NEAR(sq_reduce_seconds(&n, 1000000), 2 * 1.1);
    NEAR(sq_reduce_seconds(&n, 3000000), 2 * (1.1 + 0.1 + 2.1));
}

Test(step_model, a_stream_reduces_behind_the_programs)
{
    const sq_network n = ranks_apart(4, SQ_REDUCE_RING, 0, 1e9);
    /* The reduction takes from 1 to 2.5, and the programs run from 1 to 3. */
    sq_step_time t = PREDICT(&n, RUN(1), REDUCE(1000000000), RUN(2), JOIN, RUN(0.25));
    NEAR(t.seconds, 3.25);
    NEAR(t.network, 1.5);
    NEAR(t.exposed, 0);
    /* The reductions take from 0 to 3, and the programs run from 0 to 2. */
    t = PREDICT(&n, REDUCE(1000000000), RUN(1), REDUCE(1000000000), RUN(1), JOIN);
    NEAR(t.seconds, 3);
    NEAR(t.network, 3);
    NEAR(t.exposed, 1);
    NEAR(t.programs, 2);
    cr_expect(t.messages == 2 && t.bytes == 2000000000);
}

Test(step_model, a_host_goes_on_only_when_mpi_is_called)
{
    sq_network n = ranks_apart(2, SQ_REDUCE_BINOMIAL, 0.1, 1e6);
    n.is_polled = true;
    /* The message arrives at 1.1, but the receiving host does not call MPI before the join at 5. The answer arrives 1.1
     * later. */
    sq_step_time t = PREDICT(&n, REDUCE(1000000), RUN(5), JOIN);
    NEAR(t.seconds, 6.1);
    NEAR(t.exposed, 1.1);
    NEAR(t.network, 6.1);
    /* At 2, the start of the second reduction calls MPI, which also sends the first result back (from 2 to 3). The
     * second message arrives at 2.6, the join at 3 detects it, and the second result is back at 3.6. */
    t = PREDICT(&n, REDUCE(1000000), RUN(2), REDUCE(500000), RUN(1), JOIN);
    NEAR(t.seconds, 3.6);
    NEAR(t.exposed, 0.6);
    /* Both messages share one cable, so one follows the other: to the root from 0 to 1 and from 1 to 2, back from 1.1
     * to 2.1 and from 2.1 to 3.1. */
    t = PREDICT(&n, REDUCE(1000000), REDUCE(1000000), JOIN);
    NEAR(t.seconds, 3.2);
    n.pause = 0.05; /* seconds between two checks for messages */
    t = PREDICT(&n, REDUCE(1000000), JOIN);
    NEAR(t.seconds, 2 * (1.1 + 0.05));
}

Test(step_model, agreement_costs_latencies)
{
    sq_network n = ranks_apart(4, SQ_REDUCE_FASTEST, 0.01, 6400);
    const sq_step_time t = PREDICT(&n, AGREE, RUN(1), AGREE);
    NEAR(t.agreement, 2 * 4 * (0.01 + 0.01)); /* 64 bytes per message */
    NEAR(t.seconds, 1 + t.agreement);
    cr_expect_eq(t.messages, 0);
}

Test(step_model, each_path_of_a_step_has_its_join)
{
    const sq_network n = ranks_apart(4, SQ_REDUCE_RING, 0, 1e9);
    const sq_step_time t = PREDICT(&n, RUN(1), REDUCE(1000000000), JOIN, RUN(1), REDUCE(2000000000), RUN(1), JOIN);
    NEAR(t.seconds, 1 + 1.5 + 1 + 3);
    NEAR(t.exposed, 1.5 + 2);
    NEAR(t.network, 1.5 + 3);
}

Test(step_model, what_makes_no_sense_is_refused)
{
    static sq_step_part parts[SQ_MAX_MESSAGES + 2];
    const sq_network n = ranks_apart(2, SQ_REDUCE_RING, 0, 1);
    sq_step_time t = {.seconds = 77};
    for (size_t i = 0; i < SQ_MAX_MESSAGES + 1; i++)
        parts[i] = (sq_step_part){SQ_PART_REDUCE, 0, 4};
    parts[SQ_MAX_MESSAGES + 1] = (sq_step_part){SQ_PART_JOIN, 0, 0};
    cr_expect_eq(sq_step_predict(&n, parts, SQ_MAX_MESSAGES + 2, &t), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "more than 4096 messages before a join"));
    cr_expect_eq(sq_step_predict(&n, parts, 3, &t), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "3 messages without a join"));
    cr_expect_eq(t.seconds, 77, "untouched on failure");
}
