#ifndef SQ_CUDA_DEPTHWISE_TILE_H
#define SQ_CUDA_DEPTHWISE_TILE_H

#include "kernels/cuda/convolution/convolution.h"

/* How a depthwise convolution is tiled: shared by the kernels and by the planner, which needs the number of jobs. */

enum { SLAB = SQ_CUDA_SLAB, WORDS = SLAB / 2, SLAB_VECTORS = SLAB / SQ_CUDA_VECTOR, THREADS = 256, HALF_WARPS = THREADS / WORDS };
enum { MOST_SHARED = 38 << 10 }; /* of a block's tiles: with the taps below what a launch may have without asking */

typedef struct {
    int tile_w, tiles_w; /* pixels of a tile along w: of the output forward, of the input backward */
    int strips;          /* of a tile row */
    int rows;            /* made in one step */
    int ring, columns;   /* rows and pixels a row of the ring: of x forward, of dZ backward */
    unsigned by_columns, by_tile; /* for quotient() */
    int shared_bytes;
    int jobs; /* (image, tile) pairs */
} Tiling;

/* The factor of quotient() in depthwise.cuh. */
static inline unsigned reciprocal(int d)
{
    return d == 1 ? 0xffffffffu : (unsigned)(0x100000000ull / (unsigned)d) + 1;
}

static inline int strip_of(int width, int stride, bool is_back)
{
    return width % 7 == 0 && !(is_back && stride == 2) ? 7 : 8; /* backward at stride 2 needs an even strip */
}

static inline Tiling tiling_of(const sq_cuda_geometry *at, bool is_back)
{
    Tiling tiling;
    const int width = is_back ? at->w_in : at->w_out, strip = strip_of(width, at->stride, is_back), pad = at->kernel / 2;
    const int widest = strip * (at->stride == 1 ? 4 : is_back ? 7 : 2);
    tiling.strips = ((width < widest ? width : widest) - 1) / strip + 1;
    tiling.tile_w = tiling.strips * strip;
    tiling.tiles_w = (width - 1) / tiling.tile_w + 1;
    tiling.rows = HALF_WARPS / tiling.strips;
    if (is_back && at->stride == 2 && tiling.rows > 1)
        tiling.rows = tiling.rows / 2 * 2;
    const int height = is_back ? at->h_in : at->h_out;
    if (tiling.rows > height)
        tiling.rows = is_back && at->stride == 2 ? (height + 1) / 2 * 2 : height;
    tiling.columns = is_back ? (tiling.tile_w - 1 + pad) / at->stride + pad / at->stride + 1
                          : (tiling.tile_w - 1) * at->stride + at->kernel;
    const int least = is_back && at->stride == 2 ? 2 : 1; /* backward at stride 2 needs an even number of rows */
    for (;; tiling.rows = tiling.rows / 2 > least ? tiling.rows / 2 / least * least : least) {
        tiling.ring = is_back ? (tiling.rows + at->kernel - 2) / at->stride + 1 : (tiling.rows - 1) * at->stride + at->kernel;
        tiling.shared_bytes = (tiling.ring * tiling.columns + (is_back ? 2 * tiling.rows * tiling.tile_w : 0)) * SLAB * 2;
        if (tiling.shared_bytes <= MOST_SHARED || tiling.rows == least)
            break;
    }
    tiling.by_columns = reciprocal(tiling.columns);
    tiling.by_tile = reciprocal(tiling.tile_w);
    tiling.jobs = at->n * tiling.tiles_w;
    return tiling;
}

#endif
