#ifndef SQ_SAMPLER_ROW_H
#define SQ_SAMPLER_ROW_H

#include "kernels/base/rng.h"
#include "supernet/train/sampler.h"

/* The functions of a sampler. To add one: a line in SQ_SAMPLER_LIST (sampler.h), and a file in supernet/train/samplers
 * that defines its row. */

typedef struct {
    /* Checks the options, and may allocate s->state with one malloc, which sq_sampler_close frees. NULL: nothing to do.
     */
    sq_status (*open)(sq_sampler *s);
    /* Writes a path. With deals_choices the random numbers depend on the step, else on the number of the path. */
    void (*draw)(const sq_sampler *s, sq_rng *rng, int index, int *path);
    bool deals_choices; /* the paths of a step contain every choice; their number is the largest number of choices of a
                           layer */
} sq_sampler_row;

struct sq_sampler {
    const sq_space *space;
    sq_sampler_options options;
    const sq_sampler_row *row;
    int path_count;
    double costs[SQ_MAX_LAYERS][SQ_MAX_CHOICES]; /* millions of multiply-adds */
    void *state;
};

/* Draws each choice of the mask with equal probability; returns the path's cost. */
double sq_sampler_draw_uniform(const sq_sampler *s, sq_rng *rng, int *path);

#define SQ_SAMPLER_DECLARE(constant, word, meaning) extern const sq_sampler_row sq_sampler_##word;
SQ_SAMPLER_LIST(SQ_SAMPLER_DECLARE)

#endif
