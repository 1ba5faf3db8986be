#ifndef SQ_SAMPLER_H
#define SQ_SAMPLER_H

#include "supernet/train/search_mask.h"

/* Which paths a step trains: a function of (seed, step, index), the same on every rank and in any order asked. */

typedef enum { SQ_SAMPLE_UNIFORM, SQ_SAMPLE_COST_BINS, SQ_SAMPLE_FAIR } sq_sampling;

enum { SQ_MAX_PATHS = SQ_MAX_CHOICES };

typedef struct {
    sq_sampling sampling;
    int paths; /* of one step; 0: 1. FAIR knows its number itself: 0, 1 or that number */
    double bin_low, bin_high, bin_width; /* COST_BINS: multiply-adds in millions; SPOS: 290, 360, 10 */
    const sq_search_mask *search_mask;   /* borrowed: what may be drawn; NULL: every choice */
} sq_sampler_options;

typedef struct sq_sampler sq_sampler;

/* Adds up every block's cost once. SQ_INVALID when the bins make no sense, or the number of paths. */
SQ_MUST_USE sq_status sq_sampler_open(sq_sampler **out, const sq_space *space, const sq_sampler_options *options);
void sq_sampler_close(sq_sampler *sampler); /* accepts NULL */

/* Paths of one step, 1 .. SQ_MAX_PATHS: FAIR's is the largest number of choices of a layer. Where only one path may be
 * drawn (a space of one path, a scope that fixes every layer) it is 1: the same path again would teach nothing. */
int sq_sampler_paths(const sq_sampler *sampler);

/* Path `index` of a step, 0 .. sq_sampler_paths - 1, into path[layer_count]. Allocates nothing.
 *
 * UNIFORM    every choice of every layer alike. Path `index` of `step` is what path 0 of step * paths + index is with
 *            one path a step: N paths a step see the same paths in the same order, N at a time
 * COST_BINS  as SPOS draws: a bin uniformly, then up to 500 random paths until one falls into it, else any random path
 *            (papers: SPOS, src/Supernet/train.py). Numbered as UNIFORM
 * FAIR       strict fairness: every layer deals its choices out to the m paths of the step in a random order, so that
 *            each choice is in exactly one of them (Chu et al. 2021, "FairNAS", algorithm 1). A layer of n < m choices
 *            deals each floor(m / n) times, and m mod n of them, drawn anew each step, once more */
void sq_sampler_draw(const sq_sampler *sampler, uint64_t seed, uint64_t step, int index, int *path);

#endif
