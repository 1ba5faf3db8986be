/* What happens to a tile of pixels while it is warm: the pending normalisation on load, the gradient of a raw output,
 * moments and sums by channel. Loops run over a vector of channels outside and pixels inside, so sums stay in
 * registers. */
#include "kernels/cpu/tile.h"
#include "kernels/cpu/vector.h"

static void load_plain(const sq_cpu_view *view, size_t first, int rows, float *out, int out_pitch)
{
    const float *in = view->data + first * (size_t)view->pitch + view->first;
    for (int r = 0; r < rows; r++, in += view->pitch, out += out_pitch) {
        if (view->step == 1)
            memcpy(out, in, (size_t)view->c * sizeof *out);
        else
            for (int i = 0; i < view->c; i++)
                out[i] = in[2 * i];
    }
}

INLINE void load_pending(const sq_cpu_view *view, sq_activation activation, size_t first, int rows, float *out,
                         int out_pitch)
{
    const int pixels = view->h * view->w;
    FOR_CHANNELS(i, count, view->c)
    {
        const vfloat scale = LOAD(view->scale + i, count), shift = LOAD(view->shift + i, count);
        const float *in = view->data + first * (size_t)view->pitch + i;
        float *to = out + i;
        for (int r = 0; r < rows; r++, in += view->pitch, to += out_pitch) {
            vfloat v = activate(activation, scale * LOAD(in, count) + shift);
            if (view->gate) {
                const size_t n = (first + (size_t)r) / (size_t)pixels;
                v *= LOAD(view->gate + n * (size_t)view->gate_pitch + i, count);
            }
            STORE(to, v, count);
        }
    }
}

void sq_tile_load(const sq_cpu_view *view, size_t first, int rows, float *out, int out_pitch)
{
    if (!view->scale)
        load_plain(view, first, rows, out, out_pitch);
    else if (view->activation == SQ_RELU && !view->gate)
        load_pending(view, SQ_RELU, first, rows, out, out_pitch);
    else if (view->activation == SQ_LINEAR && !view->gate)
        load_pending(view, SQ_LINEAR, first, rows, out, out_pitch);
    else
        load_pending(view, view->activation, first, rows, out, out_pitch);
}

INLINE void gradient_of(const sq_cpu_view *z, sq_activation activation, const float *constants, size_t first, int rows,
                        const float *g, int g_pitch, float *out, int out_pitch)
{
    const int padded = sq_cpu_padded(z->c);
    FOR_CHANNELS(i, count, z->c)
    {
        const vfloat scale = LOAD(z->scale + i, count), shift = LOAD(z->shift + i, count);
        const vfloat a = load(constants + i), b = load(constants + padded + i), c = load(constants + 2 * padded + i);
        const float *in = z->data + first * (size_t)z->pitch + i, *from = g + i;
        float *to = out + i;
        for (int r = 0; r < rows; r++, in += z->pitch, from += g_pitch, to += out_pitch) {
            const vfloat raw = LOAD(in, count);
            const vfloat dy = through(activation, scale * raw + shift, LOAD(from, count));
            STORE(to, a * dy + b * raw + c, count);
        }
    }
}

void sq_tile_gradient(const sq_cpu_view *z, const float *constants, size_t first, int rows, const float *g, int g_pitch,
                      float *out, int out_pitch)
{
    if (z->activation == SQ_RELU)
        gradient_of(z, SQ_RELU, constants, first, rows, g, g_pitch, out, out_pitch);
    else if (z->activation == SQ_LINEAR)
        gradient_of(z, SQ_LINEAR, constants, first, rows, g, g_pitch, out, out_pitch);
    else
        gradient_of(z, z->activation, constants, first, rows, g, g_pitch, out, out_pitch);
}

void sq_tile_moments(const float *z, int pitch, int rows, int c, float *mean, float *m2)
{
    const float share = 1.0f / (float)rows;
    FOR_CHANNELS(i, count, c)
    {
        vfloat sum[4] = {{0}}, squares[4] = {{0}};
        int r = 0;
        for (; r + 4 <= rows; r += 4)
            for (int j = 0; j < 4; j++)
                sum[j] += LOAD(z + (size_t)(r + j) * (size_t)pitch + i, count);
        for (; r < rows; r++)
            sum[0] += LOAD(z + (size_t)r * (size_t)pitch + i, count);
        const vfloat centre = ((sum[0] + sum[1]) + (sum[2] + sum[3])) * share;
        for (r = 0; r + 4 <= rows; r += 4)
            for (int j = 0; j < 4; j++) {
                const vfloat d = LOAD(z + (size_t)(r + j) * (size_t)pitch + i, count) - centre;
                squares[j] += d * d;
            }
        for (; r < rows; r++) {
            const vfloat d = LOAD(z + (size_t)r * (size_t)pitch + i, count) - centre;
            squares[0] += d * d;
        }
        STORE(mean + i, centre, count);
        STORE(m2 + i, (squares[0] + squares[1]) + (squares[2] + squares[3]), count);
    }
}

INLINE void sums_of(const sq_cpu_view *view, sq_activation activation, size_t first, int rows, const float *g,
                    int g_pitch, float *partial)
{
    FOR_CHANNELS(i, count, view->c)
    {
        const vfloat scale = LOAD(view->scale + i, count), shift = LOAD(view->shift + i, count);
        const vfloat mean = LOAD(view->mean + i, count), inverse = LOAD(view->inverse + i, count);
        const float *in = view->data + first * (size_t)view->pitch + i, *from = g + i;
        vfloat s1[2] = {{0}}, s2[2] = {{0}};
        for (int r = 0; r < rows; r++, in += view->pitch, from += g_pitch) {
            const vfloat raw = LOAD(in, count);
            const vfloat dy = through(activation, scale * raw + shift, LOAD(from, count));
            s1[r % 2] += dy;
            s2[r % 2] += dy * (raw - mean);
        }
        STORE(partial + i, s1[0] + s1[1], count);
        STORE(partial + view->c + i, (s2[0] + s2[1]) * inverse, count);
    }
}

void sq_tile_sums(const sq_cpu_view *view, size_t first, int rows, const float *g, int g_pitch, float *partial)
{
    if (view->activation == SQ_RELU)
        sums_of(view, SQ_RELU, first, rows, g, g_pitch, partial);
    else if (view->activation == SQ_LINEAR)
        sums_of(view, SQ_LINEAR, first, rows, g, g_pitch, partial);
    else
        sums_of(view, view->activation, first, rows, g, g_pitch, partial);
}
