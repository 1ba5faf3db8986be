#ifndef SQ_STEP_MODEL_H
#define SQ_STEP_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/base/status.h"

/* How long a training step takes on several ranks: a list of what one rank does, walked through once with the messages
 * that travel behind it. Every rank does the same, at the same time. */

typedef enum {
    SQ_REDUCE_RING,     /* 2 (p - 1) rounds of 1/p of the values, all cables busy at once */
    SQ_REDUCE_TREE,     /* a double binary tree: 2 log2 p latencies, twice the values through each cable */
    SQ_REDUCE_FASTEST,  /* of ring and tree, for each message: NCCL */
    SQ_REDUCE_BINOMIAL, /* to rank 0 and back, log2 p rounds of all values each: Open MPI's, in place */
    SQ_REDUCE_DOUBLING, /* recursive doubling: log2 p rounds of all values, each with another partner */
    SQ_REDUCE_KINDS
} sq_reduce_kind;

typedef struct {
    double latency;   /* seconds that a message of no bytes takes */
    double bandwidth; /* bytes a second in each direction */
} sq_link;

typedef struct {
    int ranks, per_node;     /* ranks of a node are neighbours */
    sq_link within, between; /* two ranks of a node; a node and the others, all its cables together */
    sq_reduce_kind kind;
    /* true: MPI on the host goes on with a message only when it is called: behind each program that sends, and while
     * the step waits; but messages travel side by side. false (NCCL on its stream): one message after the other, at
     * once, behind the programs' back. */
    bool is_polled;
    size_t eager_bytes; /* a larger message between two ranks is announced first: two latencies more; 0: none is */
    double pause;       /* seconds until a rank that waits sees what has come */
} sq_network;

typedef enum {
    SQ_PART_RUN,    /* a program, of so many seconds */
    SQ_PART_REDUCE, /* so many bytes are given to the network */
    SQ_PART_JOIN,   /* waits until all of them are back */
    SQ_PART_AGREE   /* a few numbers that every rank waits for */
} sq_part_kind;

typedef struct {
    sq_part_kind kind;
    double seconds;
    size_t bytes;
} sq_step_part;

typedef struct {
    double seconds; /* of the step: programs + exposed + agreement */
    double programs;
    double network;   /* from the first message to the last of each join */
    double exposed;   /* of it: what the step waited for */
    double agreement; /* waiting for a few numbers */
    size_t bytes;     /* that each rank gives to be reduced */
    int messages;
} sq_step_time;

enum { SQ_MAX_MESSAGES = 4096 };

/* One reduction alone, in seconds; 0 for one rank. */
double sq_reduce_seconds(const sq_network *network, size_t bytes);

/* Walks through the parts; the network's numbers are above 0, the latencies not below. returns SQ_INVALID: more than
 * SQ_MAX_MESSAGES before a join, or messages without one behind them.
 *
 * source: Thakur, Rabenseifner, Gropp 2005, "Optimization of Collective Communication Operations in MPICH", sections
 * 3 and 4 (rounds of latency + bytes / bandwidth); Sanders, Speck, Traeff 2009, "Two-tree algorithms for full bandwidth
 * broadcast, reduction and scan"; Open MPI 4.1: ompi/mca/coll/libnbc/nbc_iallreduce.c (what runs in place) */
SQ_MUST_USE sq_status sq_step_predict(const sq_network *network, const sq_step_part *parts, size_t count,
                                      sq_step_time *out);

#endif
