/* Merging what tiles left: moments (Chan, Golub, LeVeque 1979), sums of gradients, partial weight gradients. In FP64 or
 * in a fixed order, so that the result does not depend on threads. */
#include <math.h>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/vector.h"

typedef struct {
    double mean, variance, unbiased;
} moments;

static void set_live(const sq_cpu_call *call, int i, double mean, double variance)
{
    const sq_cpu_norm *norm = &call->norm;
    const double inverse = 1 / sqrt(variance + norm->epsilon);
    const double scale = (norm->gamma ? norm->gamma[i] : 1) * inverse;
    norm->live[SQ_LIVE_SCALE * norm->live_pitch + i] = (float)scale;
    norm->live[SQ_LIVE_SHIFT * norm->live_pitch + i] = (float)((norm->beta ? norm->beta[i] : 0) - mean * scale);
    norm->live[SQ_LIVE_MEAN * norm->live_pitch + i] = (float)mean;
    norm->live[SQ_LIVE_INVERSE * norm->live_pitch + i] = (float)inverse;
}

static moments merge_channel(const float *partial, int c, int i, int tiles, int rows, int last_rows)
{
    double count = 0, mean = 0, m2 = 0;
    for (int t = 0; t < tiles; t++) {
        const double more = t + 1 < tiles ? rows : last_rows,
                     delta = partial[2 * (size_t)c * (size_t)t + (size_t)i] - mean;
        const double total = count + more;
        mean += delta * more / total;
        m2 += partial[2 * (size_t)c * (size_t)t + (size_t)(c + i)] + delta * delta * count * more / total;
        count = total;
    }
    return (moments){mean, m2 / count, m2 / (count > 1 ? count - 1 : 1)};
}

void sq_merge_moments(const sq_cpu_call *call, const float *partial, int tiles, int rows, int last_rows)
{
    const sq_cpu_norm *norm = &call->norm;
    const double rate = call->step->statistics_rate;
#pragma omp parallel for num_threads(call->threads) schedule(static)
    for (int i = 0; i < norm->c; i++) {
        const moments m = merge_channel(partial, norm->c, i, tiles, rows, last_rows);
        norm->running_mean[i] += (float)((m.mean - norm->running_mean[i]) * rate);
        norm->running_variance[i] += (float)((m.unbiased - norm->running_variance[i]) * rate);
        set_live(call, i, m.mean, m.variance);
    }
}

void sq_fix_norm(const sq_cpu_call *call)
{
    for (int i = 0; i < call->norm.c; i++)
        set_live(call, i, call->norm.running_mean[i], call->norm.running_variance[i]);
}

void sq_merge_sums(const sq_cpu_view *view, const float *partial, int tiles)
{
    if (!sq_wants_sums(view))
        return;
    for (int i = 0; i < view->c; i++) {
        double s1 = 0, s2 = 0;
        for (int t = 0; t < tiles; t++) {
            s1 += partial[2 * (size_t)view->c * (size_t)t + (size_t)i];
            s2 += partial[2 * (size_t)view->c * (size_t)t + (size_t)(view->c + i)];
        }
        view->s1[i] = (float)s1;
        view->s2[i] = (float)s2;
    }
}

void sq_merge_weights(const sq_cpu_call *call, float *gradient, const float *partial, int groups, size_t stride,
                      size_t count)
{
    const bool is_added = call->step->accumulate != 0;
    const long blocks = (long)((count + 1023) / 1024);
#pragma omp parallel for num_threads(call->threads) schedule(static) if (blocks > 8)
    for (long b = 0; b < blocks; b++) {
        const size_t begin = (size_t)b * 1024, end = begin + 1024 < count ? begin + 1024 : count;
        for (size_t i = begin; i < end; i++) {
            float sum = partial[i];
            for (int g = 1; g < groups; g++)
                sum += partial[(size_t)g * stride + i];
            gradient[i] = is_added ? gradient[i] + sum : sum;
        }
    }
}

void sq_store_norm_grads(const sq_cpu_call *call)
{
    const sq_cpu_norm *norm = &call->norm;
    if (!norm->gamma_grad)
        return;
    const bool is_added = call->step->accumulate != 0;
    for (int i = 0; i < norm->c; i++) {
        norm->gamma_grad[i] = norm->live[SQ_LIVE_S2 * norm->live_pitch + i] + (is_added ? norm->gamma_grad[i] : 0);
        norm->beta_grad[i] = norm->live[SQ_LIVE_S1 * norm->live_pitch + i] + (is_added ? norm->beta_grad[i] : 0);
    }
}
