#ifndef SQ_RUNNER_SAMPLES_H
#define SQ_RUNNER_SAMPLES_H

#include "search/runner.h"

/* Times of one model, and what is said of them. */

typedef struct {
    double *values; /* milliseconds; the owner of the samples frees it */
    int count, limit;
} sq_samples;

SQ_MUST_USE sq_status sq_samples_add(sq_samples *samples, double value);
/* The middle value, or the mean of the two; sorts them. count > 0. */
double sq_samples_median(sq_samples *samples);
/* medians: of the rounds, [rounds], sorted on return. The rules stand at sq_runner_time. */
SQ_MUST_USE sq_status sq_samples_summarise(sq_runner_time *out, sq_samples *all, double *medians, int rounds);

#endif
