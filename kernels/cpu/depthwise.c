/* The depthwise unit. A tile is a band of rows of one image: its input is activated once into a padded buffer, and the
 * taps run over it. Backward forms dZ and the activated input of a band once and computes input gradient and weight
 * gradient from them. */
#include "kernels/cpu/band.h"
#include "kernels/cpu/statistics.h"

/* ---- Forward ---- */

static int input_rows(int rows, int k, int stride)
{
    return (rows - 1) * stride + k;
}

void SQ_CPU_NAME(depthwise_prepare)(sq_cpu_call *call, size_t *shared, size_t *scratch)
{
    const int k = call->op->kernel, c = sq_cpu_padded(call->x.c), h_out = call->z.h;
    const int columns = call->x.w + k - 1 + call->op->stride;
    call->tile = sq_band_rows(h_out, columns * c * call->op->stride);
    call->groups = (h_out + call->tile - 1) / call->tile; /* bands of an image */
    call->tiles = call->groups * call->x.n;
    *shared = 2 * (size_t)call->x.c * (size_t)call->tiles + (size_t)(k * k * c);
    *scratch = (size_t)input_rows(call->tile, k, call->op->stride) * (size_t)columns * (size_t)c;
}

/* Moments of tiles of unequal size: every image has the same bands, so a band's share is merged per image first. */
static void merge_bands(const sq_cpu_call *call, float *partial)
{
    const int c = call->x.c, h_out = call->z.h, w_out = call->z.w;
    const int last = (h_out - (call->groups - 1) * call->tile) * w_out, full = call->tile * w_out;
    for (int n = 0; n < call->x.n && call->groups > 1; n++) {
        float *to = partial + 2 * (size_t)c * (size_t)n;
        const float *from = partial + 2 * (size_t)c * (size_t)n * (size_t)call->groups;
        for (int i = 0; i < c; i++) {
            double count = 0, mean = 0, m2 = 0;
            for (int b = 0; b < call->groups; b++) {
                const double more = b + 1 < call->groups ? full : last, total = count + more;
                const double delta = from[2 * (size_t)c * (size_t)b + (size_t)i] - mean;
                mean += delta * more / total;
                m2 += from[2 * (size_t)c * (size_t)b + (size_t)(c + i)] + delta * delta * count * more / total;
                count = total;
            }
            to[i] = (float)mean; /* lies at or before what was read for this channel */
            to[c + i] = (float)m2;
        }
    }
    sq_merge_moments(call, partial, call->x.n, h_out * w_out, h_out * w_out);
}

void SQ_CPU_NAME(depthwise_run)(const sq_cpu_call *call)
{
    const int k = call->op->kernel, stride = call->op->stride, pad = k / 2, c = call->x.c, padded = sq_cpu_padded(c);
    const int h_out = call->z.h, w_out = call->z.w;
    const bool has_moments = call->op->statistics != SQ_STATISTICS_FIXED;
    float *partial = call->workspace->shared, *weight = partial + 2 * (size_t)c * (size_t)call->tiles;
    sq_band_turn_weights(call->weight, c, k, false, weight);
#pragma omp parallel for num_threads(call->threads) schedule(dynamic, 1)
    for (int t = 0; t < call->tiles; t++) {
        const int n = t / call->groups, first = t % call->groups * call->tile;
        const int rows = h_out - first < call->tile ? h_out - first : call->tile;
        const band in = {scratch_of(call), call->x.w + k - 1 + stride, padded};
        sq_band_fill_input(&call->x, n, first * stride - pad, input_rows(rows, k, stride), pad, &in);
        float *out =
            call->out.data + ((size_t)n * (size_t)h_out + (size_t)first) * (size_t)w_out * (size_t)call->out.pitch;
        for (int r = 0; r < rows; r++)
            sq_band_convolve(&in, r * stride, weight, k, stride, w_out,
                             out + (size_t)r * (size_t)w_out * (size_t)call->out.pitch, call->out.pitch, c);
        if (has_moments) {
            float *mean = partial + 2 * (size_t)c * (size_t)t;
            sq_tile_moments(out, call->out.pitch, rows * w_out, c, mean, mean + c);
        }
    }
    if (has_moments)
        merge_bands(call, partial);
    else
        sq_fix_norm(call);
}

/* ---- Backward ---- */

enum { WEIGHT_GROUPS = 32, PIXELS_AT_ONCE = 4 };

/* Zero rows and columns around a band of dZ: what the taps of its own input rows reach. */
static int gradient_border(const sq_cpu_call *call)
{
    const int pad = call->op->kernel / 2;
    return call->op->stride == 1 ? pad : (pad + 1) / 2;
}

static int input_columns(const sq_cpu_call *call)
{
    return call->x.w + call->op->kernel - 1 + call->op->stride;
}

static int gradient_columns(const sq_cpu_call *call)
{
    return call->z.w + 2 * gradient_border(call) + PIXELS_AT_ONCE; /* strided outputs may read past the end */
}

void SQ_CPU_NAME(depthwise_back_prepare)(sq_cpu_call *call, size_t *shared, size_t *scratch)
{
    const int k = call->op->kernel, c = sq_cpu_padded(call->x.c), stride = call->op->stride;
    const int in_columns = input_columns(call), z_columns = gradient_columns(call);
    call->tile = sq_band_rows(call->z.h, (in_columns * stride + z_columns) * c);
    call->groups = (call->z.h + call->tile - 1) / call->tile; /* bands of an image */
    call->tiles = call->groups * call->x.n;
    const size_t partials = call->tiles < WEIGHT_GROUPS ? (size_t)call->tiles : WEIGHT_GROUPS;
    *shared = partials * (size_t)(k * k * c) + 2 * (size_t)call->x.c * (size_t)call->tiles + (size_t)(k * k * c) +
              3 * (size_t)c + (size_t)(k * k) * (size_t)call->x.c;
    *scratch =
        ((size_t)input_rows(call->tile, k, stride) * (size_t)in_columns +
         (size_t)(call->tile + 2 * gradient_border(call)) * (size_t)z_columns + (size_t)call->x.w + PIXELS_AT_ONCE) *
        (size_t)c;
}

/* Sums over a band for the taps of rows y0 .. y0 + rows - 1 of the kernel (constants k, rows). */
INLINE void weight_taps(const band *in, const band *dz, int border, int band_rows, int columns, int k, int stride,
                        int y0, int rows, float *partial, int i)
{
    vfloat sum[21];
    for (int t = 0; t < rows * k; t++)
        sum[t] = load(partial + (size_t)(y0 * k + t) * (size_t)in->c + i);
    for (int r = 0; r < band_rows; r++) {
        const float *g = band_at(dz, r + border, border) + i;
        const float *a = band_at(in, r * stride + y0, 0) + i;
        for (int w = 0; w < columns; w++, g += dz->c, a += stride * in->c) {
            const vfloat gradient = load(g);
            for (int t = 0; t < rows * k; t++)
                sum[t] += gradient * load(a + (size_t)(t / k) * (size_t)in->columns * (size_t)in->c +
                                          (size_t)(t % k) * (size_t)in->c);
        }
    }
    for (int t = 0; t < rows * k; t++)
        store(partial + (size_t)(y0 * k + t) * (size_t)in->c + i, sum[t]);
}

static void weight_gradient(const sq_cpu_call *call, const band *in, const band *dz, int band_rows, float *partial)
{
    const int k = call->op->kernel, stride = call->op->stride, border = gradient_border(call), columns = call->z.w;
    for (int i = 0; i < in->c; i += LANES) {
        if (k == 3)
            weight_taps(in, dz, border, band_rows, columns, 3, stride, 0, 3, partial, i);
        else if (k == 1)
            weight_taps(in, dz, border, band_rows, columns, 1, stride, 0, 1, partial, i);
        for (int y = 0; y < k && k == 5; y++)
            weight_taps(in, dz, border, band_rows, columns, 5, stride, y, 1, partial, i);
        for (int y = 0; y < k && k == 7; y++)
            weight_taps(in, dz, border, band_rows, columns, 7, stride, y, 1, partial, i);
    }
}

/* Inputs of one column parity of row h: output rows and columns of matching parity, the taps of which step by two. */
INLINE void spread_parity(const sq_cpu_call *call, const band *dz, int first_row, int h, int parity,
                          const float *weight, int i, float *out)
{
    const int k = call->op->kernel, pad = k / 2, border = gradient_border(call), c = dz->c;
    const int count = (call->x.w - parity + 1) / 2, x0 = (parity + pad) % 2;
    for (int m = 0; m < count; m += PIXELS_AT_ONCE) {
        vfloat sum[PIXELS_AT_ONCE] = {{0}};
        for (int y = (h + pad) % 2; y < k; y += 2)
            for (int x = x0; x < k; x += 2) {
                const int row = (h + pad - y) / 2 - first_row, column = (parity + pad - x) / 2 + m + border;
                const float *g = band_at(dz, row, column) + i;
                const vfloat w = load(weight + (size_t)(y * k + x) * (size_t)c + i);
                for (int p = 0; p < PIXELS_AT_ONCE; p++)
                    sum[p] += w * load(g + (size_t)p * (size_t)c);
            }
        for (int p = 0; p < PIXELS_AT_ONCE && m + p < count; p++)
            store(out + (size_t)(parity + 2 * (m + p)) * (size_t)c + i, sum[p]);
    }
}

/* (h + pad - y) / 2 and (parity + pad - x) / 2 are exact: both differ from an even number by the parity that was
 * chosen. */
static void spread_row(const sq_cpu_call *call, const band *dz, int first_row, int h, const float *weight, float *out)
{
    for (int parity = 0; parity < 2; parity++)
        for (int i = 0; i < dz->c; i += LANES)
            spread_parity(call, dz, first_row, h, parity, weight, i, out);
}

/* Puts a finished row of gradients where it belongs, with what is to be added. */
static void write_row(const sq_cpu_call *call, int n, int h, const float *row, int c_padded)
{
    const sq_cpu_view *dx = &call->dx_view;
    const size_t pixel = ((size_t)n * (size_t)call->x.h + (size_t)h) * (size_t)call->x.w;
    for (int w = 0; w < call->x.w; w++) {
        const float *from = row + (size_t)w * (size_t)c_padded;
        float *to = dx->data + (pixel + (size_t)w) * (size_t)dx->pitch + dx->first;
        const float *addend =
            call->addend.data ? call->addend.data + (pixel + (size_t)w) * (size_t)call->addend.pitch : NULL;
        for (int i = 0; i < call->x.c; i++)
            to[i * dx->step] = addend ? from[i] + addend[i] : from[i];
    }
}

static void input_gradient(const sq_cpu_call *call, const band *dz, int n, int first, int rows, const float *weight,
                           float *row, float *sums)
{
    const int stride = call->op->stride, border = gradient_border(call);
    const int begin = first * stride, end = begin + rows * stride < call->x.h ? begin + rows * stride : call->x.h;
    for (int h = begin; h < end; h++) {
        if (stride == 1)
            sq_band_convolve(dz, h - begin, weight, call->op->kernel, 1, call->x.w, row, dz->c, dz->c);
        else
            spread_row(call, dz, first - border, h, weight, row);
        write_row(call, n, h, row, dz->c);
    }
    if (sq_wants_sums(&call->x)) {
        const size_t pixel = ((size_t)n * (size_t)call->x.h + (size_t)begin) * (size_t)call->x.w;
        sq_tile_sums(&call->x, pixel, (end - begin) * call->x.w,
                     call->dx_view.data + pixel * (size_t)call->dx_view.pitch, call->dx_view.pitch, sums);
    }
}

static void back_band(const sq_cpu_call *call, const float *constants, const float *weight, int t, float *partial,
                      float *sums)
{
    const int k = call->op->kernel, stride = call->op->stride, c = sq_cpu_padded(call->x.c),
              border = gradient_border(call);
    const int n = t / call->groups, first = t % call->groups * call->tile;
    const int rows = call->z.h - first < call->tile ? call->z.h - first : call->tile;
    const band in = {scratch_of(call), input_columns(call), c};
    const band dz = {in.data + (size_t)input_rows(call->tile, k, stride) * (size_t)in.columns * (size_t)c,
                     gradient_columns(call), c};
    float *row = dz.data + (size_t)(call->tile + 2 * border) * (size_t)dz.columns * (size_t)c;
    sq_band_fill_input(&call->x, n, first * stride - k / 2, input_rows(rows, k, stride), k / 2, &in);
    sq_band_fill_gradient(call, constants, n, first - border, rows + 2 * border, border, &dz);
    weight_gradient(call, &in, &dz, rows, partial);
    if (call->dx.data)
        input_gradient(call, &dz, n, first, rows, weight, row, sums + 2 * (size_t)call->x.c * (size_t)t);
}

void SQ_CPU_NAME(depthwise_back_run)(const sq_cpu_call *call)
{
    const int k = call->op->kernel, c = sq_cpu_padded(call->x.c),
              partials = call->tiles < WEIGHT_GROUPS ? call->tiles : WEIGHT_GROUPS;
    const size_t taps = (size_t)(k * k), stride = taps * (size_t)c;
    float *partial = call->workspace->shared, *sums = partial + (size_t)partials * stride;
    float *weight = sums + 2 * (size_t)call->x.c * (size_t)call->tiles, *constants = weight + stride;
    float *flat = constants + 3 * (size_t)c;
    sq_band_turn_weights(call->weight, call->x.c, k, call->op->stride == 1, weight);
    sq_gradient_constants(call, constants);
#pragma omp parallel for num_threads(call->threads) schedule(dynamic, 1)
    for (int g = 0; g < partials; g++) {
        float *own = partial + (size_t)g * stride;
        const int begin = (int)((long)call->tiles * g / partials), end = (int)((long)call->tiles * (g + 1) / partials);
        memset(own, 0, stride * sizeof *own);
        for (int t = begin; t < end; t++)
            back_band(call, constants, weight, t, own, sums);
    }
    for (size_t i = 0; i < (size_t)call->x.c; i++) /* (k * k, c) -> (c, k * k), groups merged in order */
        for (size_t t = 0; t < taps; t++) {
            float sum = 0;
            for (size_t g = 0; g < (size_t)partials; g++)
                sum += partial[g * stride + t * (size_t)c + i];
            flat[i * taps + t] = sum;
        }
    sq_merge_weights(call, call->weight_grad, flat, 1, 0, taps * (size_t)call->x.c);
    if (call->dx.data)
        sq_merge_sums(&call->x, sums, call->tiles);
    sq_store_norm_grads(call);
}
