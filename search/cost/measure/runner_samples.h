#ifndef SQ_RUNNER_SAMPLES_H
#define SQ_RUNNER_SAMPLES_H

#include "search/cost/measure/runner.h"

/* Holds the measured times of a model and summarises them. */

typedef struct {
    double *values; /* milliseconds; the caller frees it */
    int count, limit;
} sq_samples;

SQ_MUST_USE sq_status sq_samples_add(sq_samples *samples, double value);
/* Returns the median and sorts the values. count must be above 0. */
double sq_samples_median(sq_samples *samples);

/* Divides medians[models * rounds] by the factor by which each round was slower or faster than the other rounds. A
 * change of clock frequency or another process slows all models of a round by about the same factor. The factor of a
 * round is the median over the models of (the model's median in this round / the model's median over all rounds). The
 * factors are scaled so that their median is 1. With fewer than 8 models nothing is changed. source: Tukey 1977,
 * "Exploratory data analysis", chapter 11 (median polish, one pass, on logarithms) */
SQ_MUST_USE sq_status sq_samples_level_rounds(double *medians, int models, int rounds);

/* Summarises the times of one model as sq_runner_time defines. medians: [rounds] the rounds' medians; sorted on
 * return. */
SQ_MUST_USE sq_status sq_samples_summarise(sq_runner_time *out, sq_samples *all, double *medians, int rounds);

#endif
