#ifndef SQ_SAMPLER_H
#define SQ_SAMPLER_H

#include "supernet/train/search_mask.h"

/* Draws the paths that a step trains. A path is a function of (seed, step, index), so it is the same on every rank and
 * in any order of calls. */

/* The samplers: SAMPLER(constant, word of train.sampler, meaning). Each has a row `sq_sampler_<word>` in
 * supernet/train/samplers (sampler_row.h). The configuration's words and help derive from this list. */
#define SQ_SAMPLER_LIST(SAMPLER)                                                                                       \
    SAMPLER(UNIFORM, uniform, "each choice of a layer with equal probability")                                         \
    SAMPLER(COST_BINS, cost_bins, "draw a bin of multiply-adds, then a path in it (SPOS)")                             \
    SAMPLER(FAIR, fair, "each choice of each layer once per step (FairNAS)")                                           \
    SAMPLER(COST_WEIGHTED, cost_weighted, "costs of paths uniform over the range of multiply-adds")

#define SQ_SAMPLER_CONSTANT(constant, word, meaning) SQ_SAMPLE_##constant,
typedef enum { SQ_SAMPLER_LIST(SQ_SAMPLER_CONSTANT) SQ_SAMPLERS } sq_sampling;

/* "uniform cost_bins fair cost_weighted " */
#define SQ_SAMPLER_WORD(constant, word, meaning) #word " "
#define SQ_SAMPLER_WORDS                         SQ_SAMPLER_LIST(SQ_SAMPLER_WORD)
/* "; uniform: each choice ...; cost_bins: ..." */
#define SQ_SAMPLER_MEANING(constant, word, meaning) "; " #word ": " meaning
#define SQ_SAMPLER_MEANINGS                         SQ_SAMPLER_LIST(SQ_SAMPLER_MEANING)

enum { SQ_MAX_PATHS = SQ_MAX_CHOICES };

typedef struct {
    sq_sampling sampling;
    int paths; /* per step; 0 means 1. FAIR determines the number itself, and accepts 0, 1 or that number */
    double bin_low, bin_high, bin_width; /* COST_BINS: millions of multiply-adds; SPOS: 290, 360, 10 */
    const sq_search_mask *search_mask;   /* the choices to draw from; NULL: all. Borrowed */
} sq_sampler_options;

typedef struct sq_sampler sq_sampler;

/* Computes the cost of every block. SQ_INVALID: bins or number of paths out of range. */
SQ_MUST_USE sq_status sq_sampler_open(sq_sampler **out, const sq_space *space, const sq_sampler_options *options);
void sq_sampler_close(sq_sampler *sampler); /* accepts NULL */

/* Returns the number of paths per step, 1 .. SQ_MAX_PATHS. The number is 1 if only one path can be drawn (a space of
 * one path, a mask that fixes every layer). */
int sq_sampler_paths(const sq_sampler *sampler);

/* Writes path `index` of a step, 0 .. sq_sampler_paths - 1, to path[layer_count]. Allocates nothing. Except for
 * FAIR, the sequence of paths over all steps does not depend on the number of paths per step. */
void sq_sampler_draw(const sq_sampler *sampler, uint64_t seed, uint64_t step, int index, int *path);

#endif
