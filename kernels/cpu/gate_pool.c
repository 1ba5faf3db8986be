/* Squeeze-and-excitation, and the pooling before the classifier. These operations use means over all pixels of an
 * image. Each image is handled by one thread. */
#include "kernels/cpu/band.h"
#include "kernels/cpu/statistics.h"
#include "kernels/dropout.h"

static size_t pixels_of(const sq_cpu_view *view)
{
    return (size_t)view->h * (size_t)view->w;
}

enum { ROWS_AT_ONCE = 64 };

/* out[i] = sum of the view's channel i over the pixels of image n, each multiplied by `factor` if there is one.
 * scratch: ROWS_AT_ONCE * c floats. */
static void sum_image(const sq_cpu_view *view, int n, sq_const_rows factor, float *scratch, float *out)
{
    const size_t pixels = pixels_of(view);
    memset(out, 0, (size_t)view->c * sizeof *out);
    for (size_t first = 0; first < pixels; first += ROWS_AT_ONCE) {
        const int rows = pixels - first < ROWS_AT_ONCE ? (int)(pixels - first) : ROWS_AT_ONCE;
        sq_tile_load(view, (sq_tile){(size_t)n * pixels + first, rows}, (sq_rows){scratch, view->c});
        for (int r = 0; r < rows; r++) {
            const float *value = scratch + (size_t)r * (size_t)view->c;
            const float *times = factor.data ? factor.data + (first + (size_t)r) * (size_t)factor.pitch : NULL;
            for (int i = 0; i < view->c; i++)
                out[i] += times ? value[i] * times[i] : value[i];
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
        sum_image(&call->x, n, (sq_const_rows){NULL, 0}, scratch_of(call), pooled);
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

/* Handles one image. Computes dg, the gradients of the gate before its activation, and dh, the gradients of the hidden
 * layer before its relu. Then computes dx, and S1 and S2 of dx. */
static void gate_back_image(const sq_cpu_call *call, int n, float *dg, float *dh, float *sums)
{
    const int c = call->x.c, r = call->hidden.c;
    const size_t pixels = pixels_of(&call->x), first = (size_t)n * pixels;
    const float *hidden = call->hidden.data + (size_t)n * (size_t)call->hidden.pitch;
    const float *gate = call->out.data + (size_t)n * (size_t)call->out.pitch;
    const float *grad = call->grad.data + first * (size_t)call->grad.pitch;
    float *scratch = scratch_of(call), *pooled = scratch + ROWS_AT_ONCE * (size_t)c;
    sum_image(&call->x, n, (sq_const_rows){grad, call->grad.pitch}, scratch, dg);
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
        sq_tile_sums(&call->x, (sq_tile){first, (int)pixels}, (sq_const_rows){dx, call->dx.pitch},
                     sums + 2 * (size_t)c * (size_t)n);
}

static void store_value(const sq_cpu_call *call, float *to, float value)
{
    *to = call->step->accumulate ? *to + value : value;
}

/* One of the gate's two linear layers. */
typedef struct {
    const float *d; /* gradients of the pre-activations, (n, outputs) */
    int outputs;
    const sq_cpu_tensor *in;
    float *weight_grad, *bias_grad;
} gate_layer;

/* Computes the gradients of the weights and biases of a layer, summed over the images in order. */
static void layer_gradients(const sq_cpu_call *call, const gate_layer *l)
{
    const size_t outputs = (size_t)l->outputs, c = (size_t)l->in->c, pitch = (size_t)l->in->pitch;
    for (size_t o = 0; o < outputs; o++) {
        float bias = 0;
        for (int n = 0; n < call->x.n; n++)
            bias += l->d[(size_t)n * outputs + o];
        store_value(call, l->bias_grad + o, bias);
        for (size_t i = 0; i < c; i++) {
            float sum = 0;
            for (int n = 0; n < call->x.n; n++)
                sum += l->d[(size_t)n * outputs + o] * l->in->data[(size_t)n * pitch + i];
            store_value(call, l->weight_grad + o * c + i, sum);
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
    layer_gradients(call, &(gate_layer){dh, r, &call->pooled, call->weight_grad, call->bias_grad});
    layer_gradients(call, &(gate_layer){dg, c, &call->hidden, call->weight2_grad, call->bias2_grad});
    sq_merge_sums(&call->x, sums, call->x.n);
}

/* ---- Pooling ---- */

void SQ_CPU_NAME(pool_prepare)(sq_cpu_call *call, size_t *shared, size_t *scratch)
{
    *shared = 0;
    *scratch = ROWS_AT_ONCE * (size_t)call->x.c;
}

/* Returns the dropout factor of channel i of image n. */
static float dropout(const sq_cpu_call *call, int n, int i)
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
        sum_image(&call->x, n, (sq_const_rows){NULL, 0}, scratch_of(call), out);
        for (int i = 0; i < call->x.c; i++)
            out[i] *= share * dropout(call, n, i);
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
            pixel[i] = grad[i] * dropout(call, n, i) / (float)pixels;
            dx[channel] = pixel[i];
        }
        for (size_t p = 1; p < pixels; p++)
            memcpy(dx + p * (size_t)out->pitch, dx, (size_t)out->pitch * sizeof *dx);
        if (sq_wants_sums(&call->x))
            sq_tile_sums(&call->x, (sq_tile){(size_t)n * pixels, (int)pixels}, (sq_const_rows){dx, out->pitch},
                         sums + 2 * (size_t)call->x.c * (size_t)n);
    }
    sq_merge_sums(&call->x, sums, call->x.n);
}
