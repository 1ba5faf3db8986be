#ifndef SQ_RUNNER_SAMPLES_H
#define SQ_RUNNER_SAMPLES_H

#include "search/cost/measure/runner.h"

/* The measured times of a model, and their summary. */

typedef struct {
    double *values; /* milliseconds; the caller frees it */
    int count, limit;
} sq_samples;

SQ_MUST_USE sq_status sq_samples_add(sq_samples *samples, double value);
/* The median; sorts the values. count must be above 0. */
double sq_samples_median(sq_samples *samples);

/* Removes from medians[models * rounds] the factor by which a whole round was slower or faster than the others. Each
 * round is divided by the median over the models of (its median / the model's median over the rounds); these factors
 * are scaled to a median of 1. A change of clock frequency, or another process, disturbs all models of a round in the
 * same way. With fewer than 8 models nothing changes. source: Tukey 1977, "Exploratory data analysis", chapter 11
 * (median polish, one pass, on logarithms) */
SQ_MUST_USE sq_status sq_samples_level_rounds(double *medians, int models, int rounds);

/* medians: of the rounds, [rounds]; sorted on return. sq_runner_time defines the results. */
SQ_MUST_USE sq_status sq_samples_summarise(sq_runner_time *out, sq_samples *all, double *medians, int rounds);

#endif
