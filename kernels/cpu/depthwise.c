/* Depthwise convolution. A tile is a band of rows of one image. The forward operation activates the input of a band
 * once, into a padded buffer, and convolves that buffer. The backward operation computes dZ and the activated input of
 * a band once, and from these two the input gradient and the weight gradient. */
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
    call->tile = sq_band_height(h_out, columns * c * call->op->stride);
    call->groups = (h_out + call->tile - 1) / call->tile; /* bands of an image */
    call->tiles = call->groups * call->x.n;
    *shared = 2 * (size_t)call->x.c * (size_t)call->tiles + (size_t)(k * k * c);
    *scratch = (size_t)input_rows(call->tile, k, call->op->stride) * (size_t)columns * (size_t)c;
}

/* Merges the moments of all bands. The last band of an image may have fewer rows than the others. Every image has the
 * same bands, so the bands of each image are merged first, and then all images have equal sizes. */
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
            to[i] = (float)mean; /* only overwrites values that have already been read */
            to[c + i] = (float)m2;
        }
    }
    sq_merge_moments(call, &(sq_tile_moments_list){partial, call->x.n, h_out * w_out, h_out * w_out});
}

/* Computes one band of outputs and its moments. */
static void convolve_band(const sq_cpu_call *call, const sq_band_filter *filter, int t, float *moments)
{
    const int k = filter->k, stride = filter->stride, h_out = call->z.h, w_out = call->z.w;
    const int n = t / call->groups, first = t % call->groups * call->tile;
    const int rows = h_out - first < call->tile ? h_out - first : call->tile;
    const sq_band in = {scratch_of(call), call->x.w + k - 1 + stride, sq_cpu_padded(filter->c)};
    const sq_band_rows source = {n, first * stride - k / 2, input_rows(rows, k, stride), k / 2};
    sq_band_fill_input(&call->x, &source, &in);
    const size_t pixel = ((size_t)n * (size_t)h_out + (size_t)first) * (size_t)w_out, pitch = (size_t)call->out.pitch;
    float *out = call->out.data + pixel * pitch;
    for (int r = 0; r < rows; r++)
        sq_band_convolve(&in, r * stride, filter, (sq_rows){out + (size_t)r * (size_t)w_out * pitch, call->out.pitch});
    if (moments)
        sq_tile_moments((sq_const_rows){out, call->out.pitch}, rows * w_out, filter->c, moments);
}

void SQ_CPU_NAME(depthwise_run)(const sq_cpu_call *call)
{
    const int c = call->x.c;
    const bool has_moments = call->op->statistics != SQ_STATISTICS_FIXED;
    float *partial = call->workspace->shared, *weight = partial + 2 * (size_t)c * (size_t)call->tiles;
    const sq_band_filter filter = {weight, call->op->kernel, call->op->stride, call->z.w, c};
    sq_band_repack_weights(call->weight, c, filter.k, false, weight);
#pragma omp parallel for num_threads(call->threads) schedule(dynamic, 1)
    for (int t = 0; t < call->tiles; t++)
        convolve_band(call, &filter, t, has_moments ? partial + 2 * (size_t)c * (size_t)t : NULL);
    if (has_moments)
        merge_bands(call, partial);
    else
        sq_fix_norm(call);
}

/* ---- Backward ---- */

enum { WEIGHT_GROUPS = 32, PIXELS_AT_ONCE = 4 };

/* Returns the number of rows and columns by which a band of dZ is extended on each side, so that it contains all taps
 * of the band's input rows. */
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
    return call->z.w + 2 * gradient_border(call) + PIXELS_AT_ONCE; /* gather_parity may read past the end of a row */
}

void SQ_CPU_NAME(depthwise_back_prepare)(sq_cpu_call *call, size_t *shared, size_t *scratch)
{
    const int k = call->op->kernel, c = sq_cpu_padded(call->x.c), stride = call->op->stride;
    const int in_columns = input_columns(call), z_columns = gradient_columns(call);
    call->tile = sq_band_height(call->z.h, (in_columns * stride + z_columns) * c);
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

/* The input and dZ of one band of outputs. */
typedef struct {
    sq_band in, dz;
    int rows, columns; /* of the outputs */
    int border, stride;
} band_pair;

/* Adds one band to the weight gradients of the vector of channels at i. k is a compile-time constant. For k = 3,
 * handles all three kernel rows (y0 = 0), otherwise only kernel row y0. */
INLINE void weight_taps(const band_pair *p, int k, int y0, float *partial, int i)
{
    const sq_band *in = &p->in, *dz = &p->dz;
    const int taps = k == 3 ? 9 : k;
    vfloat sum[9];
    for (int t = 0; t < taps; t++)
        sum[t] = load(partial + (size_t)(y0 * k + t) * (size_t)in->c + i);
    for (int r = 0; r < p->rows; r++) {
        const float *g = band_at(dz, r + p->border, p->border) + i;
        const float *a = band_at(in, r * p->stride + y0, 0) + i;
        for (int w = 0; w < p->columns; w++, g += dz->c, a += p->stride * in->c) {
            const vfloat gradient = load(g);
            for (int t = 0; t < taps; t++)
                sum[t] += gradient * load(a + (size_t)(t / k) * (size_t)in->columns * (size_t)in->c +
                                          (size_t)(t % k) * (size_t)in->c);
        }
    }
    for (int t = 0; t < taps; t++)
        store(partial + (size_t)(y0 * k + t) * (size_t)in->c + i, sum[t]);
}

static void weight_gradient(const band_pair *p, int k, float *partial)
{
    for (int i = 0; i < p->in.c; i += LANES) {
        if (k == 3)
            weight_taps(p, 3, 0, partial, i);
        else if (k == 1)
            weight_taps(p, 1, 0, partial, i);
        for (int y = 0; y < k && k == 5; y++)
            weight_taps(p, 5, y, partial, i);
        for (int y = 0; y < k && k == 7; y++)
            weight_taps(p, 7, y, partial, i);
    }
}

/* The operands of the input gradient of one band. */
typedef struct {
    const sq_cpu_call *call;
    const sq_band *dz;
    int first_row;       /* index of the output row that dz starts with */
    const float *weight; /* repacked; rotated for stride 1 */
    float *row;          /* result: one row of input gradients, (w, padded c) */
} input_gradient_operands;

/* For stride 2, computes the gradients of the input columns of row h that have the given parity, for the vector of
 * channels at i. Such columns use every second tap. (h + pad - y) / 2 and (parity + pad - x) / 2 are exact, because y
 * and x begin at values that make the dividends even. */
INLINE void gather_parity(const input_gradient_operands *o, int h, int parity, int i)
{
    const int k = o->call->op->kernel, pad = k / 2, border = gradient_border(o->call), c = o->dz->c;
    const int count = (o->call->x.w - parity + 1) / 2, x0 = (parity + pad) % 2;
    for (int m = 0; m < count; m += PIXELS_AT_ONCE) {
        vfloat sum[PIXELS_AT_ONCE] = {{0}};
        for (int y = (h + pad) % 2; y < k; y += 2)
            for (int x = x0; x < k; x += 2) {
                const int row = (h + pad - y) / 2 - o->first_row, column = (parity + pad - x) / 2 + m + border;
                const float *g = band_at(o->dz, row, column) + i;
                const vfloat w = load(o->weight + (size_t)(y * k + x) * (size_t)c + i);
                for (int p = 0; p < PIXELS_AT_ONCE; p++)
                    sum[p] += w * load(g + (size_t)p * (size_t)c);
            }
        for (int p = 0; p < PIXELS_AT_ONCE && m + p < count; p++)
            store(o->row + (size_t)(parity + 2 * (m + p)) * (size_t)c + i, sum[p]);
    }
}

static void gather_row(const input_gradient_operands *o, int h)
{
    for (int parity = 0; parity < 2; parity++)
        for (int i = 0; i < o->dz->c; i += LANES)
            gather_parity(o, h, parity, i);
}

/* Adds the addend, if there is one, to a row of input gradients and stores the sum in dx. */
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

/* Output rows first .. first + rows - 1 of image n. */
typedef struct {
    int n, first, rows;
} output_band;

static void input_gradient(const input_gradient_operands *o, const output_band *b, float *sums)
{
    const sq_cpu_call *call = o->call;
    const int stride = call->op->stride, c = o->dz->c, last = (b->first + b->rows) * stride;
    const int begin = b->first * stride, end = last < call->x.h ? last : call->x.h;
    const sq_band_filter filter = {o->weight, call->op->kernel, 1, call->x.w, c};
    for (int h = begin; h < end; h++) {
        if (stride == 1)
            sq_band_convolve(o->dz, h - begin, &filter, (sq_rows){o->row, c});
        else
            gather_row(o, h);
        write_row(call, b->n, h, o->row, c);
    }
    if (sq_wants_sums(&call->x)) {
        const size_t pixel = ((size_t)b->n * (size_t)call->x.h + (size_t)begin) * (size_t)call->x.w;
        const sq_const_rows dx = {call->dx_view.data + pixel * (size_t)call->dx_view.pitch, call->dx_view.pitch};
        sq_tile_sums(&call->x, (sq_tile){pixel, (end - begin) * call->x.w}, dx, sums);
    }
}

/* The parts of the shared workspace. */
typedef struct {
    float *partial;   /* weight gradients, `groups` of (k * k, padded c) */
    float *sums;      /* S1 and S2 of each tile */
    float *weight;    /* repacked */
    float *constants; /* of sq_tile_gradient */
    float *flat;      /* the merged weight gradient, (c, k * k) */
    int groups;
    size_t taps, group_floats; /* k * k; k * k * padded c */
} back_workspace;

static back_workspace split_workspace(const sq_cpu_call *call)
{
    const size_t padded = (size_t)sq_cpu_padded(call->x.c);
    back_workspace w = {.partial = call->workspace->shared,
                        .groups = call->tiles < WEIGHT_GROUPS ? call->tiles : WEIGHT_GROUPS,
                        .taps = (size_t)(call->op->kernel * call->op->kernel)};
    w.group_floats = w.taps * padded;
    w.sums = w.partial + (size_t)w.groups * w.group_floats;
    w.weight = w.sums + 2 * (size_t)call->x.c * (size_t)call->tiles;
    w.constants = w.weight + w.group_floats;
    w.flat = w.constants + 3 * padded;
    return w;
}

static void back_band(const sq_cpu_call *call, const back_workspace *w, int t, float *partial)
{
    const int k = call->op->kernel, stride = call->op->stride, c = sq_cpu_padded(call->x.c),
              border = gradient_border(call), first = t % call->groups * call->tile;
    const output_band b = {t / call->groups, first, call->z.h - first < call->tile ? call->z.h - first : call->tile};
    band_pair p = {.in = {scratch_of(call), input_columns(call), c},
                   .dz = {NULL, gradient_columns(call), c},
                   .rows = b.rows,
                   .columns = call->z.w,
                   .border = border,
                   .stride = stride};
    p.dz.data = p.in.data + (size_t)input_rows(call->tile, k, stride) * (size_t)p.in.columns * (size_t)c;
    float *row = p.dz.data + (size_t)(call->tile + 2 * border) * (size_t)p.dz.columns * (size_t)c;
    const sq_band_rows inputs = {b.n, first * stride - k / 2, input_rows(b.rows, k, stride), k / 2};
    const sq_band_rows gradients = {b.n, first - border, b.rows + 2 * border, border};
    sq_band_fill_input(&call->x, &inputs, &p.in);
    sq_band_fill_gradient(call, w->constants, &gradients, &p.dz);
    weight_gradient(&p, k, partial);
    if (call->dx.data) {
        const input_gradient_operands o = {call, &p.dz, gradients.first, w->weight, row};
        input_gradient(&o, &b, w->sums + 2 * (size_t)call->x.c * (size_t)t);
    }
}

/* flat = sum of the groups in order, repacked from (k * k, padded c) to (c, k * k). */
static void merge_groups(const back_workspace *w, size_t c, size_t padded)
{
    for (size_t i = 0; i < c; i++)
        for (size_t t = 0; t < w->taps; t++) {
            float sum = 0;
            for (size_t g = 0; g < (size_t)w->groups; g++)
                sum += w->partial[g * w->group_floats + t * padded + i];
            w->flat[i * w->taps + t] = sum;
        }
}

void SQ_CPU_NAME(depthwise_back_run)(const sq_cpu_call *call)
{
    const back_workspace w = split_workspace(call);
    sq_band_repack_weights(call->weight, call->x.c, call->op->kernel, call->op->stride == 1, w.weight);
    sq_gradient_constants(call, w.constants);
#pragma omp parallel for num_threads(call->threads) schedule(dynamic, 1)
    for (int g = 0; g < w.groups; g++) {
        float *own = w.partial + (size_t)g * w.group_floats;
        const int begin = (int)((long)call->tiles * g / w.groups), end = (int)((long)call->tiles * (g + 1) / w.groups);
        memset(own, 0, w.group_floats * sizeof *own);
        for (int t = begin; t < end; t++)
            back_band(call, &w, t, own);
    }
    merge_groups(&w, (size_t)call->x.c, (size_t)sq_cpu_padded(call->x.c));
    sq_merge_weights(call, call->weight_grad, w.flat, 1, w.taps * (size_t)call->x.c);
    if (call->dx.data)
        sq_merge_sums(&call->x, w.sums, call->tiles);
    sq_store_norm_grads(call);
}
