#ifndef SQ_RUNNER_SAMPLES_H
#define SQ_RUNNER_SAMPLES_H

#include "search/cost/measure/runner.h"

/* Times of one model, and what is said of them. */

typedef struct {
    double *values; /* milliseconds; the owner of the samples frees it */
    int count, limit;
} sq_samples;

SQ_MUST_USE sq_status sq_samples_add(sq_samples *samples, double value);
/* The middle value, or the mean of the two; sorts them. count > 0. */
double sq_samples_median(sq_samples *samples);
/* Takes out of medians[models * rounds] by how much a whole round was slower or faster than the others: each round is
 * divided by the median over the models of (its median / the model's median over the rounds), these factors scaled to a
 * median of 1. That is what rounds are interleaved for: clocks and neighbours disturb all models of a round alike. Fewer
 * than 8 models say too little of a round, and stay as they are. source: Tukey 1977, "Exploratory data analysis",
 * chapter 11 (median polish, one pass, on logarithms) */
SQ_MUST_USE sq_status sq_samples_level_rounds(double *medians, int models, int rounds);

/* medians: of the rounds, [rounds], sorted on return. The rules stand at sq_runner_time. */
SQ_MUST_USE sq_status sq_samples_summarise(sq_runner_time *out, sq_samples *all, double *medians, int rounds);

#endif
