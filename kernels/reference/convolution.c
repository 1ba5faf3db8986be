/* Convolution with normalisation on load, forward and backward. Dense, pointwise and depthwise convolutions share one
 * loop nest. */
#include <math.h>

#include "kernels/reference/reference.h"

static float *weight_at(const sq_reference_call *call, int slot, int o, int i, int tap)
{
    const int k = call->op->kernel, c_in = call->op->is_depthwise ? 1 : sq_ref_slot(call, slot)->h;
    return sq_ref_data(call, slot) + ((size_t)o * (size_t)c_in + (size_t)i) * (size_t)(k * k) + (size_t)tap;
}

/* Sets the range [*first, *last) of input channels that output channel o reads. */
static void channels_of(const sq_reference_call *call, int o, int *first, int *last)
{
    *first = call->op->is_depthwise ? o : 0;
    *last = call->op->is_depthwise ? o + 1 : sq_ref_view_c(call, call->op->x);
}

static double conv_at(const sq_reference_call *call, int n, int h, int w, int o)
{
    const sq_op *op = call->op;
    const sq_slot *x = sq_ref_slot(call, op->x.slot);
    const int pad = op->kernel / 2;
    int first, last;
    double sum = 0;
    channels_of(call, o, &first, &last);
    for (int y = 0; y < op->kernel; y++)
        for (int v = 0; v < op->kernel; v++) {
            const int hi = h * op->stride + y - pad, wi = w * op->stride + v - pad;
            if (hi < 0 || hi >= x->h || wi < 0 || wi >= x->w)
                continue;
            for (int i = first; i < last; i++)
                sum += (double)sq_ref_value(call, op->x, sq_at(n, hi, wi, i)) *
                       *weight_at(call, op->weight, o, i - first, y * op->kernel + v);
        }
    return sum;
}

/* Computes the mean and m2, the sum of squared differences from the mean, of channel i of the raw output in two
 * passes. */
static void moments(const sq_reference_call *call, int i, double *mean, double *m2)
{
    const sq_slot *z = sq_ref_slot(call, call->op->out);
    const double count = (double)z->n * z->h * z->w;
    double sum = 0, squares = 0;
    for (int n = 0; n < z->n; n++)
        for (int h = 0; h < z->h; h++)
            for (int w = 0; w < z->w; w++)
                sum += *sq_ref_at(call, call->op->out, sq_at(n, h, w, i));
    *mean = sum / count;
    for (int n = 0; n < z->n; n++)
        for (int h = 0; h < z->h; h++)
            for (int w = 0; w < z->w; w++)
                squares += pow(*sq_ref_at(call, call->op->out, sq_at(n, h, w, i)) - *mean, 2);
    *m2 = squares;
}

static void normalise(const sq_reference_call *call)
{
    const sq_op *op = call->op;
    const sq_norm *norm = &call->graph->norms[op->out_norm];
    const sq_slot *z = sq_ref_slot(call, op->out);
    const double count = (double)z->n * z->h * z->w, rate = sq_ref_step(call)->statistics_rate;
    float *running_mean = sq_ref_data(call, norm->running_mean), *running = sq_ref_data(call, norm->running_variance);
    for (int i = 0; i < norm->c; i++) {
        double mean = running_mean[i], variance = running[i];
        if (op->statistics != SQ_STATISTICS_FIXED) {
            double m2;
            moments(call, i, &mean, &m2);
            variance = m2 / count;
            running_mean[i] += (float)((mean - running_mean[i]) * rate);
            running[i] += (float)((m2 / (count > 1 ? count - 1 : 1) - running[i]) * rate);
        }
        const double inverse = 1 / sqrt(variance + norm->epsilon);
        const double gamma = norm->gamma == SQ_NONE ? 1 : sq_ref_data(call, norm->gamma)[i];
        const double beta = norm->beta == SQ_NONE ? 0 : sq_ref_data(call, norm->beta)[i];
        sq_ref_live(call, op->out_norm, SQ_LIVE_SCALE)[i] = (float)(gamma * inverse);
        sq_ref_live(call, op->out_norm, SQ_LIVE_SHIFT)[i] = (float)(beta - mean * gamma * inverse);
        sq_ref_live(call, op->out_norm, SQ_LIVE_MEAN)[i] = (float)mean;
        sq_ref_live(call, op->out_norm, SQ_LIVE_INVERSE)[i] = (float)inverse;
    }
}

void sq_reference_conv(const sq_reference_call *call)
{
    const sq_slot *z = sq_ref_slot(call, call->op->out);
    for (int n = 0; n < z->n; n++)
        for (int h = 0; h < z->h; h++)
            for (int w = 0; w < z->w; w++)
                for (int o = 0; o < z->c; o++)
                    *sq_ref_at(call, call->op->out, sq_at(n, h, w, o)) = (float)conv_at(call, n, h, w, o);
    normalise(call);
}

/* Returns dZ = scale * (dY - S1 / M - xhat * S2 / M), the gradient of one element of the raw output. M is the number of
 * elements per channel. */
static double raw_gradient(const sq_reference_call *call, int n, int h, int w, int o)
{
    const sq_op *op = call->op;
    const sq_slot *z = sq_ref_slot(call, op->z.slot);
    const double count = (double)z->n * z->h * z->w;
    const double dy =
        (double)*sq_ref_at(call, op->grad, sq_at(n, h, w, o)) * sq_ref_slope(call, op->z, sq_at(n, h, w, o));
    const double xhat =
        (*sq_ref_at(call, op->z.slot, sq_at(n, h, w, o)) - (double)sq_ref_live(call, op->out_norm, SQ_LIVE_MEAN)[o]) *
        sq_ref_live(call, op->out_norm, SQ_LIVE_INVERSE)[o];
    return sq_ref_live(call, op->out_norm, SQ_LIVE_SCALE)[o] *
           (dy - sq_ref_live(call, op->out_norm, SQ_LIVE_S1)[o] / count -
            xhat * sq_ref_live(call, op->out_norm, SQ_LIVE_S2)[o] / count);
}

static void weight_gradient(const sq_reference_call *call)
{
    const sq_op *op = call->op;
    const sq_slot *x = sq_ref_slot(call, op->x.slot), *z = sq_ref_slot(call, op->z.slot);
    const int pad = op->kernel / 2;
    for (int o = 0; o < z->c; o++) {
        int first, last;
        channels_of(call, o, &first, &last);
        for (int i = first; i < last; i++)
            for (int tap = 0; tap < op->kernel * op->kernel; tap++) {
                const int y = tap / op->kernel, v = tap % op->kernel;
                double sum = 0;
                for (int n = 0; n < z->n; n++)
                    for (int h = 0; h < z->h; h++)
                        for (int w = 0; w < z->w; w++) {
                            const int hi = h * op->stride + y - pad, wi = w * op->stride + v - pad;
                            if (hi >= 0 && hi < x->h && wi >= 0 && wi < x->w)
                                sum += raw_gradient(call, n, h, w, o) * sq_ref_value(call, op->x, sq_at(n, hi, wi, i));
                        }
                sq_ref_store(call, weight_at(call, op->weight_grad, o, i - first, tap), sum);
            }
    }
}

/* Returns the gradient of input channel i at one pixel, which is the sum over all outputs that read that input. */
static double input_gradient(const sq_reference_call *call, int n, int h, int w, int i)
{
    const sq_op *op = call->op;
    const sq_slot *z = sq_ref_slot(call, op->z.slot);
    const int pad = op->kernel / 2, first = op->is_depthwise ? i : 0, last = op->is_depthwise ? i + 1 : z->c;
    double sum = 0;
    for (int y = 0; y < op->kernel; y++)
        for (int v = 0; v < op->kernel; v++) {
            const int hs = h + pad - y, ws = w + pad - v, ho = hs / op->stride, wo = ws / op->stride;
            if (hs < 0 || ws < 0 || hs % op->stride || ws % op->stride || ho >= z->h || wo >= z->w)
                continue;
            for (int o = first; o < last; o++)
                sum += raw_gradient(call, n, ho, wo, o) *
                       *weight_at(call, op->weight, o, op->is_depthwise ? 0 : i, y * op->kernel + v);
        }
    return sum;
}

void sq_reference_conv_back(const sq_reference_call *call)
{
    const sq_op *op = call->op;
    const sq_norm *norm = &call->graph->norms[op->out_norm];
    weight_gradient(call);
    for (int i = 0; i < norm->c && norm->gamma_grad != SQ_NONE; i++) {
        sq_ref_store(call, sq_ref_data(call, norm->gamma_grad) + i, sq_ref_live(call, op->out_norm, SQ_LIVE_S2)[i]);
        sq_ref_store(call, sq_ref_data(call, norm->beta_grad) + i, sq_ref_live(call, op->out_norm, SQ_LIVE_S1)[i]);
    }
    if (op->dx == SQ_NONE)
        return;
    const sq_slot *x = sq_ref_slot(call, op->x.slot);
    for (int n = 0; n < x->n; n++)
        for (int h = 0; h < x->h; h++)
            for (int w = 0; w < x->w; w++)
                for (int i = 0; i < sq_ref_view_c(call, op->x); i++) {
                    const double addend =
                        op->addend == SQ_NONE ? 0 : *sq_ref_part_at(call, op->addend, op->dx_part, sq_at(n, h, w, i));
                    *sq_ref_part_at(call, op->dx, op->dx_part, sq_at(n, h, w, i)) =
                        (float)(input_gradient(call, n, h, w, i) + addend);
                }
    sq_ref_sums(call, op->x, op->dx);
}
