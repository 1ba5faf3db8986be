/* Draws a bin of costs with equal probability, then up to 500 paths until the cost of a path is in the bin. If none of
 * these paths fits, draws any path. source: SPOS, src/Supernet/train.py */
#include <math.h>

#include "supernet/train/sampler_row.h"

enum { TRIES = 500 };

static sq_status check(sq_sampler *s)
{
    const sq_sampler_options *o = &s->options;
    if (!(o->bin_width > 0 && o->bin_high > o->bin_low))
        return sq_fail(SQ_INVALID, "train.sampler: bins of %g from %g to %g, expected a width above 0 and low < high",
                       o->bin_width, o->bin_low, o->bin_high);
    return SQ_OK;
}

static void draw(const sq_sampler *s, sq_rng *rng, int index, int *path)
{
    const sq_sampler_options *o = &s->options;
    const int bin_count = (int)ceil((o->bin_high - o->bin_low) / o->bin_width - 1e-9);
    const double low = o->bin_low + o->bin_width * sq_rng_below(rng, (uint32_t)bin_count);
    (void)index;
    for (int i = 0; i < TRIES; i++) {
        const double cost = sq_sampler_draw_uniform(s, rng, path);
        if (cost >= low && cost < low + o->bin_width)
            return;
    }
    (void)sq_sampler_draw_uniform(s, rng, path);
}

const sq_sampler_row sq_sampler_cost_bins = {.open = check, .draw = draw};
