/* Joins: the end of a block. A row of logical channels is assembled per pixel and stored as its reader wants it, even
 * channels first where a shuffle follows. */
#include "kernels/cpu/band.h"
#include "kernels/cpu/statistics.h"

enum { TILE_FLOATS = 64 * 1024 };

static int widest(const sq_cpu_call *call)
{
    return sq_cpu_padded(call->x.c) + (call->y.data ? sq_cpu_padded(call->y.c) : 0);
}

static void choose_tiles(sq_cpu_call *call)
{
    const size_t pixels = (size_t)call->x.n * (size_t)call->x.h * (size_t)call->x.w;
    const int tile = TILE_FLOATS / widest(call);
    call->tile = (size_t)tile > pixels ? (int)pixels : tile < 16 ? 16 : tile;
    call->tiles = (int)((pixels + (size_t)call->tile - 1) / (size_t)call->tile);
}

static int rows_of(const sq_cpu_call *call, int t)
{
    const size_t pixels = (size_t)call->x.n * (size_t)call->x.h * (size_t)call->x.w,
                 first = (size_t)t * (size_t)call->tile;
    return pixels - first < (size_t)call->tile ? (int)(pixels - first) : call->tile;
}

/* Logical channels offset .. offset + c of one pixel. */
static void put(const sq_cpu_tensor *out, float *pixel, int offset, const float *from, int c)
{
    const int half = out->pitch / 2;
    if (!out->is_split) {
        memcpy(pixel + offset, from, (size_t)c * sizeof *from);
        return;
    }
    for (int j = 0; j < 2; j++) { /* j-th parity of the source lies in this half */
        float *to = pixel + (offset + j) % 2 * half + (offset + j) / 2;
        for (int i = 0; 2 * i + j < c; i++)
            to[i] = from[2 * i + j];
    }
}

static void take(const sq_cpu_tensor *in, const float *pixel, int offset, float *to, int c, int step)
{
    const int half = in->pitch / 2;
    if (!in->is_split) {
        for (int i = 0; i < c; i++)
            to[i * step] = pixel[offset + i];
        return;
    }
    for (int j = 0; j < 2; j++) {
        const float *from = pixel + (offset + j) % 2 * half + (offset + j) / 2;
        for (int i = 0; 2 * i + j < c; i++)
            to[(2 * i + j) * step] = from[i];
    }
}

void SQ_CPU_NAME(join_prepare)(sq_cpu_call *call, size_t *shared, size_t *scratch)
{
    choose_tiles(call);
    *shared = 0;
    *scratch = (size_t)call->tile * (size_t)widest(call);
}

static void add_rows(float *to, const float *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] += from[i];
}

static void join_tile(const sq_cpu_call *call, int t)
{
    const size_t first = (size_t)t * (size_t)call->tile;
    const int rows = rows_of(call, t), cx = call->x.c, cy = call->y.data ? call->y.c : 0;
    const bool is_sum = call->op->join == SQ_JOIN_ADD;
    float *x = scratch_of(call), *y = x + (size_t)call->tile * (size_t)sq_cpu_padded(cx);
    sq_tile_load(&call->x, first, rows, x, cx);
    if (cy)
        sq_tile_load(&call->y, first, rows, y, cy);
    if (cy && is_sum)
        add_rows(x, y, (size_t)rows * (size_t)cx);
    for (int r = 0; r < rows; r++) {
        float *pixel = call->out.data + (first + (size_t)r) * (size_t)call->out.pitch;
        put(&call->out, pixel, is_sum ? 0 : cy, x + (size_t)r * (size_t)cx, cx);
        if (cy && !is_sum)
            put(&call->out, pixel, 0, y + (size_t)r * (size_t)cy, cy);
    }
}

void SQ_CPU_NAME(join_run)(const sq_cpu_call *call)
{
#pragma omp parallel for num_threads(call->threads) schedule(dynamic, 1)
    for (int t = 0; t < call->tiles; t++)
        join_tile(call, t);
}

/* ---- Backward ---- */

void SQ_CPU_NAME(join_back_prepare)(sq_cpu_call *call, size_t *shared, size_t *scratch)
{
    choose_tiles(call);
    *shared = 2 * (size_t)widest(call) * (size_t)call->tiles;
    *scratch = 1;
}

/* The gradient of one side for a tile, and its sums. */
static void side_back(const sq_cpu_call *call, const sq_cpu_view *view, const sq_cpu_view *to, int offset, int t,
                      float *sums)
{
    const size_t first = (size_t)t * (size_t)call->tile;
    const int rows = rows_of(call, t);
    for (int r = 0; r < rows && to->data != call->grad.data; r++)
        take(&call->grad, call->grad.data + (first + (size_t)r) * (size_t)call->grad.pitch, offset,
             to->data + (first + (size_t)r) * (size_t)to->pitch + to->first, view->c, to->step);
    if (sq_wants_sums(view))
        sq_tile_sums(view, first, rows, to->data + first * (size_t)to->pitch, to->pitch,
                     sums + 2 * (size_t)view->c * (size_t)t);
}

void SQ_CPU_NAME(join_back_run)(const sq_cpu_call *call)
{
    const int offset = call->op->join == SQ_JOIN_CONCAT && call->y.data ? call->y.c : 0;
    float *x_sums = call->workspace->shared,
          *y_sums = x_sums + 2 * (size_t)sq_cpu_padded(call->x.c) * (size_t)call->tiles;
#pragma omp parallel for num_threads(call->threads) schedule(dynamic, 1)
    for (int t = 0; t < call->tiles; t++) {
        if (call->dx.data)
            side_back(call, &call->x, &call->dx_view, offset, t, x_sums);
        if (call->dy.data)
            side_back(call, &call->y, &call->dy_view, 0, t, y_sums);
    }
    if (call->dx.data)
        sq_merge_sums(&call->x, x_sums, call->tiles);
    if (call->dy.data)
        sq_merge_sums(&call->y, y_sums, call->tiles);
}
