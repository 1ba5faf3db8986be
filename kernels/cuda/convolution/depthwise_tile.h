#ifndef SQ_CUDA_DEPTHWISE_TILE_H
#define SQ_CUDA_DEPTHWISE_TILE_H

#include "kernels/cuda/convolution/convolution.h"

/* The tiling of a depthwise convolution. The kernels use it, and so does lowering, which needs the number of jobs. */

enum {
    SLAB = SQ_CUDA_SLAB,
    WORDS = SLAB / 2,
    SLAB_VECTORS = SLAB / SQ_CUDA_VECTOR,
    THREADS = 256,
    HALF_WARPS = THREADS / WORDS
};
enum { MAX_TILE_BYTES = 38 << 10 }; /* of a block; with the taps, less than the 48 KiB that a launch has by default */

typedef struct {
    int tile_w, tiles_w; /* pixels of a tile along w, and tiles: of the output forward, of the input backward */
    int strips;          /* of a row of a tile */
    int rows;            /* computed in one step */
    int ring, columns;   /* rows of the ring, and pixels of its rows: of x forward, of dZ backward */
    unsigned by_columns, by_tile; /* reciprocals of columns and of tile_w, for quotient() */
    int shared_bytes;
    int jobs; /* (image, tile) pairs */
} Tiling;

/* The factor for quotient() in depthwise.cuh. */
static inline unsigned reciprocal(int d)
{
    return d == 1 ? 0xffffffffu : (unsigned)(0x100000000ull / (unsigned)d) + 1;
}

static inline int strip_of(int width, int stride, bool is_backward)
{
    return width % 7 == 0 && !(is_backward && stride == 2) ? 7 : 8; /* with stride 2, backward needs an even strip */
}

static inline Tiling tiling_of(const sq_cuda_geometry *at, bool is_backward)
{
    Tiling tiling;
    const int width = is_backward ? at->w_in : at->w_out, strip = strip_of(width, at->stride, is_backward),
              pad = at->kernel / 2;
    const int widest = strip * (at->stride == 1 ? 4 : is_backward ? 7 : 2);
    tiling.strips = ((width < widest ? width : widest) - 1) / strip + 1;
    tiling.tile_w = tiling.strips * strip;
    tiling.tiles_w = (width - 1) / tiling.tile_w + 1;
    tiling.rows = HALF_WARPS / tiling.strips;
    if (is_backward && at->stride == 2 && tiling.rows > 1)
        tiling.rows = tiling.rows / 2 * 2;
    const int height = is_backward ? at->h_in : at->h_out;
    if (tiling.rows > height)
        tiling.rows = is_backward && at->stride == 2 ? (height + 1) / 2 * 2 : height;
    tiling.columns = is_backward ? (tiling.tile_w - 1 + pad) / at->stride + pad / at->stride + 1
                                 : (tiling.tile_w - 1) * at->stride + at->kernel;
    const int least = is_backward && at->stride == 2 ? 2 : 1; /* with stride 2, backward needs an even number of rows */
    for (;; tiling.rows = tiling.rows / 2 > least ? tiling.rows / 2 / least * least : least) {
        tiling.ring =
            is_backward ? (tiling.rows + at->kernel - 2) / at->stride + 1 : (tiling.rows - 1) * at->stride + at->kernel;
        tiling.shared_bytes =
            (tiling.ring * tiling.columns + (is_backward ? 2 * tiling.rows * tiling.tile_w : 0)) * SLAB * 2;
        if (tiling.shared_bytes <= MAX_TILE_BYTES || tiling.rows == least)
            break;
    }
    tiling.by_columns = reciprocal(tiling.columns);
    tiling.by_tile = reciprocal(tiling.tile_w);
    tiling.jobs = at->n * tiling.tiles_w;
    return tiling;
}

#endif
