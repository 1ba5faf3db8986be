/* Fits a line to points (predicted, measured), and computes measures of the agreement of predictions. */
#include "search/cost/fit/fit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALL_PAIRS_LIMIT = 1000, ROUNDS_LIMIT = 100, MIN_POINTS = 3 };
static const double mad_of_normal = 0.6744897501960817;  /* median absolute deviation of N(0, 1) */
static const double bisquare_c = 4.685;                  /* deviations; 95 % efficiency for normal errors */
static const double rounding = 1e-10, converged = 1e-13; /* relative to the largest |y|; to |scale| + |base| */
static const double least_scale = 0.5, most_scale = 2, most_mape = 10; /* of a plausible line */

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Returns the median and sorts the values. */
static double median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, by_value);
    return n % 2 ? values[n / 2] : 0.5 * (values[n / 2 - 1] + values[n / 2]);
}

typedef struct {
    double x, y;
    size_t index;
} point;

static int by_x(const void *a, const void *b)
{
    const point *p = a, *q = b;
    if (p->x != q->x)
        return p->x > q->x ? 1 : -1;
    return (p->index > q->index) - (p->index < q->index);
}

/* ---- The line ---- */

/* Fits a line by weighted least squares; weights NULL: all 1. Returns false if all points with a weight above 0 have
 * the same x. */
static bool least_squares(const point *points, const double *weights, size_t n, sq_line *out)
{
    double total = 0, x = 0, y = 0, xx = 0, xy = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
        const double w = weights ? weights[i] : 1;
        total += w;
        x += w * points[i].x;
        y += w * points[i].y;
    }
    if (total <= 0)
        return false;
    x /= total;
    y /= total;
    for (size_t i = 0; i < n; i++) {
        const double w = weights ? weights[i] : 1, dx = points[i].x - x;
        xx += w * dx * dx;
        xy += w * dx * (points[i].y - y);
        largest = fmax(largest, fabs(points[i].x));
    }
    if (!(xx > total * largest * largest * 1e-24)) /* a relative spread of 1e-12 is rounding */
        return false;
    out->scale = xy / xx;
    out->base = y - out->scale * x;
    return true;
}

/* Sets the slope to the median of the slopes between pairs of points, then the base to the median of the residuals.
 * points: sorted by x; scratch: room for one number per pair, and for one per point. */
static void theil_sen(const point *points, size_t n, double *scratch, sq_line *out)
{
    size_t count = 0;
    if (n <= ALL_PAIRS_LIMIT) {
        for (size_t i = 0; i < n; i++)
            for (size_t j = i + 1; j < n; j++)
                if (points[j].x > points[i].x)
                    scratch[count++] = (points[j].y - points[i].y) / (points[j].x - points[i].x);
    } else {
        for (size_t i = 0, half = n - n / 2; i < n / 2; i++)
            if (points[i + half].x > points[i].x)
                scratch[count++] = (points[i + half].y - points[i].y) / (points[i + half].x - points[i].x);
    }
    if (count > 0) /* 0: too many points have the same x; the slope of least squares is kept */
        out->scale = median(scratch, count);
    for (size_t i = 0; i < n; i++)
        scratch[i] = points[i].y - out->scale * points[i].x;
    out->base = median(scratch, n);
}

static double residual(const sq_line *line, const point *p)
{
    return p->y - line->base - line->scale * p->x;
}

/* Improves a robust line by least squares that are reweighted with Tukey's bisquare. The spread of the residuals is
 * estimated from the first line and stays fixed. */
static void improve(const point *points, size_t n, double *scratch, double *weights, sq_line *line)
{
    double size = 0;
    for (size_t i = 0; i < n; i++) {
        scratch[i] = fabs(residual(line, &points[i]));
        size = fmax(size, fabs(points[i].y));
    }
    const double spread = median(scratch, n) / mad_of_normal;
    const double reach =
        fmax(bisquare_c * spread, rounding * size); /* on an exact line, rounding errors are not outliers */
    for (int round = 0; round < ROUNDS_LIMIT; round++) {
        sq_line next = *line;
        size_t outliers = 0;
        for (size_t i = 0; i < n; i++) {
            const double r = fabs(residual(line, &points[i])), u = reach > 0 ? r / reach : 0;
            weights[i] = u < 1 ? (1 - u * u) * (1 - u * u) : 0;
            outliers += u >= 1;
        }
        line->outliers = outliers;
        if (reach <= 0 || !least_squares(points, weights, n, &next))
            return;
        const double change = fabs(next.scale - line->scale) + fabs(next.base - line->base);
        line->scale = next.scale;
        line->base = next.base;
        if (change <= converged * (fabs(next.scale) + fabs(next.base)))
            return;
    }
}

sq_status sq_fit_line(sq_line *out, const double *predicted, const double *measured, size_t n, bool is_robust)
{
    if (n < MIN_POINTS)
        return sq_fail(SQ_INVALID, "line fit: %zu networks, expected at least %d", n, MIN_POINTS);
    const size_t pairs = n <= ALL_PAIRS_LIMIT ? n * (n - 1) / 2 : 0;
    point *points = malloc(n * sizeof *points);
    double *scratch = malloc((pairs > n ? pairs : n) * sizeof *scratch), *weights = malloc(n * sizeof *weights);
    sq_status status = points && scratch && weights ? SQ_OK : sq_fail(SQ_NO_MEMORY, "line fit: %zu networks", n);
    sq_line line = {0, 0, 0};
    for (size_t i = 0; status == SQ_OK && i < n; i++) {
        points[i] = (point){predicted[i], measured[i], i};
        if (!isfinite(predicted[i]) || !isfinite(measured[i]))
            status = sq_fail(SQ_INVALID, "line fit: network %zu: predicted %g, measured %g, expected finite numbers", i,
                             predicted[i], measured[i]);
    }
    if (status == SQ_OK && !least_squares(points, NULL, n, &line))
        status = sq_fail(SQ_INVALID, "line fit: all %zu predictions are %g, expected networks of different latency", n,
                         predicted[0]);
    if (status == SQ_OK && is_robust) {
        qsort(points, n, sizeof *points, by_x);
        theil_sen(points, n, scratch, &line);
        improve(points, n, scratch, weights, &line);
    }
    if (status == SQ_OK)
        *out = line;
    free(points);
    free(scratch);
    free(weights);
    return status;
}

bool sq_line_doubt(char *out, size_t bytes, const sq_line *line, double network_ms, double mape)
{
    if (!(line->scale >= least_scale && line->scale <= most_scale))
        (void)snprintf(out, bytes, "scale %.4f, expected 0.5 to 2", line->scale);
    else if (!(line->base >= -network_ms))
        (void)snprintf(out, bytes, "base %.4f ms: networks of %.4f ms are faster than half of their blocks", line->base,
                       network_ms);
    else if (!(mape <= most_mape))
        (void)snprintf(out, bytes, "whole networks are missed by %.1f %% on average, expected 10 %%", mape);
    else
        return false;
    return true;
}

/* ---- Quality ---- */

/* Sorts y[n] by merging. Returns the number of exchanges that a bubble sort would make. */
static double merge_count(double *y, double *scratch, size_t n)
{
    double exchanges = 0;
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t start = 0; start < n; start += 2 * width) {
            const size_t middle = start + width < n ? start + width : n;
            const size_t end = start + 2 * width < n ? start + 2 * width : n;
            size_t i = start, j = middle;
            for (size_t k = start; k < end; k++) {
                if (i < middle && (j >= end || y[i] <= y[j])) {
                    scratch[k] = y[i++];
                } else {
                    exchanges += (double)(middle - i);
                    scratch[k] = y[j++];
                }
            }
        }
        memcpy(y, scratch, n * sizeof *y);
    }
    return exchanges;
}

static double pairs_of(double n)
{
    return 0.5 * n * (n - 1);
}

static int by_x_then_y(const void *a, const void *b)
{
    const point *p = a, *q = b;
    return p->x != q->x ? (p->x > q->x) - (p->x < q->x) : (p->y > q->y) - (p->y < q->y);
}

/* Returns Kendall's tau-b by the method of Knight 1966. Pairs are counted in doubles, which are exact up to 9e15 pairs,
 * that is, up to 1.3e8 points. */
static double kendall(point *points, double *y, double *scratch, size_t n)
{
    double tied_x = 0, tied_y = 0, tied_both = 0;
    size_t run_x = 1, run_both = 1, run_y = 1;
    qsort(points, n, sizeof *points, by_x_then_y);
    for (size_t i = 0; i < n; i++) {
        y[i] = points[i].y;
        const bool is_same_x = i + 1 < n && points[i + 1].x == points[i].x;
        const bool is_same = is_same_x && points[i + 1].y == points[i].y;
        tied_x += is_same_x ? 0 : pairs_of((double)run_x);
        tied_both += is_same ? 0 : pairs_of((double)run_both);
        run_x = is_same_x ? run_x + 1 : 1;
        run_both = is_same ? run_both + 1 : 1;
    }
    const double exchanges = merge_count(y, scratch, n);
    for (size_t i = 0; i < n; i++) {
        const bool is_same = i + 1 < n && y[i + 1] == y[i];
        tied_y += is_same ? 0 : pairs_of((double)run_y);
        run_y = is_same ? run_y + 1 : 1;
    }
    const double all = pairs_of((double)n);
    const double difference = all - tied_x - tied_y + tied_both - 2 * exchanges;
    const double scale = sqrt((all - tied_x) * (all - tied_y));
    return scale > 0 ? difference / scale : NAN;
}

/* Writes ranks[index] of each point by its x, from 1. Points with the same x get the mean of their ranks. */
static void rank(point *points, size_t n, double *ranks)
{
    qsort(points, n, sizeof *points, by_x);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && points[end].x == points[i].x;)
            end++;
        for (size_t j = i; j < end; j++)
            ranks[points[j].index] = 0.5 * (double)(i + 1 + end);
    }
}

static double correlation(const double *a, const double *b, size_t n)
{
    const double middle = 0.5 * (double)(n + 1); /* mean of all ranks */
    double aa = 0, bb = 0, ab = 0;
    for (size_t i = 0; i < n; i++) {
        aa += (a[i] - middle) * (a[i] - middle);
        bb += (b[i] - middle) * (b[i] - middle);
        ab += (a[i] - middle) * (b[i] - middle);
    }
    return aa > 0 && bb > 0 ? ab / (sqrt(aa * bb)) : NAN;
}

static void count_errors(sq_quality *q, const double *predicted, const double *measured, size_t n)
{
    double relative = 0, squares = 0, largest = -1;
    size_t five = 0, ten = 0;
    for (size_t i = 0; i < n; i++) {
        const double error = predicted[i] - measured[i], share = fabs(error) / measured[i];
        relative += share;
        squares += error * error;
        five += share <= 0.05;
        ten += share <= 0.10;
        if (share > largest) {
            largest = share;
            q->worst = i;
            q->worst_percent = 100 * error / measured[i];
        }
    }
    q->count = n;
    q->mape = 100 * relative / (double)n;
    q->rmse = sqrt(squares / (double)n);
    q->within_5 = 100 * (double)five / (double)n;
    q->within_10 = 100 * (double)ten / (double)n;
}

sq_status sq_fit_quality(sq_quality *out, const double *predicted, const double *measured, size_t n)
{
    sq_quality q = {0};
    if (n == 0)
        return sq_fail(SQ_INVALID, "quality: no networks to compare");
    for (size_t i = 0; i < n; i++)
        if (!isfinite(predicted[i]) || !isfinite(measured[i]) || measured[i] <= 0)
            return sq_fail(SQ_INVALID,
                           "quality: network %zu: predicted %g, measured %g, expected finite numbers, measured > 0", i,
                           predicted[i], measured[i]);
    point *points = malloc(n * sizeof *points);
    double *a = malloc(n * sizeof *a), *b = malloc(n * sizeof *b);
    if (points && a && b) {
        count_errors(&q, predicted, measured, n);
        for (size_t i = 0; i < n; i++)
            points[i] = (point){predicted[i], measured[i], i};
        q.tau = kendall(points, a, b, n);
        for (size_t i = 0; i < n; i++)
            points[i] = (point){predicted[i], 0, i};
        rank(points, n, a);
        for (size_t i = 0; i < n; i++)
            points[i] = (point){measured[i], 0, i};
        rank(points, n, b);
        q.spearman = correlation(a, b, n);
        *out = q;
    }
    const sq_status status = points && a && b ? SQ_OK : sq_fail(SQ_NO_MEMORY, "quality: %zu networks", n);
    free(points);
    free(a);
    free(b);
    return status;
}
