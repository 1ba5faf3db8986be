#ifndef SQ_SAMPLER_H
#define SQ_SAMPLER_H

#include "supernet/scope.h"

/* Which path a step trains: a function of (seed, step), the same on every rank. */

typedef enum { SQ_SAMPLE_UNIFORM, SQ_SAMPLE_COST_BINS } sq_sampling;

typedef struct {
    sq_sampling sampling;
    double bin_low, bin_high, bin_width; /* COST_BINS: multiply-adds in millions; SPOS: 290, 360, 10 */
    const sq_scope *scope; /* borrowed: what may be drawn; NULL: every choice */
} sq_sampler_options;

typedef struct sq_sampler sq_sampler;

/* Adds up every block's cost once. SQ_INVALID when the bins make no sense. */
SQ_MUST_USE sq_status sq_sampler_open(sq_sampler **out, const sq_space *space, const sq_sampler_options *options);
void sq_sampler_close(sq_sampler *sampler); /* accepts NULL */

/* path[layer_count]. Uniform: every choice of every layer alike. COST_BINS, as SPOS draws: a bin uniformly, then up to
 * 500 random paths until one falls into it, else any random path (papers: SPOS, src/Supernet/train.py). Allocates
 * nothing. */
void sq_sampler_draw(const sq_sampler *sampler, uint64_t seed, uint64_t step, int *path);

#endif
