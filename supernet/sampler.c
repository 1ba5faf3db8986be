/* Uniform paths and SPOS's bins. */
#include "supernet/sampler.h"

#include <math.h>
#include <stdlib.h>

#include "supernet/cost.h"

enum { TRIES = 500 };

struct sq_sampler {
    const sq_space *space;
    sq_sampler_options options;
    int bin_count;
    double macs[SQ_MAX_LAYERS][SQ_MAX_CHOICES]; /* in millions */
};

sq_status sq_sampler_open(sq_sampler **out, const sq_space *space, const sq_sampler_options *options)
{
    const bool has_bins = options->sampling == SQ_SAMPLE_COST_BINS;
    if (has_bins && !(options->bin_width > 0 && options->bin_high > options->bin_low))
        return sq_fail(SQ_INVALID, "train.sampler: bins of %g from %g to %g, wanted a width above 0 and low < high",
                       options->bin_width, options->bin_low, options->bin_high);
    sq_sampler *s = calloc(1, sizeof *s);
    if (!s)
        return sq_fail(SQ_NO_MEMORY, "sampler");
    s->space = space;
    s->options = *options;
    s->bin_count = has_bins ? (int)ceil((options->bin_high - options->bin_low) / options->bin_width - 1e-9) : 0;
    for (int l = 0; l < space->layer_count; l++)
        for (int c = 0; c < space->layers[l].choice_count; c++)
            s->macs[l][c] = 1e-6 * (double)sq_cost_block(space, l, c).macs;
    *out = s;
    return SQ_OK;
}

void sq_sampler_close(sq_sampler *sampler)
{
    free(sampler);
}

/* A uniform path; returns its cost. */
static double draw(const sq_sampler *s, sq_rng *rng, int *path)
{
    double macs = 0;
    for (int l = 0; l < s->space->layer_count; l++) {
        path[l] = sq_scope_draw(s->options.scope, s->space, l, rng);
        macs += s->macs[l][path[l]];
    }
    return macs;
}

void sq_sampler_draw(const sq_sampler *s, uint64_t seed, uint64_t step, int *path)
{
    sq_rng rng = sq_rng_open(seed, SQ_RNG_PATH, step);
    if (s->options.sampling == SQ_SAMPLE_UNIFORM) {
        (void)draw(s, &rng, path);
        return;
    }
    const double low = s->options.bin_low + s->options.bin_width * sq_rng_below(&rng, (uint32_t)s->bin_count);
    for (int i = 0; i < TRIES; i++) {
        const double macs = draw(s, &rng, path);
        if (macs >= low && macs < low + s->options.bin_width)
            return;
    }
    (void)draw(s, &rng, path);
}
