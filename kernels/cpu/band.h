#ifndef SQ_BAND_H
#define SQ_BAND_H

#include <omp.h>

#include "kernels/cpu/tile.h"
#include "kernels/cpu/vector.h"

/* A band holds some rows of one image in scratch memory. The channels of a band are padded to whole vectors, and
 * outside the image, a band has a border of zeros. The depthwise kernels work on bands. */

typedef struct {
    float *data;
    int columns, c; /* c: padded */
} sq_band;

/* Rows of an image that a band holds. */
typedef struct {
    int n;           /* image */
    int first, rows; /* rows first .. first + rows - 1; rows outside the image are zero */
    int border;      /* number of zero columns on the left; the remaining columns on the right are zero too */
} sq_band_rows;

/* A depthwise filter and the size of one row of its outputs. */
typedef struct {
    const float *weight; /* (k * k, padded c) */
    int k, stride;
    int columns, c; /* of the outputs */
} sq_band_filter;

static inline float *band_at(const sq_band *b, int row, int column)
{
    return b->data + ((size_t)row * (size_t)b->columns + (size_t)column) * (size_t)b->c;
}

/* Returns the scratch memory of the calling thread. */
static inline float *scratch_of(const sq_cpu_call *call)
{
    return call->workspace->scratch + (size_t)omp_get_thread_num() * call->workspace->scratch_count;
}

#define sq_band_fill_input     SQ_CPU_NAME(band_fill_input)
#define sq_band_fill_gradient  SQ_CPU_NAME(band_fill_gradient)
#define sq_band_repack_weights SQ_CPU_NAME(band_repack_weights)
#define sq_band_convolve       SQ_CPU_NAME(band_convolve)
#define sq_band_height         SQ_CPU_NAME(band_height)

/* Fills a band with the values of a view. */
void sq_band_fill_input(const sq_cpu_view *x, const sq_band_rows *rows, const sq_band *out);
/* Fills a band with dZ, which is computed from call->z and call->grad. constants: from sq_gradient_constants. */
void sq_band_fill_gradient(const sq_cpu_call *call, const float *constants, const sq_band_rows *rows,
                           const sq_band *out);

/* Repacks weights from (c, k, k) to (k * k, padded c). is_rotated: filters are rotated by 180 degrees, for the input
 * gradient. */
void sq_band_repack_weights(const float *weight, int c, int k, bool is_rotated, float *out);

/* Computes one row of outputs from rows row .. row + k - 1 of the band. */
void sq_band_convolve(const sq_band *in, int row, const sq_band_filter *filter, sq_rows out);

/* Returns the number of output rows per band for an output of h rows. A band of that height fits in the L2 cache if
 * each output row takes floats_per_row floats. All bands have equal heights, except the last one. */
int sq_band_height(int h, int floats_per_row);

#endif
