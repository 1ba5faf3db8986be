/* Joins end a block. Each pixel's row of logical channels is assembled and stored in the layout of the output slot:
 * even channels first if the slot is split. */
#include "kernels/cpu/band.h"
#include "kernels/cpu/statistics.h"

enum { TILE_FLOATS = 64 * 1024 };

/* Returns the number of floats per pixel of both inputs. */
static int floats_per_pixel(const sq_cpu_call *call)
{
    return sq_cpu_padded(call->x.c) + (call->y.data ? sq_cpu_padded(call->y.c) : 0);
}

static void choose_tiles(sq_cpu_call *call)
{
    const size_t pixels = (size_t)call->x.n * (size_t)call->x.h * (size_t)call->x.w;
    const int tile = TILE_FLOATS / floats_per_pixel(call);
    call->tile = (size_t)tile > pixels ? (int)pixels : tile < 16 ? 16 : tile;
    call->tiles = (int)((pixels + (size_t)call->tile - 1) / (size_t)call->tile);
}

static sq_tile tile_at(const sq_cpu_call *call, int t)
{
    const size_t pixels = (size_t)call->x.n * (size_t)call->x.h * (size_t)call->x.w,
                 first = (size_t)t * (size_t)call->tile, left = pixels - first;
    return (sq_tile){first, left < (size_t)call->tile ? (int)left : call->tile};
}

/* Writes logical channels offset .. offset + c - 1 of one pixel. */
static void put(const sq_cpu_tensor *out, float *pixel, int offset, const float *from, int c)
{
    const int half = out->pitch / 2;
    if (!out->is_split) {
        memcpy(pixel + offset, from, (size_t)c * sizeof *from);
        return;
    }
    for (int j = 0; j < 2; j++) { /* all source channels of parity j go to one half */
        float *to = pixel + (offset + j) % 2 * half + (offset + j) / 2;
        for (int i = 0; 2 * i + j < c; i++)
            to[i] = from[2 * i + j];
    }
}

/* Copies logical channels of one pixel, beginning at `offset`, to `to`, which is a pixel of `view`. */
static void take(const sq_cpu_tensor *in, const float *pixel, int offset, const sq_cpu_view *view, float *to)
{
    const int half = in->pitch / 2, c = view->c, step = view->step;
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
    *scratch = (size_t)call->tile * (size_t)floats_per_pixel(call);
}

static void add_rows(float *to, const float *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] += from[i];
}

static void join_tile(const sq_cpu_call *call, int t)
{
    const sq_tile tile = tile_at(call, t);
    const int cx = call->x.c, cy = call->y.data ? call->y.c : 0;
    const bool is_sum = call->op->join == SQ_JOIN_ADD;
    float *x = scratch_of(call), *y = x + (size_t)call->tile * (size_t)sq_cpu_padded(cx);
    sq_tile_load(&call->x, tile, (sq_rows){x, cx});
    if (cy)
        sq_tile_load(&call->y, tile, (sq_rows){y, cy});
    if (cy && is_sum)
        add_rows(x, y, (size_t)tile.rows * (size_t)cx);
    for (int r = 0; r < tile.rows; r++) {
        float *pixel = call->out.data + (tile.first + (size_t)r) * (size_t)call->out.pitch;
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
    *shared = 2 * (size_t)floats_per_pixel(call) * (size_t)call->tiles;
    *scratch = 1;
}

/* One input of the join. */
typedef struct {
    const sq_cpu_view *view, *gradient;
    int offset;  /* first logical channel of this input in the output */
    float *sums; /* S1 and S2 of each tile */
} side;

/* Computes the gradient of one input for a tile, and the sums S1 and S2 of that tile. */
static void side_back(const sq_cpu_call *call, const side *s, int t)
{
    const sq_tile tile = tile_at(call, t);
    const sq_cpu_view *to = s->gradient;
    for (int r = 0; r < tile.rows && to->data != call->grad.data; r++) {
        const size_t pixel = tile.first + (size_t)r;
        take(&call->grad, call->grad.data + pixel * (size_t)call->grad.pitch, s->offset, to,
             to->data + pixel * (size_t)to->pitch + to->first);
    }
    if (sq_wants_sums(s->view))
        sq_tile_sums(s->view, tile, (sq_const_rows){to->data + tile.first * (size_t)to->pitch, to->pitch},
                     s->sums + 2 * (size_t)s->view->c * (size_t)t);
}

void SQ_CPU_NAME(join_back_run)(const sq_cpu_call *call)
{
    const int offset = call->op->join == SQ_JOIN_CONCAT && call->y.data ? call->y.c : 0;
    const side x = {&call->x, &call->dx_view, offset, call->workspace->shared};
    const side y = {&call->y, &call->dy_view, 0, x.sums + 2 * (size_t)sq_cpu_padded(call->x.c) * (size_t)call->tiles};
#pragma omp parallel for num_threads(call->threads) schedule(dynamic, 1)
    for (int t = 0; t < call->tiles; t++) {
        if (call->dx.data)
            side_back(call, &x, t);
        if (call->dy.data)
            side_back(call, &y, t);
    }
    if (call->dx.data)
        sq_merge_sums(&call->x, x.sums, call->tiles);
    if (call->dy.data)
        sq_merge_sums(&call->y, y.sums, call->tiles);
}
