#ifndef SQ_STEP_MODEL_H
#define SQ_STEP_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/base/status.h"

/* Predicts how long a training step takes on several ranks: a simulation of the programs, reductions and waits of one
 * rank. All ranks are assumed to do the same at the same time. */

typedef enum {
    SQ_REDUCE_RING,     /* 2 (p - 1) rounds of 1/p of the values; all links are busy at once */
    SQ_REDUCE_TREE,     /* a double binary tree: 2 log2 p latencies, twice the values through each link */
    SQ_REDUCE_FASTEST,  /* the faster one of ring and tree for each message: NCCL */
    SQ_REDUCE_BINOMIAL, /* log2 p rounds of all values to rank 0, and as many back: Open MPI with MPI_IN_PLACE */
    SQ_REDUCE_DOUBLING, /* recursive doubling: log2 p rounds of all values, each with a different partner */
    SQ_REDUCE_KINDS
} sq_reduce_kind;

typedef struct {
    double latency;   /* seconds for an empty message */
    double bandwidth; /* bytes per second in each direction */
} sq_link;

typedef struct {
    int ranks, per_node;     /* consecutive ranks are on one node */
    sq_link within, between; /* between two ranks of a node; between a node and the others, all its links together */
    sq_reduce_kind kind;
    /* true: MPI on the host progresses only when it is called: after each program that sends, and while the step waits;
     * messages overlap each other. false (NCCL on its stream): messages run one after the other, concurrently with the
     * programs. */
    bool is_polled;
    size_t eager_bytes; /* a larger message between two ranks needs a handshake, two more latencies; 0: no handshakes */
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
    double network;   /* from the first message to the end of each join */
    double exposed;   /* part of `network` during which the step waits */
    double agreement; /* exchanges of a few numbers */
    size_t bytes;     /* that each rank reduces */
    int messages;
} sq_step_time;

enum { SQ_MAX_MESSAGES = 4096 };

/* One reduction alone, in seconds; 0 for one rank. */
double sq_reduce_seconds(const sq_network *network, size_t bytes);

/* Simulates the parts in order. The network's counts and bandwidths are positive, the latencies not negative. returns
 * SQ_INVALID: more than SQ_MAX_MESSAGES before a join, or messages without a join after them.
 *
 * source: Thakur, Rabenseifner, Gropp 2005, "Optimization of Collective Communication Operations in MPICH", sections
 * 3 and 4 (rounds of latency + bytes / bandwidth); Sanders, Speck, Traeff 2009, "Two-tree algorithms for full bandwidth
 * broadcast, reduction and scan"; Open MPI 4.1: ompi/mca/coll/libnbc/nbc_iallreduce.c (the algorithm for MPI_IN_PLACE)
 */
SQ_MUST_USE sq_status sq_step_predict(const sq_network *network, const sq_step_part *parts, size_t count,
                                      sq_step_time *out);

#endif
