#ifndef SQ_TILE_H
#define SQ_TILE_H

#include "kernels/cpu/kernels.h"

/* Work on one tile: `rows` consecutive pixels from pixel `first`, all channels. */

#define sq_tile_load     SQ_CPU_NAME(tile_load)
#define sq_tile_gradient SQ_CPU_NAME(tile_gradient)
#define sq_tile_moments  SQ_CPU_NAME(tile_moments)
#define sq_tile_sums     SQ_CPU_NAME(tile_sums)

/* out[r * out_pitch + i] = value of the view at pixel first + r, for `rows` pixels. */
void sq_tile_load(const sq_cpu_view *view, size_t first, int rows, float *out, int out_pitch);

/* out = dZ for `rows` pixels from z (its view has the norm and activation) and g. constants: sq_gradient_constants. */
void sq_tile_gradient(const sq_cpu_view *z, const float *constants, size_t first, int rows, const float *g, int g_pitch,
                      float *out, int out_pitch);

/* Mean and M2 of each channel over `rows` pixels. */
void sq_tile_moments(const float *z, int pitch, int rows, int c, float *mean, float *m2);

/* partial[0..c) = S1, partial[c..2c) = S2 of the view over pixels first .. first + rows, g their gradient. */
void sq_tile_sums(const sq_cpu_view *view, size_t first, int rows, const float *g, int g_pitch, float *partial);

#endif
