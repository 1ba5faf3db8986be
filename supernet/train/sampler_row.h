#ifndef SQ_SAMPLER_ROW_H
#define SQ_SAMPLER_ROW_H

#include "kernels/base/rng.h"
#include "supernet/train/sampler.h"

/* The functions of a sampler. To add a sampler, add a line to SQ_SAMPLER_LIST (sampler.h), and a file to
 * supernet/train/samplers that defines the sampler's row. */

typedef struct {
    /* Checks the options, and may allocate s->state with one malloc, which sq_sampler_close frees. NULL: nothing to do.
     */
    sq_status (*open)(sq_sampler *s);
    /* Writes path `index` of a step. With deals_choices, all paths of a step get the same random numbers. Otherwise
     * each path gets different ones. */
    void (*draw)(const sq_sampler *s, sq_rng *rng, int index, int *path);
    /* In each step, every choice is in at least one path. The number of paths is the largest number of choices that a
     * layer has. */
    bool deals_choices;
} sq_sampler_row;

struct sq_sampler {
    const sq_space *space;
    sq_sampler_options options;
    const sq_sampler_row *row;
    int path_count;
    double costs[SQ_MAX_LAYERS][SQ_MAX_CHOICES]; /* millions of multiply-adds */
    void *state;
};

/* Draws a path, in which each allowed choice of a layer has equal probability. Returns the path's cost. */
double sq_sampler_draw_uniform(const sq_sampler *s, sq_rng *rng, int *path);

#define SQ_SAMPLER_DECLARE(constant, word, meaning) extern const sq_sampler_row sq_sampler_##word;
SQ_SAMPLER_LIST(SQ_SAMPLER_DECLARE)

#endif
