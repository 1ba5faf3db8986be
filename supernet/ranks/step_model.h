#ifndef SQ_STEP_MODEL_H
#define SQ_STEP_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/base/status.h"

/* Predicts the time of a training step on several ranks, by a simulation of the programs, reductions and waits of one
 * rank. All ranks are assumed to do the same at the same time. */

/* Algorithms of a reduction over p ranks. */
typedef enum {
    SQ_REDUCE_RING,     /* 2 (p - 1) rounds of 1/p of the values; all links are busy at once */
    SQ_REDUCE_TREE,     /* a double binary tree: 2 log2 p latencies, twice the values through each link */
    SQ_REDUCE_FASTEST,  /* the faster one of ring and tree for each message, as in NCCL */
    SQ_REDUCE_BINOMIAL, /* log2 p rounds of all values to rank 0, and log2 p back, as in Open MPI with MPI_IN_PLACE */
    SQ_REDUCE_DOUBLING, /* recursive doubling: log2 p rounds of all values, each with a different partner */
    SQ_REDUCE_KINDS
} sq_reduce_kind;

typedef struct {
    double latency;   /* seconds for an empty message */
    double bandwidth; /* bytes per second in each direction */
} sq_link;

typedef struct {
    int ranks, per_node;     /* consecutive ranks are on one node */
    sq_link within, between; /* within: two ranks of a node; between: a node and the other nodes, over all links */
    sq_reduce_kind kind;
    /* true (MPI on the host): messages overlap each other, but progress only during calls of MPI, that is, at the start
     * of each reduction and during waits. false (NCCL on its stream): messages run one after the other, concurrently
     * with the programs. */
    bool is_polled;
    size_t eager_bytes; /* a larger message needs a handshake, which takes two more latencies; 0: no handshakes */
    double pause;       /* seconds until a waiting rank notices a message */
} sq_network;

typedef enum {
    SQ_PART_RUN,    /* runs a program of `seconds` */
    SQ_PART_REDUCE, /* starts a reduction of `bytes` */
    SQ_PART_JOIN,   /* waits for all reductions */
    SQ_PART_AGREE   /* all ranks exchange a few numbers */
} sq_part_kind;

typedef struct {
    sq_part_kind kind;
    double seconds;
    size_t bytes;
} sq_step_part;

typedef struct {
    double seconds; /* of the step: programs + exposed + agreement */
    double programs;
    double network;   /* sum of the times from the first message to the end of a join */
    double exposed;   /* part of `network` during which the step waits */
    double agreement; /* exchanges of a few numbers */
    size_t bytes;     /* that each rank reduces */
    int messages;
} sq_step_time;

enum { SQ_MAX_MESSAGES = 4096 };

/* The time of one reduction alone, in seconds; 0 for one rank. */
double sq_reduce_seconds(const sq_network *network, size_t bytes);

/* Simulates the parts in order. The network's counts and bandwidths must be positive, and the latencies not negative.
 * Returns SQ_INVALID if more than SQ_MAX_MESSAGES reductions precede a join, or if no join follows a reduction.
 *
 * source: Thakur, Rabenseifner, Gropp 2005, "Optimization of Collective Communication Operations in MPICH", sections
 * 3 and 4 (rounds of latency + bytes / bandwidth); Sanders, Speck, Traeff 2009, "Two-tree algorithms for full bandwidth
 * broadcast, reduction and scan"; Open MPI 4.1: ompi/mca/coll/libnbc/nbc_iallreduce.c (the algorithm for MPI_IN_PLACE)
 */
SQ_MUST_USE sq_status sq_step_predict(const sq_network *network, const sq_step_part *parts, size_t count,
                                      sq_step_time *out);

#endif
