/* Global means and what hangs on them: squeeze-and-excitation and the pooling before the classifier. One image, one
 * thread. */
#include "kernels/cpu/band.h"
#include "kernels/cpu/statistics.h"
#include "kernels/dropout.h"

static size_t pixels_of(const sq_cpu_view *view)
{
    return (size_t)view->h * (size_t)view->w;
}

enum { ROWS_AT_ONCE = 64 };

/* out[i] = sum over the image's pixels of the view (times other, if given: rows of other_pitch). scratch: 64 rows. */
static void sum_image(const sq_cpu_view *view, int n, const float *other, int other_pitch, float *scratch, float *out)
{
    const size_t pixels = pixels_of(view);
    memset(out, 0, (size_t)view->c * sizeof *out);
    for (size_t first = 0; first < pixels; first += ROWS_AT_ONCE) {
        const int rows = pixels - first < ROWS_AT_ONCE ? (int)(pixels - first) : ROWS_AT_ONCE;
        sq_tile_load(view, (size_t)n * pixels + first, rows, scratch, view->c);
        for (int r = 0; r < rows; r++) {
            const float *value = scratch + (size_t)r * (size_t)view->c;
            const float *factor = other ? other + (first + (size_t)r) * (size_t)other_pitch : NULL;
            for (int i = 0; i < view->c; i++)
                out[i] += factor ? value[i] * factor[i] : value[i];
        }
    }
}

/* ---- Squeeze and excitation ---- */

void SQ_CPU_NAME(gate_prepare)(sq_cpu_call *call, size_t *shared, size_t *scratch)
{
    *shared = 0;
    *scratch = (ROWS_AT_ONCE + 1) * (size_t)call->x.c;
}

static float dot(const float *a, const float *b, int count)
{
    float sum[8] = {0}, total = 0;
    int i = 0;
    for (; i + 8 <= count; i += 8)
        for (int j = 0; j < 8; j++)
            sum[j] += a[i + j] * b[i + j];
    for (; i < count; i++)
        total += a[i] * b[i];
    for (int j = 0; j < 8; j++)
        total += sum[j];
    return total;
}

void SQ_CPU_NAME(gate_run)(const sq_cpu_call *call)
{
    const int c = call->x.c, r = call->hidden.c;
    const float share = 1.0f / (float)pixels_of(&call->x);
#pragma omp parallel for num_threads(call->threads) schedule(static)
    for (int n = 0; n < call->x.n; n++) {
        float *pooled = call->pooled.data + (size_t)n * (size_t)call->pooled.pitch;
        float *hidden = call->hidden.data + (size_t)n * (size_t)call->hidden.pitch;
        float *out = call->out.data + (size_t)n * (size_t)call->out.pitch;
        sum_image(&call->x, n, NULL, 0, scratch_of(call), pooled);
        for (int i = 0; i < c; i++)
            pooled[i] *= share;
        for (int j = 0; j < r; j++)
            hidden[j] = sq_activate(SQ_RELU, call->bias[j] + dot(call->weight + (size_t)j * (size_t)c, pooled, c));
        for (int i = 0; i < c; i++)
            out[i] = sq_activate(call->op->gate_activation,
                                 call->bias2[i] + dot(call->weight2 + (size_t)i * (size_t)r, hidden, r));
    }
}

void SQ_CPU_NAME(gate_back_prepare)(sq_cpu_call *call, size_t *shared, size_t *scratch)
{
    *shared = (size_t)call->x.n * (size_t)(call->x.c + call->hidden.c) + 2 * (size_t)call->x.c * (size_t)call->x.n;
    *scratch = (ROWS_AT_ONCE + 1) * (size_t)call->x.c;
}

/* One image: gradients before the gate's activation (dg) and before the hidden relu (dh); then G in dx and its sums. */
static void gate_back_image(const sq_cpu_call *call, int n, float *dg, float *dh, float *sums)
{
    const int c = call->x.c, r = call->hidden.c;
    const size_t pixels = pixels_of(&call->x), first = (size_t)n * pixels;
    const float *hidden = call->hidden.data + (size_t)n * (size_t)call->hidden.pitch;
    const float *gate = call->out.data + (size_t)n * (size_t)call->out.pitch;
    const float *grad = call->grad.data + first * (size_t)call->grad.pitch;
    float *scratch = scratch_of(call), *pooled = scratch + ROWS_AT_ONCE * (size_t)c;
    sum_image(&call->x, n, grad, call->grad.pitch, scratch, dg);
    for (int i = 0; i < c; i++) {
        const float pre = call->bias2[i] + dot(call->weight2 + (size_t)i * (size_t)r, hidden, r);
        dg[i] *= sq_activate_slope(call->op->gate_activation, pre);
    }
    memset(pooled, 0, (size_t)c * sizeof *pooled);
    for (int j = 0; j < r; j++) {
        float sum = 0;
        for (int i = 0; i < c; i++)
            sum += dg[i] * call->weight2[(size_t)i * (size_t)r + (size_t)j];
        dh[j] = hidden[j] > 0 ? sum : 0;
        for (int i = 0; i < c; i++)
            pooled[i] += dh[j] * call->weight[(size_t)j * (size_t)c + (size_t)i] / (float)pixels;
    }
    float *dx = call->dx.data + first * (size_t)call->dx.pitch;
    for (size_t p = 0; p < pixels; p++)
        for (int i = 0; i < c; i++)
            dx[p * (size_t)call->dx.pitch + (size_t)i] =
                grad[p * (size_t)call->grad.pitch + (size_t)i] * gate[i] + pooled[i];
    if (sq_wants_sums(&call->x))
        sq_tile_sums(&call->x, first, (int)pixels, dx, call->dx.pitch, sums + 2 * (size_t)c * (size_t)n);
}

static void store_value(const sq_cpu_call *call, float *to, float value)
{
    *to = call->step->accumulate ? *to + value : value;
}

/* Weight gradients of both layers: `rows` outputs with gradients `d`, inputs `in`; summed over images in order. */
static void layer_gradients(const sq_cpu_call *call, const float *d, int rows, const sq_cpu_tensor *in,
                            float *weight_grad, float *bias_grad)
{
    for (int o = 0; o < rows; o++) {
        float bias = 0;
        for (int n = 0; n < call->x.n; n++)
            bias += d[(size_t)n * (size_t)rows + (size_t)o];
        store_value(call, bias_grad + o, bias);
        for (int i = 0; i < in->c; i++) {
            float sum = 0;
            for (int n = 0; n < call->x.n; n++)
                sum += d[(size_t)n * (size_t)rows + (size_t)o] * in->data[(size_t)n * (size_t)in->pitch + (size_t)i];
            store_value(call, weight_grad + (size_t)o * (size_t)in->c + (size_t)i, sum);
        }
    }
}

void SQ_CPU_NAME(gate_back_run)(const sq_cpu_call *call)
{
    const int c = call->x.c, r = call->hidden.c;
    float *dg = call->workspace->shared, *dh = dg + (size_t)call->x.n * (size_t)c,
          *sums = dh + (size_t)call->x.n * (size_t)r;
#pragma omp parallel for num_threads(call->threads) schedule(static)
    for (int n = 0; n < call->x.n; n++)
        gate_back_image(call, n, dg + (size_t)n * (size_t)c, dh + (size_t)n * (size_t)r, sums);
    layer_gradients(call, dh, r, &call->pooled, call->weight_grad, call->bias_grad);
    layer_gradients(call, dg, c, &call->hidden, call->weight2_grad, call->bias2_grad);
    sq_merge_sums(&call->x, sums, call->x.n);
}

/* ---- Pooling ---- */

void SQ_CPU_NAME(pool_prepare)(sq_cpu_call *call, size_t *shared, size_t *scratch)
{
    *shared = 0;
    *scratch = ROWS_AT_ONCE * (size_t)call->x.c;
}

static float keep(const sq_cpu_call *call, int n, int i)
{
    if (!(call->op->dropout > 0) || call->op->statistics != SQ_STATISTICS_BATCH)
        return 1;
    return sq_dropout_scale(call->step->seed, call->step->step,
                            (uint32_t)((call->step->first_image + n) * call->x.c + i), call->op->dropout);
}

void SQ_CPU_NAME(pool_run)(const sq_cpu_call *call)
{
    const float share = 1.0f / (float)pixels_of(&call->x);
#pragma omp parallel for num_threads(call->threads) schedule(static)
    for (int n = 0; n < call->x.n; n++) {
        float *out = call->out.data + (size_t)n * (size_t)call->out.pitch;
        sum_image(&call->x, n, NULL, 0, scratch_of(call), out);
        for (int i = 0; i < call->x.c; i++)
            out[i] *= share * keep(call, n, i);
    }
}

void SQ_CPU_NAME(pool_back_prepare)(sq_cpu_call *call, size_t *shared, size_t *scratch)
{
    *shared = 2 * (size_t)call->x.c * (size_t)call->x.n;
    *scratch = (size_t)call->x.c;
}

void SQ_CPU_NAME(pool_back_run)(const sq_cpu_call *call)
{
    const size_t pixels = pixels_of(&call->x);
    float *sums = call->workspace->shared;
#pragma omp parallel for num_threads(call->threads) schedule(static)
    for (int n = 0; n < call->x.n; n++) {
        const float *grad = call->grad.data + (size_t)n * (size_t)call->grad.pitch;
        float *pixel = scratch_of(call), *dx = call->dx.data + (size_t)n * pixels * (size_t)call->dx.pitch;
        const sq_cpu_tensor *out = &call->dx;
        for (int i = 0; i < call->x.c; i++) {
            const int channel = out->is_split ? i % 2 * (out->pitch / 2) + i / 2 : i;
            pixel[i] = grad[i] * keep(call, n, i) / (float)pixels;
            dx[channel] = pixel[i];
        }
        for (size_t p = 1; p < pixels; p++)
            memcpy(dx + p * (size_t)out->pitch, dx, (size_t)out->pitch * sizeof *dx);
        if (sq_wants_sums(&call->x))
            sq_tile_sums(&call->x, (size_t)n * pixels, (int)pixels, dx, out->pitch,
                         sums + 2 * (size_t)call->x.c * (size_t)n);
    }
    sq_merge_sums(&call->x, sums, call->x.n);
}
