#include "supernet/train/sampler_row.h"

static void draw(const sq_sampler *s, sq_rng *rng, int index, int *path)
{
    (void)index;
    (void)sq_sampler_draw_uniform(s, rng, path);
}

const sq_sampler_row sq_sampler_uniform = {.draw = draw};
