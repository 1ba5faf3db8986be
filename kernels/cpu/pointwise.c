/* The pointwise unit: a matrix product per tile of pixels, with the producer's pending normalisation applied on load
 * and the moments of the result taken while the tile is warm. Backward is one pass: both operands are formed once per
 * tile and serve the input gradient and the weight gradient. */
#include <cblas.h>

#include "kernels/cpu/band.h"
#include "kernels/cpu/statistics.h"

enum { TILE_FLOATS = 96 * 1024, SMALLEST_TILE = 128, LARGEST_TILE = 1024, WEIGHT_GROUP_FLOATS = 1 << 18 };

static size_t pixels_of(const sq_cpu_view *view)
{
    return (size_t)view->n * (size_t)view->h * (size_t)view->w;
}

/* Pixels per tile: both operands stay in the second cache, and the packing of the weights is paid over enough rows. */
static int tile_of(int c_in, int c_out, size_t pixels)
{
    int tile = TILE_FLOATS / (c_in + c_out) / 16 * 16;
    tile = tile < SMALLEST_TILE ? SMALLEST_TILE : tile > LARGEST_TILE ? LARGEST_TILE : tile;
    return (size_t)tile > pixels ? (int)pixels : tile;
}

static int rows_of(const sq_cpu_call *call, size_t pixels, int t)
{
    const size_t first = (size_t)t * (size_t)call->tile;
    return pixels - first < (size_t)call->tile ? (int)(pixels - first) : call->tile;
}

static void choose_tiles(sq_cpu_call *call, int c_out)
{
    const size_t pixels = pixels_of(&call->x);
    call->tile = tile_of(call->x.c, c_out, pixels);
    call->tiles = (int)((pixels + (size_t)call->tile - 1) / (size_t)call->tile);
}

/* The view's values at pixels first .., where they lie or loaded into `tile`. */
static const float *operand(const sq_cpu_view *view, size_t first, int rows, float *tile, int *pitch)
{
    if (!view->scale && view->step == 1) {
        *pitch = view->pitch;
        return view->data + first * (size_t)view->pitch + view->first;
    }
    *pitch = view->c;
    sq_tile_load(view, first, rows, tile, view->c);
    return tile;
}

void SQ_CPU_NAME(pointwise_prepare)(sq_cpu_call *call, size_t *shared, size_t *scratch)
{
    choose_tiles(call, call->out.c);
    *shared = 2 * (size_t)call->out.c * (size_t)call->tiles;
    *scratch = (size_t)call->tile * (size_t)call->x.c;
}

void SQ_CPU_NAME(pointwise_run)(const sq_cpu_call *call)
{
    const size_t pixels = pixels_of(&call->x);
    const int c_in = call->x.c, c_out = call->out.c;
    const bool has_moments = call->op->statistics != SQ_STATISTICS_FIXED;
    float *partial = call->workspace->shared;
#pragma omp parallel for num_threads(call->threads) schedule(dynamic, 1)
    for (int t = 0; t < call->tiles; t++) {
        const size_t first = (size_t)t * (size_t)call->tile;
        const int rows = rows_of(call, pixels, t);
        float *out = call->out.data + first * (size_t)call->out.pitch;
        int pitch;
        const float *in = operand(&call->x, first, rows, scratch_of(call), &pitch);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, c_out, c_in, 1, in, pitch, call->weight, c_in, 0,
                    out, call->out.pitch);
        if (has_moments) {
            float *mean = partial + 2 * (size_t)c_out * (size_t)t;
            sq_tile_moments(out, call->out.pitch, rows, c_out, mean, mean + c_out);
        }
    }
    if (has_moments)
        sq_merge_moments(call, partial, call->tiles, call->tile, rows_of(call, pixels, call->tiles - 1));
    else
        sq_fix_norm(call);
}

/* ---- Backward ---- */

/* Scratch of a thread: dZ tile, input tile, dX tile where it cannot be written in place, constants. */
typedef struct {
    float *dz, *in, *dx;
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

/* dX = dZ W [+ addend] for one tile; returns where it lies, with its pitch. */
static const float *input_gradient(const sq_cpu_call *call, const buffers *b, size_t first, int rows, int *pitch)
{
    const sq_cpu_view *dx = &call->dx_view;
    const int c_in = call->x.c, c_out = call->z.c;
    const bool in_place = dx->step == 1;
    float *out = in_place ? dx->data + first * (size_t)dx->pitch + dx->first : b->dx;
    *pitch = in_place ? dx->pitch : c_in;
    const sq_cpu_tensor *addend = &call->addend;
    if (addend->data && addend->data != dx->data)
        for (int r = 0; r < rows; r++)
            memcpy(out + (size_t)r * (size_t)*pitch, addend->data + (first + (size_t)r) * (size_t)addend->pitch,
                   (size_t)c_in * sizeof *out);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, c_in, c_out, 1, b->dz, c_out, call->weight, c_in,
                addend->data ? 1 : 0, out, *pitch);
    for (int r = 0; r < rows && !in_place; r++) {
        float *to = dx->data + (first + (size_t)r) * (size_t)dx->pitch + dx->first;
        for (int i = 0; i < c_in; i++)
            to[i * dx->step] = out[(size_t)r * (size_t)c_in + (size_t)i];
    }
    return out;
}

static void back_tile(const sq_cpu_call *call, const float *constants, int t, float *weight_partial, bool is_first,
                      float *sums)
{
    const buffers b = split_scratch(call, scratch_of(call));
    const size_t first = (size_t)t * (size_t)call->tile;
    const int rows = rows_of(call, pixels_of(&call->x), t), c_in = call->x.c, c_out = call->z.c;
    int in_pitch, dx_pitch;
    sq_tile_gradient(&call->z, constants, first, rows, call->grad.data + first * (size_t)call->grad.pitch,
                     call->grad.pitch, b.dz, c_out);
    const float *in = operand(&call->x, first, rows, b.in, &in_pitch);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, c_out, c_in, rows, 1, b.dz, c_out, in, in_pitch,
                is_first ? 0 : 1, weight_partial, c_in);
    if (!call->dx.data)
        return;
    const float *dx = input_gradient(call, &b, first, rows, &dx_pitch);
    if (sq_wants_sums(&call->x))
        sq_tile_sums(&call->x, first, rows, dx, dx_pitch, sums + 2 * (size_t)c_in * (size_t)t);
}

void SQ_CPU_NAME(pointwise_back_run)(const sq_cpu_call *call)
{
    const size_t weights = (size_t)call->x.c * (size_t)call->z.c;
    float *partial = call->workspace->shared, *sums = partial + (size_t)call->groups * weights;
    float *constants = sums + 2 * (size_t)call->x.c * (size_t)call->tiles;
    sq_gradient_constants(call, constants);
#pragma omp parallel for num_threads(call->threads) schedule(dynamic, 1)
    for (int g = 0; g < call->groups; g++) {
        const int begin = (int)((long)call->tiles * g / call->groups),
                  end = (int)((long)call->tiles * (g + 1) / call->groups);
        for (int t = begin; t < end; t++)
            back_tile(call, constants, t, partial + (size_t)g * weights, t == begin, sums);
    }
    sq_merge_weights(call, call->weight_grad, partial, call->groups, weights, weights);
    if (call->dx.data)
        sq_merge_sums(&call->x, sums, call->tiles);
    sq_store_norm_grads(call);
}
