#ifndef SQ_CPU_BAND_H
#define SQ_CPU_BAND_H

#include <omp.h>

#include "kernels/cpu/tile.h"
#include "kernels/cpu/vector.h"

/* A band: some rows of one image in scratch memory, channels padded to whole vectors, with a border of zeros where the
 * image ends. What the depthwise kernels work on. */

typedef struct {
    float *data;
    int columns, c;
} band;

static inline float *band_at(const band *b, int row, int column)
{
    return b->data + ((size_t)row * (size_t)b->columns + (size_t)column) * (size_t)b->c;
}

static inline float *scratch_of(const sq_cpu_call *call)
{
    return call->workspace->scratch + (size_t)omp_get_thread_num() * call->workspace->scratch_count;
}

#define sq_band_fill_input    SQ_CPU_NAME(band_fill_input)
#define sq_band_fill_gradient SQ_CPU_NAME(band_fill_gradient)
#define sq_band_turn_weights  SQ_CPU_NAME(band_turn_weights)
#define sq_band_convolve      SQ_CPU_NAME(band_convolve)
#define sq_band_rows          SQ_CPU_NAME(band_rows)

/* Activated input rows first .. first + rows of image n; `border` zero columns on the left, the rest on the right. */
void sq_band_fill_input(const sq_cpu_view *x, int n, int first, int rows, int border, const band *out);
/* The same of dZ, from call->z and call->grad. */
void sq_band_fill_gradient(const sq_cpu_call *call, const float *constants, int n, int first, int rows, int border,
                           const band *out);

/* (c, k, k) -> (k * k, padded c); is_turned: by 180 degrees, for the input gradient. */
void sq_band_turn_weights(const float *weight, int c, int k, bool is_turned, float *out);

/* One row of `columns` outputs from the band's rows row .. row + k - 1. */
void sq_band_convolve(const band *in, int row, const float *weight, int k, int stride, int columns, float *out,
                      int out_pitch, int c);

/* Rows of an output of h rows per band, so that `floats_per_row` stay in the second cache; bands are equal. */
int sq_band_rows(int h, int floats_per_row);

#endif
