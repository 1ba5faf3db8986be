/* Filling bands and running the taps over them. Channels lie in vectors outside, neighbouring outputs share the taps
 * they load. */
#include "kernels/cpu/band.h"

enum { BAND_FLOATS = 96 * 1024, PIXELS_AT_ONCE = 4 };

void sq_band_fill_input(const sq_cpu_view *x, int n, int first, int rows, int border, const band *out)
{
    for (int r = 0; r < rows; r++) {
        const int h = first + r;
        float *row = band_at(out, r, 0);
        if (h < 0 || h >= x->h) {
            memset(row, 0, (size_t)out->columns * (size_t)out->c * sizeof *row);
            continue;
        }
        memset(row, 0, (size_t)border * (size_t)out->c * sizeof *row);
        sq_tile_load(x, ((size_t)n * (size_t)x->h + (size_t)h) * (size_t)x->w, x->w,
                     row + (size_t)border * (size_t)out->c, out->c);
        const int right = out->columns - border - x->w;
        memset(row + (size_t)(border + x->w) * (size_t)out->c, 0, (size_t)right * (size_t)out->c * sizeof *row);
    }
}

void sq_band_fill_gradient(const sq_cpu_call *call, const float *constants, int n, int first, int rows, int border,
                           const band *out)
{
    const sq_cpu_view *z = &call->z;
    for (int r = 0; r < rows; r++) {
        const int h = first + r;
        float *row = band_at(out, r, 0);
        if (h < 0 || h >= z->h) {
            memset(row, 0, (size_t)out->columns * (size_t)out->c * sizeof *row);
            continue;
        }
        const size_t pixel = ((size_t)n * (size_t)z->h + (size_t)h) * (size_t)z->w;
        memset(row, 0, (size_t)border * (size_t)out->c * sizeof *row);
        sq_tile_gradient(z, constants, pixel, z->w, call->grad.data + pixel * (size_t)call->grad.pitch,
                         call->grad.pitch, row + (size_t)border * (size_t)out->c, out->c);
        const int right = out->columns - border - z->w;
        memset(row + (size_t)(border + z->w) * (size_t)out->c, 0, (size_t)right * (size_t)out->c * sizeof *row);
    }
}

void sq_band_turn_weights(const float *weight, int c, int k, bool is_turned, float *out)
{
    const int padded = sq_cpu_padded(c), taps = k * k;
    memset(out, 0, (size_t)taps * (size_t)padded * sizeof *out);
    for (int i = 0; i < c; i++)
        for (int t = 0; t < taps; t++)
            out[(size_t)t * (size_t)padded + (size_t)i] =
                weight[(size_t)i * (size_t)taps + (size_t)(is_turned ? taps - 1 - t : t)];
}

/* `pixels` (a constant) neighbouring outputs of a row, one vector of channels. in: first tap of the first one. */
INLINE void taps_at(const float *in, size_t row, int c, const float *weight, int k, int stride, int pixels, float *out,
                    int out_pitch, int count)
{
    vfloat sum[PIXELS_AT_ONCE] = {{0}};
    for (int y = 0; y < k; y++)
        for (int x = 0; x < k; x++) {
            const vfloat w = load(weight + (size_t)(y * k + x) * (size_t)c);
            for (int p = 0; p < pixels; p++)
                sum[p] += w * load(in + (size_t)y * row + (size_t)(p * stride + x) * (size_t)c);
        }
    for (int p = 0; p < pixels; p++)
        STORE(out + (size_t)p * (size_t)out_pitch, sum[p], count);
}

/* One row of outputs: in points at the first tap of the first output. */
INLINE void convolve_row(const band *in, const float *first, const float *weight, int k, int stride, int columns,
                         float *out, int out_pitch, int c)
{
    const size_t row = (size_t)in->columns * (size_t)in->c;
    FOR_CHANNELS(i, count, c)
    {
        int w = 0;
        for (; w + PIXELS_AT_ONCE <= columns; w += PIXELS_AT_ONCE)
            taps_at(first + (size_t)(w * stride) * (size_t)in->c + i, row, in->c, weight + i, k, stride, PIXELS_AT_ONCE,
                    out + (size_t)w * (size_t)out_pitch + i, out_pitch, count);
        for (; w < columns; w++)
            taps_at(first + (size_t)(w * stride) * (size_t)in->c + i, row, in->c, weight + i, k, stride, 1,
                    out + (size_t)w * (size_t)out_pitch + i, out_pitch, count);
    }
}

void sq_band_convolve(const band *in, int row, const float *weight, int k, int stride, int columns, float *out,
                      int out_pitch, int c)
{
    const float *first = band_at(in, row, 0);
    switch (10 * k + stride) {
    case 31:
        convolve_row(in, first, weight, 3, 1, columns, out, out_pitch, c);
        break;
    case 32:
        convolve_row(in, first, weight, 3, 2, columns, out, out_pitch, c);
        break;
    case 51:
        convolve_row(in, first, weight, 5, 1, columns, out, out_pitch, c);
        break;
    case 52:
        convolve_row(in, first, weight, 5, 2, columns, out, out_pitch, c);
        break;
    case 71:
        convolve_row(in, first, weight, 7, 1, columns, out, out_pitch, c);
        break;
    case 72:
        convolve_row(in, first, weight, 7, 2, columns, out, out_pitch, c);
        break;
    default:
        convolve_row(in, first, weight, k, stride, columns, out, out_pitch, c);
    }
}

int sq_band_rows(int h, int floats_per_row)
{
    int rows = BAND_FLOATS / floats_per_row;
    rows = rows < 4 ? 4 : rows;
    const int bands = (h + rows - 1) / rows;
    return (h + bands - 1) / bands;
}
