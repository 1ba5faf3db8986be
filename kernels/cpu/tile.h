#ifndef SQ_TILE_H
#define SQ_TILE_H

#include "kernels/cpu/kernels.h"

/* Functions that work on one tile, which consists of consecutive pixels of a view with all channels. */

#define sq_tile_load     SQ_CPU_NAME(tile_load)
#define sq_tile_gradient SQ_CPU_NAME(tile_gradient)
#define sq_tile_moments  SQ_CPU_NAME(tile_moments)
#define sq_tile_sums     SQ_CPU_NAME(tile_sums)

/* Pixels first .. first + rows - 1, counted over all images of a view. */
typedef struct {
    size_t first;
    int rows;
} sq_tile;

/* Rows of floats, one row per pixel, `pitch` floats apart. */
typedef struct {
    float *data;
    int pitch;
} sq_rows;

typedef struct {
    const float *data; /* NULL: absent */
    int pitch;
} sq_const_rows;

/* Loads the view's values at the tile's pixels into out. */
void sq_tile_load(const sq_cpu_view *view, sq_tile tile, sq_rows out);

/* Writes dZ at the tile's pixels to out.
 *
 * z           the raw output, a view with norm and activation
 * constants   from sq_gradient_constants
 * g           gradient of the values that z shows, from the tile's first pixel */
void sq_tile_gradient(const sq_cpu_view *z, const float *constants, sq_tile tile, sq_const_rows g, sq_rows out);

/* For each channel over `rows` rows: partial[0..c) = mean, partial[c..2c) = M2, the sum of squared differences from the
 * mean. */
void sq_tile_moments(sq_const_rows z, int rows, int c, float *partial);

/* partial[0..c) = S1, partial[c..2c) = S2 of the view over the tile; g is the gradient of the view's values. */
void sq_tile_sums(const sq_cpu_view *view, sq_tile tile, sq_const_rows g, float *partial);

#endif
