/* Operations on a tile of pixels while the tile is in the cache: applying the pending normalisation, the gradient of a
 * raw output, moments and sums per channel. The outer loop runs over vectors of channels and the inner loop over
 * pixels, so that sums stay in registers. Each function is specialised for the common activations. */
#include "kernels/cpu/tile.h"

#include "kernels/cpu/vector.h"

static void load_plain(const sq_cpu_view *view, sq_tile tile, sq_rows out)
{
    const float *in = view->data + tile.first * (size_t)view->pitch + view->first;
    float *to = out.data;
    for (int r = 0; r < tile.rows; r++, in += view->pitch, to += out.pitch) {
        if (view->step == 1)
            memcpy(to, in, (size_t)view->c * sizeof *to);
        else
            for (int i = 0; i < view->c; i++)
                to[i] = in[2 * i];
    }
}

INLINE void load_pending(const sq_cpu_view *view, sq_activation activation, sq_tile tile, sq_rows out)
{
    const int pixels = view->h * view->w;
    FOR_CHANNELS(i, count, view->c)
    {
        const vfloat scale = LOAD(view->scale + i, count), shift = LOAD(view->shift + i, count);
        const float *in = view->data + tile.first * (size_t)view->pitch + i;
        float *to = out.data + i;
        for (int r = 0; r < tile.rows; r++, in += view->pitch, to += out.pitch) {
            vfloat v = activate(activation, scale * LOAD(in, count) + shift);
            if (view->gate) {
                const size_t n = (tile.first + (size_t)r) / (size_t)pixels;
                v *= LOAD(view->gate + n * (size_t)view->gate_pitch + i, count);
            }
            STORE(to, v, count);
        }
    }
}

void sq_tile_load(const sq_cpu_view *view, sq_tile tile, sq_rows out)
{
    if (!view->scale)
        load_plain(view, tile, out);
    else if (view->activation == SQ_RELU && !view->gate)
        load_pending(view, SQ_RELU, tile, out);
    else if (view->activation == SQ_LINEAR && !view->gate)
        load_pending(view, SQ_LINEAR, tile, out);
    else
        load_pending(view, view->activation, tile, out);
}

/* The operands of sq_tile_gradient. */
typedef struct {
    const sq_cpu_view *z;
    const float *constants;
    sq_tile tile;
    sq_const_rows g;
    sq_rows out;
} gradient_operands;

INLINE void gradient_of(const gradient_operands *o, sq_activation activation)
{
    const sq_cpu_view *z = o->z;
    const int padded = sq_cpu_padded(z->c);
    FOR_CHANNELS(i, count, z->c)
    {
        const vfloat scale = LOAD(z->scale + i, count), shift = LOAD(z->shift + i, count);
        const vfloat a = load(o->constants + i), b = load(o->constants + padded + i),
                     c = load(o->constants + 2 * padded + i);
        const float *in = z->data + o->tile.first * (size_t)z->pitch + i, *from = o->g.data + i;
        float *to = o->out.data + i;
        for (int r = 0; r < o->tile.rows; r++, in += z->pitch, from += o->g.pitch, to += o->out.pitch) {
            const vfloat raw = LOAD(in, count);
            const vfloat dy = through(activation, scale * raw + shift, LOAD(from, count));
            STORE(to, a * dy + b * raw + c, count);
        }
    }
}

void sq_tile_gradient(const sq_cpu_view *z, const float *constants, sq_tile tile, sq_const_rows g, sq_rows out)
{
    const gradient_operands o = {z, constants, tile, g, out};
    if (z->activation == SQ_RELU)
        gradient_of(&o, SQ_RELU);
    else if (z->activation == SQ_LINEAR)
        gradient_of(&o, SQ_LINEAR);
    else
        gradient_of(&o, z->activation);
}

void sq_tile_moments(sq_const_rows z, int rows, int c, float *partial)
{
    const float share = 1.0f / (float)rows;
    FOR_CHANNELS(i, count, c)
    {
        vfloat sum[4] = {{0}}, squares[4] = {{0}};
        int r = 0;
        for (; r + 4 <= rows; r += 4)
            for (int j = 0; j < 4; j++)
                sum[j] += LOAD(z.data + (size_t)(r + j) * (size_t)z.pitch + i, count);
        for (; r < rows; r++)
            sum[0] += LOAD(z.data + (size_t)r * (size_t)z.pitch + i, count);
        const vfloat centre = ((sum[0] + sum[1]) + (sum[2] + sum[3])) * share;
        for (r = 0; r + 4 <= rows; r += 4)
            for (int j = 0; j < 4; j++) {
                const vfloat d = LOAD(z.data + (size_t)(r + j) * (size_t)z.pitch + i, count) - centre;
                squares[j] += d * d;
            }
        for (; r < rows; r++) {
            const vfloat d = LOAD(z.data + (size_t)r * (size_t)z.pitch + i, count) - centre;
            squares[0] += d * d;
        }
        STORE(partial + i, centre, count);
        STORE(partial + c + i, (squares[0] + squares[1]) + (squares[2] + squares[3]), count);
    }
}

INLINE void sums_of(const sq_cpu_view *view, sq_activation activation, sq_tile tile, sq_const_rows g, float *partial)
{
    FOR_CHANNELS(i, count, view->c)
    {
        const vfloat scale = LOAD(view->scale + i, count), shift = LOAD(view->shift + i, count);
        const vfloat mean = LOAD(view->mean + i, count), inverse = LOAD(view->inverse + i, count);
        const float *in = view->data + tile.first * (size_t)view->pitch + i, *from = g.data + i;
        vfloat s1[2] = {{0}}, s2[2] = {{0}};
        for (int r = 0; r < tile.rows; r++, in += view->pitch, from += g.pitch) {
            const vfloat raw = LOAD(in, count);
            const vfloat dy = through(activation, scale * raw + shift, LOAD(from, count));
            s1[r % 2] += dy;
            s2[r % 2] += dy * (raw - mean);
        }
        STORE(partial + i, s1[0] + s1[1], count);
        STORE(partial + view->c + i, (s2[0] + s2[1]) * inverse, count);
    }
}

void sq_tile_sums(const sq_cpu_view *view, sq_tile tile, sq_const_rows g, float *partial)
{
    if (view->activation == SQ_RELU)
        sums_of(view, SQ_RELU, tile, g, partial);
    else if (view->activation == SQ_LINEAR)
        sums_of(view, SQ_LINEAR, tile, g, partial);
    else
        sums_of(view, view->activation, tile, g, partial);
}
