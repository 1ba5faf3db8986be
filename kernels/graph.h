#ifndef SQ_GRAPH_H
#define SQ_GRAPH_H

#include "kernels/base/status.h"
#include "kernels/operation.h"

/* A graph is a short list of operations over slots, which a backend compiles into a program. Every layer's block, in
 * each mode, is one graph. A backend compiles a graph once for fixed addresses and runs the program many times.
 *
 * Between convolutions, tensors are raw: neither normalised nor activated. A convolution writes its raw output Z. An
 * operation that reads Z applies the pending normalisation through an sq_view, which shows
 *     v(n,h,w,i) = gate(n,i) * activation(scale_i * Z(n,h,w,i) + shift_i)
 * The activated tensor is never stored inside a block. A join ends a block and stores a plain tensor. */

/* Batch normalisation of a convolution's output. source: Ioffe and Szegedy 2015 */
typedef struct {
    int c;
    int gamma, beta;                    /* WEIGHT slots (c); SQ_NONE: gamma 1, beta 0 */
    int gamma_grad, beta_grad;          /* WEIGHT_GRAD slots, or SQ_NONE */
    int running_mean, running_variance; /* STATISTICS slots (c); unbiased variance, as in PyTorch */
    int live;                           /* SAVED or SCRATCH slot (SQ_LIVE_ROWS, c); see below */
    float epsilon;
} sq_norm;

/* Rows of a norm's live slot. Row r begins at element r * pitch. */
enum {
    SQ_LIVE_SCALE,    /* gamma * inverse */
    SQ_LIVE_SHIFT,    /* beta - mean * scale */
    SQ_LIVE_MEAN,     /* mean of this batch, or the running mean */
    SQ_LIVE_INVERSE,  /* 1 / sqrt(variance + epsilon), with the biased variance of the batch */
    SQ_LIVE_S1,       /* sum of dY over (n,h,w), dY = G * activation'(scale * Z + shift); written with G */
    SQ_LIVE_S2,       /* sum of dY * xhat, xhat = (Z - mean) * inverse */
    SQ_LIVE_BY_Z,     /* cuda only, written with S1 and S2: dZ = scale * dY + by_z * Z + constant */
    SQ_LIVE_CONSTANT, /* cuda only */
    SQ_LIVE_ROWS
};

typedef struct {
    char name[128]; /* for traces and errors: "layer 7 shuffle_5x5 backward" */
    sq_slot *slots;
    sq_norm *norms;
    sq_op *ops; /* in execution order */
    int slot_count, norm_count, op_count;
    int slot_limit, norm_limit, op_limit;
} sq_graph;

/* sq_graph_slot, sq_graph_norm and sq_graph_op append to a graph. The first two return the new index. After a failed
 * allocation, sq_graph_check returns SQ_NO_MEMORY. */
int sq_graph_slot(sq_graph *graph, sq_slot slot);
int sq_graph_norm(sq_graph *graph, sq_norm norm);
void sq_graph_op(sq_graph *graph, sq_op op);
void sq_graph_clear(sq_graph *graph); /* frees all arrays and sets the graph to zero */

/* Checks slots, norms and the operands of every operation. A backend needs no further checks of shapes for a graph that
 * passes. The text of SQ_INVALID names the graph, the operation and the operand. */
SQ_MUST_USE sq_status sq_graph_check(const sq_graph *graph);

/* Checks only operation `index`. */
SQ_MUST_USE sq_status sq_op_check(const sq_graph *graph, int index);

#endif
