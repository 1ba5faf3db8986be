#ifndef SQ_CPU_H
#define SQ_CPU_H

#include "kernels/host_backend.h"

/* Only the cpu backend includes this header. A program is an array of prepared calls, whose operands are pointers and
 * whose tile sizes are fixed.
 *
 * Work is divided into tiles, and tiles are divided into groups, by shape alone. Partial results are stored per tile or
 * group and merged in a fixed order, so the bits do not depend on the number of threads. */

typedef struct {    /* an sq_view with addresses */
    float *data;    /* NULL: absent */
    int n, h, w, c; /* of the view */
    int pitch, first, step;
    sq_activation activation;
    const float *scale, *shift, *mean, *inverse; /* rows of the pending norm; NULL: no pending norm */
    float *s1, *s2;
    const float *gate; /* (n, gate_pitch), or NULL */
    int gate_pitch;
} sq_cpu_view;

typedef struct { /* a slot that is accessed without a view */
    float *data;
    int c, pitch;
    bool is_split;
} sq_cpu_tensor;

typedef struct { /* a norm with addresses */
    int c, live_pitch;
    const float *gamma, *beta;
    float *gamma_grad, *beta_grad, *running_mean, *running_variance, *live;
    float epsilon;
} sq_cpu_norm;

typedef struct sq_cpu_workspace {
    float *shared;  /* partial results, used by all threads */
    float *scratch; /* thread t has scratch + t * scratch_count */
    size_t shared_count, scratch_count;
    int threads;
    const sq_rank_group *exchange; /* the ranks that share statistics; NULL: this rank alone */
    double *exchanged;             /* (1 + ranks) * exchanged_count: values of this rank, then values of all ranks */
    size_t exchanged_count;
    sq_status *exchange_status; /* the first failure of a gather in this run */
} sq_cpu_workspace;

typedef struct {
    const sq_op *op;
    sq_cpu_view x, y, z;
    sq_cpu_tensor out, grad, dx, dy, addend, augment, pooled, hidden, momentum, average;
    sq_cpu_view dx_view, dy_view; /* dx and dy as views of the parts that are written */
    sq_cpu_norm norm;             /* the norm of the output of a convolution */
    const float *weight, *bias, *weight2, *bias2;
    float *weight_grad, *bias_grad, *weight2_grad, *bias2_grad;
    void *raw_x, *raw_out; /* images, result */
    const int32_t *labels;
    const sq_step *step;
    const sq_cpu_workspace *workspace;
    int tile; /* pixels or rows of a tile */
    int tiles, groups;
    int threads; /* 1 if more threads would not save time */
} sq_cpu_call;

enum { SQ_CPU_LANES = 16 }; /* in scratch tensors, channels are padded to a multiple of 16 */

static inline int sq_cpu_padded(int c)
{
    return (c + SQ_CPU_LANES - 1) / SQ_CPU_LANES * SQ_CPU_LANES;
}

/* A kernel. prepare() chooses the tiles and reports the workspace that the kernel needs: floats shared by all threads,
 * and floats per thread. run() does the work. */
typedef struct {
    void (*prepare)(sq_cpu_call *call, size_t *shared, size_t *scratch);
    void (*run)(const sq_cpu_call *call);
} sq_cpu_kernel;

/* The kernels of one kind of operation. Only convolutions have variants. */
typedef struct {
    sq_cpu_kernel general, pointwise, depthwise;
} sq_cpu_kind;

/* The kernels of one instruction set. */
typedef struct {
    sq_cpu_kind kinds[SQ_OP_KINDS];
} sq_cpu_table;

extern const sq_cpu_table sq_cpu_table_baseline, sq_cpu_table_avx2, sq_cpu_table_avx512;

/* Returns the kernels for this processor and sets *name to the name of their instruction set. */
const sq_cpu_table *sq_cpu_choose_table(const char **name);

#endif
