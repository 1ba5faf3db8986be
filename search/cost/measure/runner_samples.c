/* Computes medians, the spread of rounds, and outliers. */
#include "search/cost/measure/runner_samples.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* 1.4826 * median absolute deviation estimates the standard deviation of normal samples. */
static const double mad_to_deviation = 1.4826, outlier_deviations = 3, least_outlier = 0.01;

sq_status sq_samples_add(sq_samples *samples, double value)
{
    if (samples->count == samples->limit) {
        const int limit = samples->limit ? 2 * samples->limit : 64;
        double *more = realloc(samples->values, (size_t)limit * sizeof *more);
        if (!more)
            return sq_fail(SQ_NO_MEMORY, "%d times of a model", limit);
        samples->values = more;
        samples->limit = limit;
    }
    samples->values[samples->count++] = value;
    return SQ_OK;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return 0.5 * (values[(count - 1) / 2] + values[count / 2]);
}

double sq_samples_median(sq_samples *samples)
{
    return median(samples->values, samples->count);
}

static double deviation(const double *values, int count)
{
    double mean = 0, squares = 0;
    for (int i = 0; i < count; i++)
        mean += values[i] / count;
    for (int i = 0; i < count; i++)
        squares += (values[i] - mean) * (values[i] - mean);
    return sqrt(squares / (count - 1));
}

sq_status sq_samples_summarise(sq_runner_time *out, sq_samples *all, double *medians, int rounds)
{
    double *distances = malloc((size_t)all->count * sizeof *distances);
    if (!distances)
        return sq_fail(SQ_NO_MEMORY, "%d times of a model", all->count);
    const double middle = sq_samples_median(all);
    for (int i = 0; i < all->count; i++)
        distances[i] = fabs(all->values[i] - middle);
    const double bound =
        fmax(outlier_deviations * mad_to_deviation * median(distances, all->count), least_outlier * middle);
    int outlier_count = 0;
    for (int i = 0; i < all->count; i++)
        outlier_count += distances[i] > bound;
    free(distances);
    *out = (sq_runner_time){.deviation_ms = deviation(medians, rounds),
                            .median_ms = median(medians, rounds),
                            .count = all->count,
                            .outlier_count = outlier_count};
    return SQ_OK;
}

enum { MIN_MODELS = 8 }; /* the median over fewer models is too uncertain */

/* Computes factors[rounds] (sq_samples_level_rounds). scratch: [2 * models + rounds]. */
static void find_factors(double *factors, double *scratch, const double *medians, int models, int rounds)
{
    double *centres = scratch + models + rounds; /* each model's median over the rounds */
    for (int i = 0; i < models; i++) {
        memcpy(scratch, medians + i * rounds, (size_t)rounds * sizeof *scratch);
        centres[i] = median(scratch, rounds);
    }
    for (int r = 0; r < rounds; r++) {
        for (int i = 0; i < models; i++)
            scratch[i] = medians[i * rounds + r] / centres[i];
        factors[r] = median(scratch, models);
    }
    memcpy(scratch, factors, (size_t)rounds * sizeof *scratch);
    const double middle = median(scratch, rounds);
    for (int r = 0; r < rounds; r++)
        factors[r] /= middle;
}

sq_status sq_samples_level_rounds(double *medians, int models, int rounds)
{
    if (models < MIN_MODELS)
        return SQ_OK;
    double *factors = malloc(2 * ((size_t)rounds + (size_t)models) * sizeof *factors);
    if (!factors)
        return sq_fail(SQ_NO_MEMORY, "times of %d rounds", rounds);
    find_factors(factors, factors + rounds, medians, models, rounds);
    for (int i = 0; i < models * rounds; i++)
        medians[i] /= factors[i % rounds];
    free(factors);
    return SQ_OK;
}
