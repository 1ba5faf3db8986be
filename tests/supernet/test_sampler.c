/* Path samplers: fair draws and cost bins. */
#include <stdlib.h>
#include <string.h>

#include "supernet/space/cost.h"
#include "supernet/train/sampler.h"
#include "tests/support/support.h"

Test(sampler, uniform_sampler_draws_every_choice_alike_and_by_step)
{
    const sq_sampler_options options = {.sampling = SQ_SAMPLE_UNIFORM};
    sq_space *space = NULL;
    sq_sampler *sampler = NULL;
    int counts[SQ_MAX_LAYERS][4] = {{0}}, path[SQ_MAX_LAYERS], again[SQ_MAX_LAYERS];
    MUST(sq_space_read(&space, SOURCE("configs/spaces/spos.yaml"), 0, 0));
    MUST(sq_sampler_open(&sampler, space, &options));
    for (uint64_t step = 0; step < 4000; step++) {
        sq_sampler_draw(sampler, 1, step, 0, path);
        sq_sampler_draw(sampler, 1, step, 0, again);
        cr_expect_eq(memcmp(path, again, (size_t)space->layer_count * sizeof *path), 0);
        for (int l = 0; l < space->layer_count; l++)
            counts[l][path[l]]++;
    }
    for (int l = 1; l <= 20; l++)
        for (int c = 0; c < 4; c++)
            cr_expect_lt(abs(counts[l][c] - 1000), 5 * 28); /* five deviations */
    sq_sampler_close(sampler);
    sq_space_free(space);
}

Test(sampler, cost_bins_are_met_as_spos_meets_them)
{
    const sq_sampler_options options = {
        .sampling = SQ_SAMPLE_COST_BINS, .bin_low = 290, .bin_high = 360, .bin_width = 10};
    sq_space *space = NULL;
    sq_sampler *sampler = NULL;
    int bins[7] = {0}, outside = 0, path[SQ_MAX_LAYERS];
    MUST(sq_space_read(&space, SOURCE("configs/spaces/spos.yaml"), 0, 0));
    MUST(sq_sampler_open(&sampler, space, &options));
    for (uint64_t step = 0; step < 700; step++) {
        sq_sampler_draw(sampler, 1, step, 0, path);
        const double macs = 1e-6 * (double)sq_cost_path(space, path).macs;
        if (macs >= 290 && macs < 360)
            bins[(int)((macs - 290) / 10)]++;
        else
            outside++;
    }
    cr_expect_lt(outside, 35); /* a bin that 500 tries do not meet */
    for (int i = 0; i < 7; i++)
        cr_expect_gt(bins[i], 40, "bin %d: %d of about 100", i, bins[i]);
    sq_sampler_close(sampler);
    sq_space_free(space);
}
