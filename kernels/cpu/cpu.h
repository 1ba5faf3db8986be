#ifndef SQ_CPU_H
#define SQ_CPU_H

#include "kernels/host_memory.h"

/* Internal to the cpu backend. A program is an array of prepared calls: operands resolved to pointers, tiles chosen.
 * The files that compute are compiled once per instruction set (SQ_CPU_ISA: baseline, avx2, avx512) and reached by a
 * table.
 *
 * The rule to know: work is cut into tiles, and tiles into groups, by shape alone; partial results are kept per tile or
 * group and merged in that order. So bits do not depend on the number of threads. */

typedef struct {    /* an sq_view with addresses */
    float *data;    /* NULL: absent */
    int n, h, w, c; /* of the view */
    int pitch, first, step;
    sq_activation activation;
    const float *scale, *shift, *mean, *inverse; /* of the pending norm; NULL: plain */
    float *s1, *s2;
    const float *gate; /* (n, gate_pitch), or NULL */
    int gate_pitch;
} sq_cpu_view;

typedef struct { /* a slot that is written or read plainly */
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
    float *shared;  /* partial results */
    float *scratch; /* thread t has scratch + t * scratch_count */
    size_t shared_count, scratch_count;
    int threads;
    const sq_rank_group *exchange; /* NULL: one rank's norms */
    double *exchanged;             /* [(1 + ranks) * exchanged_count] mine, then all */
    size_t exchanged_count;
    sq_status *exchange_status; /* the first failure since it was looked at */
} sq_cpu_workspace;

typedef struct {
    const sq_op *op;
    sq_cpu_view x, y, z;
    sq_cpu_tensor out, grad, dx, dy, addend, augment, pooled, hidden, momentum, average;
    sq_cpu_view dx_view, dy_view; /* dx, dy with their part: where channel i goes */
    sq_cpu_norm norm;             /* of the convolution's output */
    const float *weight, *bias, *weight2, *bias2;
    float *weight_grad, *bias_grad, *weight2_grad, *bias2_grad;
    void *raw_x, *raw_out; /* images, result */
    const int32_t *labels;
    const sq_step *step;
    const sq_cpu_workspace *workspace;
    int tile; /* pixels or rows of a tile */
    int tiles, groups;
    int threads; /* 1 where the work is smaller than the cost of sharing it */
} sq_cpu_call;

enum { SQ_CPU_LANES = 16 }; /* scratch tensors pad channels to this, on every instruction set */

static inline int sq_cpu_padded(int c)
{
    return (c + SQ_CPU_LANES - 1) / SQ_CPU_LANES * SQ_CPU_LANES;
}

/* One kind: how it cuts its work and what workspace that takes (floats shared, floats for each thread), and the work.
 */
typedef struct {
    void (*prepare)(sq_cpu_call *call, size_t *shared, size_t *scratch);
    void (*run)(const sq_cpu_call *call);
} sq_cpu_kind;

typedef struct {
    sq_cpu_kind image, pointwise, pointwise_back, depthwise, depthwise_back, dense, dense_back, gate, gate_back, join,
        join_back, pool, pool_back, linear, linear_back, loss, update;
} sq_cpu_table;

extern const sq_cpu_table sq_cpu_table_baseline, sq_cpu_table_avx2, sq_cpu_table_avx512;

/* The table for this processor, and its name. */
const sq_cpu_table *sq_cpu_choose_table(const char **name);

#ifdef SQ_CPU_ISA /* in the files that are compiled per instruction set */

#define SQ_CPU_PASTE2(name, isa) sq_cpu_##name##_##isa
#define SQ_CPU_PASTE(name, isa)  SQ_CPU_PASTE2(name, isa)
#define SQ_CPU_NAME(name)        SQ_CPU_PASTE(name, SQ_CPU_ISA)

#define SQ_CPU_KIND(kind)                                                                                              \
    void SQ_CPU_NAME(kind##_prepare)(sq_cpu_call * call, size_t * shared, size_t * scratch);                           \
    void SQ_CPU_NAME(kind##_run)(const sq_cpu_call *call);
SQ_CPU_KIND(image)
SQ_CPU_KIND(pointwise)
SQ_CPU_KIND(pointwise_back)
SQ_CPU_KIND(depthwise)
SQ_CPU_KIND(depthwise_back)
SQ_CPU_KIND(dense)
SQ_CPU_KIND(dense_back)
SQ_CPU_KIND(gate)
SQ_CPU_KIND(gate_back)
SQ_CPU_KIND(join)
SQ_CPU_KIND(join_back)
SQ_CPU_KIND(pool)
SQ_CPU_KIND(pool_back)
SQ_CPU_KIND(linear)
SQ_CPU_KIND(linear_back)
SQ_CPU_KIND(loss)
SQ_CPU_KIND(update)

/* ---- Shared pieces (tile.c, statistics.c) ---- */

#define sq_tile_load          SQ_CPU_NAME(tile_load)
#define sq_tile_gradient      SQ_CPU_NAME(tile_gradient)
#define sq_tile_moments       SQ_CPU_NAME(tile_moments)
#define sq_tile_sums          SQ_CPU_NAME(tile_sums)
#define sq_gradient_constants SQ_CPU_NAME(gradient_constants)
#define sq_merge_moments      SQ_CPU_NAME(merge_moments)
#define sq_fix_norm           SQ_CPU_NAME(fix_norm)
#define sq_merge_sums         SQ_CPU_NAME(merge_sums)
#define sq_merge_weights      SQ_CPU_NAME(merge_weights)
#define sq_store_norm_grads   SQ_CPU_NAME(store_norm_grads)

/* out[r * out_pitch + i] = value of the view at pixel first + r, for `rows` pixels. */
void sq_tile_load(const sq_cpu_view *view, size_t first, int rows, float *out, int out_pitch);

/* dZ = A * dY + B * Z + C by channel; the three constants in one array of 3 * padded(c). */
void sq_gradient_constants(const sq_cpu_call *call, float *constants);
/* out = dZ for `rows` pixels from z (its view has the norm and activation) and g. */
void sq_tile_gradient(const sq_cpu_view *z, const float *constants, size_t first, int rows, const float *g, int g_pitch,
                      float *out, int out_pitch);

/* Mean and M2 of each channel over `rows` pixels. */
void sq_tile_moments(const float *z, int pitch, int rows, int c, float *mean, float *m2);
/* partial[0..c) = S1, partial[c..2c) = S2 of the view over pixels first .. first + rows, g their gradient. */
void sq_tile_sums(const sq_cpu_view *view, size_t first, int rows, const float *g, int g_pitch, float *partial);

/* Merges the tiles' moments (tile t: mean at partial + 2ct, M2 behind; `rows` pixels, the last one `last_rows`) and
 * sets the norm's live rows and running statistics. */
void sq_merge_moments(const sq_cpu_call *call, const float *partial, int tiles, int rows, int last_rows);
/* The live rows from the running statistics (mode FIXED). */
void sq_fix_norm(const sq_cpu_call *call);
/* S1, S2 of a view from `tiles` partials of 2c. Nothing for plain or gated views. */
void sq_merge_sums(const sq_cpu_view *view, const float *partial, int tiles);
/* gradient (+)= sum of `groups` partials of `count`, each `stride` apart. */
void sq_merge_weights(const sq_cpu_call *call, float *gradient, const float *partial, int groups, size_t stride,
                      size_t count);
void sq_store_norm_grads(const sq_cpu_call *call);

static inline bool sq_wants_sums(const sq_cpu_view *view)
{
    return view->scale && !view->gate;
}

#endif
#endif
