/* Pointwise convolution is one matrix product per tile of pixels. The pending normalisation of the input is applied on
 * load, and the moments of the result are computed while the tile is in the cache. The backward operation is one pass:
 * dZ and the activated input of a tile are computed once and used for both the input gradient and the weight
 * gradient. */
#include <cblas.h>

#include "kernels/cpu/band.h"
#include "kernels/cpu/statistics.h"

enum { TILE_FLOATS = 96 * 1024, SMALLEST_TILE = 128, LARGEST_TILE = 1024, WEIGHT_GROUP_FLOATS = 1 << 18 };

static size_t pixels_of(const sq_cpu_view *view)
{
    return (size_t)view->n * (size_t)view->h * (size_t)view->w;
}

/* Returns the pixels per tile. A tile is small enough that both operands fit in the L2 cache, and large enough to
 * amortise the packing of the weights. */
static int tile_of(int c_in, int c_out, size_t pixels)
{
    int tile = TILE_FLOATS / (c_in + c_out) / 16 * 16;
    tile = tile < SMALLEST_TILE ? SMALLEST_TILE : tile > LARGEST_TILE ? LARGEST_TILE : tile;
    return (size_t)tile > pixels ? (int)pixels : tile;
}

static sq_tile tile_at(const sq_cpu_call *call, int t)
{
    const size_t first = (size_t)t * (size_t)call->tile, left = pixels_of(&call->x) - first;
    return (sq_tile){first, left < (size_t)call->tile ? (int)left : call->tile};
}

static void choose_tiles(sq_cpu_call *call, int c_out)
{
    const size_t pixels = pixels_of(&call->x);
    call->tile = tile_of(call->x.c, c_out, pixels);
    call->tiles = (int)((pixels + (size_t)call->tile - 1) / (size_t)call->tile);
}

/* Returns the view's values at the tile's pixels. Values that need no conversion are returned in place; others are
 * loaded into `buffer`. */
static sq_const_rows load_operand(const sq_cpu_view *view, sq_tile tile, float *buffer)
{
    if (!view->scale && view->step == 1)
        return (sq_const_rows){view->data + tile.first * (size_t)view->pitch + view->first, view->pitch};
    sq_tile_load(view, tile, (sq_rows){buffer, view->c});
    return (sq_const_rows){buffer, view->c};
}

void SQ_CPU_NAME(pointwise_prepare)(sq_cpu_call *call, size_t *shared, size_t *scratch)
{
    choose_tiles(call, call->out.c);
    *shared = 2 * (size_t)call->out.c * (size_t)call->tiles;
    *scratch = (size_t)call->tile * (size_t)call->x.c;
}

void SQ_CPU_NAME(pointwise_run)(const sq_cpu_call *call)
{
    const int c_in = call->x.c, c_out = call->out.c;
    const bool has_moments = call->op->statistics != SQ_STATISTICS_FIXED;
    float *partial = call->workspace->shared;
#pragma omp parallel for num_threads(call->threads) schedule(dynamic, 1)
    for (int t = 0; t < call->tiles; t++) {
        const sq_tile tile = tile_at(call, t);
        float *out = call->out.data + tile.first * (size_t)call->out.pitch;
        const sq_const_rows in = load_operand(&call->x, tile, scratch_of(call));
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, tile.rows, c_out, c_in, 1, in.data, in.pitch, call->weight,
                    c_in, 0, out, call->out.pitch);
        if (has_moments)
            sq_tile_moments((sq_const_rows){out, call->out.pitch}, tile.rows, c_out,
                            partial + 2 * (size_t)c_out * (size_t)t);
    }
    const int last_rows = tile_at(call, call->tiles - 1).rows;
    if (has_moments)
        sq_merge_moments(call, &(sq_tile_moments_list){partial, call->tiles, call->tile, last_rows});
    else
        sq_fix_norm(call);
}

/* ---- Backward ---- */

/* Scratch memory of a thread; each array holds one tile. */
typedef struct {
    float *dz, *in;
    float *dx; /* used if dX cannot be computed in place */
} buffers;

static buffers split_scratch(const sq_cpu_call *call, float *scratch)
{
    buffers b;
    b.dz = scratch;
    b.in = b.dz + (size_t)call->tile * (size_t)call->z.c;
    b.dx = b.in + (size_t)call->tile * (size_t)call->x.c;
    return b;
}

void SQ_CPU_NAME(pointwise_back_prepare)(sq_cpu_call *call, size_t *shared, size_t *scratch)
{
    const size_t weights = (size_t)call->x.c * (size_t)call->z.c;
    choose_tiles(call, call->z.c);
    size_t groups = WEIGHT_GROUP_FLOATS / weights;
    groups = groups < 8 ? 8 : groups > 64 ? 64 : groups;
    call->groups = call->tiles < (int)groups ? call->tiles : (int)groups;
    *shared = (size_t)call->groups * weights + 2 * (size_t)call->x.c * (size_t)call->tiles +
              3 * (size_t)sq_cpu_padded(call->z.c);
    *scratch = (size_t)call->tile * (size_t)(call->z.c + 2 * call->x.c);
}

/* dX = dZ W [+ addend] for one tile. Returns the rows of dX. */
static sq_const_rows input_gradient(const sq_cpu_call *call, const buffers *b, sq_tile tile)
{
    const sq_cpu_view *dx = &call->dx_view;
    const int c_in = call->x.c, c_out = call->z.c;
    const bool in_place = dx->step == 1;
    const sq_rows out =
        in_place ? (sq_rows){dx->data + tile.first * (size_t)dx->pitch + dx->first, dx->pitch} : (sq_rows){b->dx, c_in};
    const sq_cpu_tensor *addend = &call->addend;
    if (addend->data && addend->data != dx->data)
        for (int r = 0; r < tile.rows; r++)
            memcpy(out.data + (size_t)r * (size_t)out.pitch,
                   addend->data + (tile.first + (size_t)r) * (size_t)addend->pitch, (size_t)c_in * sizeof *out.data);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, tile.rows, c_in, c_out, 1, b->dz, c_out, call->weight, c_in,
                addend->data ? 1 : 0, out.data, out.pitch);
    for (int r = 0; r < tile.rows && !in_place; r++) {
        float *to = dx->data + (tile.first + (size_t)r) * (size_t)dx->pitch + dx->first;
        for (int i = 0; i < c_in; i++)
            to[i * dx->step] = out.data[(size_t)r * (size_t)c_in + (size_t)i];
    }
    return (sq_const_rows){out.data, out.pitch};
}

/* Computes the gradients of one tile. is_first: the tile is the first of its group, so weight_partial is
 * overwritten. */
static void back_tile(const sq_cpu_call *call, const sq_gradient_workspace *w, int t, float *weight_partial,
                      bool is_first)
{
    const buffers b = split_scratch(call, scratch_of(call));
    const sq_tile tile = tile_at(call, t);
    const int c_in = call->x.c, c_out = call->z.c;
    const sq_const_rows g = {call->grad.data + tile.first * (size_t)call->grad.pitch, call->grad.pitch};
    sq_tile_gradient(&call->z, w->constants, tile, g, (sq_rows){b.dz, c_out});
    const sq_const_rows in = load_operand(&call->x, tile, b.in);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, c_out, c_in, tile.rows, 1, b.dz, c_out, in.data, in.pitch,
                is_first ? 0 : 1, weight_partial, c_in);
    if (!call->dx.data)
        return;
    const sq_const_rows dx = input_gradient(call, &b, tile);
    if (sq_wants_sums(&call->x))
        sq_tile_sums(&call->x, tile, dx, w->sums + 2 * (size_t)c_in * (size_t)t);
}

void SQ_CPU_NAME(pointwise_back_run)(const sq_cpu_call *call)
{
    const size_t weights = (size_t)call->x.c * (size_t)call->z.c;
    const sq_gradient_workspace w = sq_split_workspace(call, (size_t)call->groups * weights, call->tiles);
    sq_gradient_constants(call, w.constants);
#pragma omp parallel for num_threads(call->threads) schedule(dynamic, 1)
    for (int g = 0; g < call->groups; g++) {
        const int begin = (int)((long)call->tiles * g / call->groups),
                  end = (int)((long)call->tiles * (g + 1) / call->groups);
        for (int t = begin; t < end; t++)
            back_tile(call, &w, t, w.partial + (size_t)g * weights, t == begin);
    }
    sq_merge_weights(call, call->weight_grad, w.partial, call->groups, weights);
    if (call->dx.data)
        sq_merge_sums(&call->x, w.sums, call->tiles);
    sq_store_norm_grads(call);
}
