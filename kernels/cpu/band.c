/* Fills bands and convolves them. The outer loop runs over vectors of channels. Several neighbouring outputs are
 * computed at once, so that they share the loaded weights. */
#include "kernels/cpu/band.h"

enum { BAND_FLOATS = 96 * 1024, SMALLEST_BAND = 4, PIXELS_AT_ONCE = 4 };

/* Zeroes the borders of row r of the band and returns the part that holds the image row. If the row is outside the
 * image, zeroes the whole row and returns NULL. */
static float *begin_row(const sq_cpu_view *view, const sq_band_rows *rows, int r, const sq_band *out)
{
    const int h = rows->first + r, right = out->columns - rows->border - view->w;
    float *row = band_at(out, r, 0), *inside = row + (size_t)rows->border * (size_t)out->c;
    if (h < 0 || h >= view->h) {
        memset(row, 0, (size_t)out->columns * (size_t)out->c * sizeof *row);
        return NULL;
    }
    memset(row, 0, (size_t)rows->border * (size_t)out->c * sizeof *row);
    memset(inside + (size_t)view->w * (size_t)out->c, 0, (size_t)right * (size_t)out->c * sizeof *row);
    return inside;
}

/* Returns the pixels of image row rows->first + r. */
static sq_tile row_tile(const sq_cpu_view *view, const sq_band_rows *rows, int r)
{
    const size_t row = (size_t)rows->n * (size_t)view->h + (size_t)(rows->first + r);
    return (sq_tile){row * (size_t)view->w, view->w};
}

void sq_band_fill_input(const sq_cpu_view *x, const sq_band_rows *rows, const sq_band *out)
{
    for (int r = 0; r < rows->rows; r++) {
        float *to = begin_row(x, rows, r, out);
        if (to)
            sq_tile_load(x, row_tile(x, rows, r), (sq_rows){to, out->c});
    }
}

void sq_band_fill_gradient(const sq_cpu_call *call, const float *constants, const sq_band_rows *rows,
                           const sq_band *out)
{
    const sq_cpu_tensor *grad = &call->grad;
    for (int r = 0; r < rows->rows; r++) {
        float *to = begin_row(&call->z, rows, r, out);
        if (!to)
            continue;
        const sq_tile tile = row_tile(&call->z, rows, r);
        const sq_const_rows g = {grad->data + tile.first * (size_t)grad->pitch, grad->pitch};
        sq_tile_gradient(&call->z, constants, tile, g, (sq_rows){to, out->c});
    }
}

void sq_band_repack_weights(const float *weight, int c, int k, bool is_rotated, float *out)
{
    const int padded = sq_cpu_padded(c), taps = k * k;
    memset(out, 0, (size_t)taps * (size_t)padded * sizeof *out);
    for (int i = 0; i < c; i++)
        for (int t = 0; t < taps; t++)
            out[(size_t)t * (size_t)padded + (size_t)i] =
                weight[(size_t)i * (size_t)taps + (size_t)(is_rotated ? taps - 1 - t : t)];
}

/* The inputs of one output: the address of the first tap, and the distances between rows and columns in floats. */
typedef struct {
    const float *data;
    size_t row, column;
} window;

/* Computes `pixels` (a constant) neighbouring outputs of a row for one vector of channels, and stores the first
 * `count`. */
INLINE void convolve_pixels(window in, sq_band_filter f, int pixels, sq_rows out, int count)
{
    vfloat sum[PIXELS_AT_ONCE] = {{0}};
    for (int y = 0; y < f.k; y++)
        for (int x = 0; x < f.k; x++) {
            const vfloat w = load(f.weight + (size_t)(y * f.k + x) * in.column);
            for (int p = 0; p < pixels; p++)
                sum[p] += w * load(in.data + (size_t)y * in.row + (size_t)(p * f.stride + x) * in.column);
        }
    for (int p = 0; p < pixels; p++)
        STORE(out.data + (size_t)p * (size_t)out.pitch, sum[p], count);
}

/* Computes one row of outputs. first: the first tap of the first output. */
INLINE void convolve_row(const sq_band *in, const float *first, sq_band_filter f, sq_rows out)
{
    const size_t column = (size_t)in->c, row = (size_t)in->columns * column;
    FOR_CHANNELS(i, count, f.c)
    {
        const sq_band_filter own = {f.weight + i, f.k, f.stride, f.columns, f.c};
        int w = 0;
        for (; w + PIXELS_AT_ONCE <= f.columns; w += PIXELS_AT_ONCE)
            convolve_pixels((window){first + (size_t)(w * f.stride) * column + i, row, column}, own, PIXELS_AT_ONCE,
                            (sq_rows){out.data + (size_t)w * (size_t)out.pitch + i, out.pitch}, count);
        for (; w < f.columns; w++)
            convolve_pixels((window){first + (size_t)(w * f.stride) * column + i, row, column}, own, 1,
                            (sq_rows){out.data + (size_t)w * (size_t)out.pitch + i, out.pitch}, count);
    }
}

/* Calls convolve_row with a kernel size and a stride that are compile-time constants. k_and_stride: 10 * k + stride. */
INLINE void convolve_fixed(const sq_band *in, const float *first, const sq_band_filter *f, int k_and_stride,
                           sq_rows out)
{
    convolve_row(in, first, (sq_band_filter){f->weight, k_and_stride / 10, k_and_stride % 10, f->columns, f->c}, out);
}

void sq_band_convolve(const sq_band *in, int row, const sq_band_filter *f, sq_rows out)
{
    const float *first = band_at(in, row, 0);
    switch (10 * f->k + f->stride) {
    case 31:
        convolve_fixed(in, first, f, 31, out);
        break;
    case 32:
        convolve_fixed(in, first, f, 32, out);
        break;
    case 51:
        convolve_fixed(in, first, f, 51, out);
        break;
    case 52:
        convolve_fixed(in, first, f, 52, out);
        break;
    case 71:
        convolve_fixed(in, first, f, 71, out);
        break;
    case 72:
        convolve_fixed(in, first, f, 72, out);
        break;
    default: /* correct for every size, only slower */
        convolve_row(in, first, *f, out);
    }
}

int sq_band_height(int h, int floats_per_row)
{
    int rows = BAND_FLOATS / floats_per_row;
    rows = rows < SMALLEST_BAND ? SMALLEST_BAND : rows;
    const int bands = (h + rows - 1) / rows;
    return (h + bands - 1) / bands;
}
