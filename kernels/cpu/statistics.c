/* Merges the partial results of tiles: moments (Chan, Golub, LeVeque 1979), sums of gradients, weight gradients. Merges
 * run in FP64 or in a fixed order, so that the results do not depend on threads. */
#include "kernels/cpu/statistics.h"

#include <math.h>
#include <string.h>

enum { MERGE_BLOCK = 1024 }; /* weights per task of sq_merge_weights */

typedef struct {
    double count, mean, m2; /* m2: sum of squared differences from the mean */
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

/* Adds the moments `more` to the moments m. */
static void merge_more(moments *m, moments more)
{
    const double delta = more.mean - m->mean, total = m->count + more.count;
    m->mean += delta * more.count / total;
    m->m2 += more.m2 + delta * delta * m->count * more.count / total;
    m->count = total;
}

static moments merge_channel(const sq_tile_moments_list *list, int c, int i)
{
    moments m = {0};
    for (int t = 0; t < list->tiles; t++) {
        const float *partial = list->partial + 2 * (size_t)c * (size_t)t + i;
        merge_more(&m, (moments){t + 1 < list->tiles ? list->rows : list->last_rows, partial[0], partial[c]});
    }
    return m;
}

static void set_channel(const sq_cpu_call *call, int i, const moments *m)
{
    const sq_cpu_norm *norm = &call->norm;
    const double rate = call->step->statistics_rate, unbiased = m->m2 / (m->count > 1 ? m->count - 1 : 1);
    norm->running_mean[i] += (float)((m->mean - norm->running_mean[i]) * rate);
    norm->running_variance[i] += (float)((unbiased - norm->running_variance[i]) * rate);
    set_live(call, i, m->mean, m->m2 / m->count);
}

/* Gathers 2c values of every rank. The values of this rank are at w->exchanged. The values of all ranks are written at
 * w->exchanged + w->exchanged_count. Returns false if a rank is lost. */
static bool gather(const sq_cpu_workspace *w, int c)
{
    *w->exchange_status = w->exchange->gather(w->exchange->context, w->exchanged, w->exchanged + w->exchanged_count,
                                              2 * (size_t)c * sizeof *w->exchanged);
    return *w->exchange_status == SQ_OK;
}

/* Merges the moments of all ranks, in rank order. Every rank has the same number of images. */
static void merge_ranks(const sq_cpu_call *call, const sq_tile_moments_list *list)
{
    const sq_cpu_workspace *w = call->workspace;
    const int c = call->norm.c;
    double count = 0;
    for (int i = 0; i < c; i++) {
        const moments m = merge_channel(list, c, i);
        w->exchanged[i] = m.mean;
        w->exchanged[c + i] = m.m2;
        count = m.count;
    }
    if (!gather(w, c))
        return;
    for (int i = 0; i < c; i++) {
        const double *all = w->exchanged + w->exchanged_count + i;
        moments m = {0};
        for (int r = 0; r < w->exchange->count; r++, all += 2 * c)
            merge_more(&m, (moments){count, all[0], all[c]});
        set_channel(call, i, &m);
    }
}

void sq_merge_moments(const sq_cpu_call *call, const sq_tile_moments_list *list)
{
    if (call->workspace->exchange && call->op->statistics == SQ_STATISTICS_BATCH) {
        merge_ranks(call, list);
        return;
    }
#pragma omp parallel for num_threads(call->threads) schedule(static)
    for (int i = 0; i < call->norm.c; i++) {
        const moments m = merge_channel(list, call->norm.c, i);
        set_channel(call, i, &m);
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

void sq_merge_weights(const sq_cpu_call *call, float *gradient, const float *partial, int groups, size_t count)
{
    const bool is_added = call->step->accumulate != 0;
    const long blocks = (long)((count + MERGE_BLOCK - 1) / MERGE_BLOCK);
#pragma omp parallel for num_threads(call->threads) schedule(static) if (blocks > 8)
    for (long b = 0; b < blocks; b++) {
        const size_t begin = (size_t)b * MERGE_BLOCK, end = begin + MERGE_BLOCK < count ? begin + MERGE_BLOCK : count;
        for (size_t i = begin; i < end; i++) {
            float sum = partial[i];
            for (int g = 1; g < groups; g++)
                sum += partial[(size_t)g * count + i];
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

/* Sums S1 and S2 of the norm of z over the ranks into `exchanged`. */
static void add_ranks(const sq_cpu_call *call)
{
    const sq_cpu_workspace *w = call->workspace;
    const int c = call->z.c;
    for (int i = 0; i < c; i++) {
        w->exchanged[i] = call->z.s1[i];
        w->exchanged[c + i] = call->z.s2[i];
    }
    if (!gather(w, c))
        return;
    for (int i = 0; i < 2 * c; i++) {
        w->exchanged[i] = 0;
        for (int r = 0; r < w->exchange->count; r++)
            w->exchanged[i] += w->exchanged[w->exchanged_count + (size_t)r * 2 * (size_t)c + (size_t)i];
    }
}

/* The live rows keep S1 and S2 of this rank, because these sums become the gradients of gamma and beta, which are
 * reduced over the ranks later. */
void sq_gradient_constants(const sq_cpu_call *call, float *constants)
{
    const sq_cpu_view *z = &call->z;
    const sq_cpu_workspace *w = call->workspace;
    const int padded = sq_cpu_padded(z->c);
    const double count = (double)z->n * z->h * z->w * (w->exchange ? w->exchange->count : 1);
    if (w->exchange)
        add_ranks(call);
    memset(constants, 0, 3 * (size_t)padded * sizeof *constants);
    for (int i = 0; i < z->c; i++) {
        const double s1 = w->exchange ? w->exchanged[i] : z->s1[i],
                     s2 = w->exchange ? w->exchanged[z->c + i] : z->s2[i];
        const double a = z->scale[i], t = a * s2 * z->inverse[i] / count;
        constants[i] = (float)a;
        constants[padded + i] = (float)-t;
        constants[2 * padded + i] = (float)(t * z->mean[i] - a * s1 / count);
    }
}
