/* The choice of kernel and tile for a shape. Lowering and the launchers use the same functions. They are in C, so that
 * builds without nvcc can lower graphs. */
#include "kernels/cuda/convolution/convolution.h"
#include "kernels/cuda/convolution/depthwise_tile.h"

/* The product is memory-bound: takes the smallest of the tiles that read the input the fewest times. */
static int tile_of(int width)
{
    if (width <= 128)
        return width <= 32 ? 32 : width <= 64 ? 64 : 128;
    return (width - 1) / 160 < (width - 1) / 128 ? 160 : 128;
}

sq_cuda_pointwise_shape sq_cuda_pointwise_shape_of(int width, bool is_backward)
{
    const int tile = tile_of(width);
    return (sq_cuda_pointwise_shape){.tile = tile,
                                     .rows = tile > 64 || is_backward ? SQ_CUDA_ROW_BLOCK / 2 : SQ_CUDA_ROW_BLOCK,
                                     .blocks = SQ_CUDA_POINTWISE_BLOCKS};
}

int sq_cuda_fused_backward_width(int c_in, int c_out)
{
    const int widest = sq_cuda_padded(c_in > c_out ? c_in : c_out);
    return widest <= 32    ? 32
           : widest <= 64  ? 64
           : widest <= 96  ? 96
           : widest <= 160 ? 160
                           : 0; /* wider sums would spill */
}

bool sq_cuda_fused_backward_fits(int c_in, int c_out, int *rows, int *blocks)
{
    const int width = sq_cuda_fused_backward_width(c_in, c_out);
    if (width == 0)
        return false;
    *rows = SQ_CUDA_FUSED_BACKWARD_ROWS(width);
    *blocks = SQ_CUDA_FUSED_BACKWARD_BLOCKS(width);
    return true;
}

static sq_cuda_weight_gradient_shape gradient_shape(int tile, int c_out, int depth)
{
    return (sq_cuda_weight_gradient_shape){.tile = tile,
                                           .rows = SQ_CUDA_WEIGHT_GRADIENT_ROWS(tile),
                                           .tiles = ((c_out - 1) / tile + 1) * ((depth - 1) / tile + 1),
                                           .blocks = SQ_CUDA_WEIGHT_GRADIENT_BLOCKS(tile)};
}

/* The smallest of the tiles that read the operands the fewest times. */
sq_cuda_weight_gradient_shape sq_cuda_weight_gradient_shape_of(int c_out, int depth)
{
    if (depth <= 64 && c_out <= 64)
        return gradient_shape(64, c_out, depth);
    const sq_cuda_weight_gradient_shape by_128 = gradient_shape(128, c_out, depth),
                                        by_160 = gradient_shape(160, c_out, depth);
    return by_160.tiles < by_128.tiles ? by_160 : by_128;
}

int sq_cuda_depthwise_jobs(const sq_cuda_geometry *at, bool is_backward)
{
    return tiling_of(at, is_backward).jobs;
}
