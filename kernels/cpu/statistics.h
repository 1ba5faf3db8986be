#ifndef SQ_STATISTICS_H
#define SQ_STATISTICS_H

#include "kernels/cpu/kernels.h"

/* Functions that merge the partial results of tiles and groups. */

#define sq_gradient_constants SQ_CPU_NAME(gradient_constants)
#define sq_merge_moments      SQ_CPU_NAME(merge_moments)
#define sq_fix_norm           SQ_CPU_NAME(fix_norm)
#define sq_merge_sums         SQ_CPU_NAME(merge_sums)
#define sq_merge_weights      SQ_CPU_NAME(merge_weights)
#define sq_store_norm_grads   SQ_CPU_NAME(store_norm_grads)

/* The shared workspace of the backward pass of a dense or pointwise convolution. */
typedef struct {
    float *partial;   /* weight gradients of each group */
    float *sums;      /* S1 and S2 of each part of the input: a tile, or an image */
    float *constants; /* of sq_tile_gradient */
} sq_gradient_workspace;

static inline sq_gradient_workspace sq_split_workspace(const sq_cpu_call *call, size_t partial_count, int parts)
{
    float *sums = call->workspace->shared + partial_count;
    return (sq_gradient_workspace){call->workspace->shared, sums, sums + 2 * (size_t)call->x.c * (size_t)parts};
}

/* Writes the constants of dZ = A * dY + B * Z + C: A, B and C per channel, padded(c) floats each. */
void sq_gradient_constants(const sq_cpu_call *call, float *constants);

/* Moments of tiles, written by sq_tile_moments. The moments of tile t are at partial + 2 * c * t, where c is the number
 * of channels. */
typedef struct {
    const float *partial;
    int tiles;
    int rows, last_rows; /* pixels of each tile, and of the last tile */
} sq_tile_moments_list;

/* Merges the moments of all tiles and sets the norm's live rows and running statistics. */
void sq_merge_moments(const sq_cpu_call *call, const sq_tile_moments_list *list);
/* Sets the live rows from the running statistics (mode FIXED). */
void sq_fix_norm(const sq_cpu_call *call);
/* Computes S1 and S2 of a view from `tiles` partial sums of 2c values. Does nothing for views without norm or with a
 * gate. */
void sq_merge_sums(const sq_cpu_view *view, const float *partial, int tiles);
/* Sums `groups` consecutive partial gradients of `count` floats each. Sets `gradient` to the sum if step.accumulate is
 * 0; adds the sum to `gradient` if step.accumulate is 1. */
void sq_merge_weights(const sq_cpu_call *call, float *gradient, const float *partial, int groups, size_t count);
/* Writes the gradients of gamma and beta, which are S2 and S1. */
void sq_store_norm_grads(const sq_cpu_call *call);

/* Returns whether the operation that computes the view's gradient also computes S1 and S2. */
static inline bool sq_wants_sums(const sq_cpu_view *view)
{
    return view->scale && !view->gate;
}

#endif
