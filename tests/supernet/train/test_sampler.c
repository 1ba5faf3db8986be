/* Tests the samplers uniform, cost_bins and fair. */
#include "supernet/train/sampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "supernet/space/cost.h"
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
            cr_expect_lt(abs(counts[l][c] - 1000), 5 * 28); /* five standard deviations */
    sq_sampler_close(sampler);
    sq_space_free(space);
}

Test(sampler, cost_bins_are_hit_as_in_spos)
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
    cr_expect_lt(outside, 35); /* the sampler gives up on a bin after 500 tries */
    for (int i = 0; i < 7; i++)
        cr_expect_gt(bins[i], 40, "bin %d: %d of about 100", i, bins[i]);
    sq_sampler_close(sampler);
    sq_space_free(space);
}

/* ---- Fair ---- */

typedef struct {
    sq_space *space;
    sq_search_mask search_mask;
    sq_sampler *sampler;
} dealer;

/* Opens a fair or other sampler. fixed_layer: the mask allows only choice 1 of this layer; SQ_NONE: all choices are
 * allowed. */
static void open_dealer(dealer *d, const char *space, sq_sampling sampling, int paths, int fixed_layer)
{
    *d = (dealer){0};
    MUST(sq_space_read(&d->space, space, 0, 0));
    sq_search_mask_all(&d->search_mask, d->space);
    if (fixed_layer != SQ_NONE)
        sq_search_mask_fix(&d->search_mask, fixed_layer, 1);
    const sq_sampler_options options = {.sampling = sampling,
                                        .paths = paths,
                                        .bin_low = 290,
                                        .bin_high = 360,
                                        .bin_width = 10,
                                        .search_mask = &d->search_mask};
    MUST(sq_sampler_open(&d->sampler, d->space, &options));
}

static void close_dealer(dealer *d)
{
    sq_sampler_close(d->sampler);
    sq_space_free(d->space);
}

/* Expects that each step draws every choice of a layer floor(paths / choices) or ceil(paths / choices) times, and that
 * all choices of a layer are drawn equally often over all steps. */
static void expect_fair(const dealer *d, int steps)
{
    static int total[SQ_MAX_LAYERS][SQ_MAX_CHOICES];
    const int paths = sq_sampler_paths(d->sampler);
    memset(total, 0, sizeof total);
    for (int step = 0; step < steps; step++) {
        int count[SQ_MAX_LAYERS][SQ_MAX_CHOICES] = {{0}}, path[SQ_MAX_LAYERS];
        for (int i = 0; i < paths; i++) {
            sq_sampler_draw(d->sampler, 7, (uint64_t)step, i, path);
            cr_assert(sq_search_mask_allows(&d->search_mask, d->space, path));
            for (int l = 0; l < d->space->layer_count; l++)
                count[l][path[l]]++;
        }
        for (int l = 0; l < d->space->layer_count; l++)
            for (int c = 0; c < d->search_mask.count[l]; c++) {
                const int choice = d->search_mask.choices[l][c], least = paths / d->search_mask.count[l];
                const int most = least + (paths % d->search_mask.count[l] > 0);
                cr_assert(count[l][choice] >= least && count[l][choice] <= most, "step %d, layer %d, choice %d: %d",
                          step, l, choice, count[l][choice]);
                total[l][choice] += count[l][choice];
            }
    }
    for (int l = 0; l < d->space->layer_count; l++)
        for (int c = 0; c < d->search_mask.count[l]; c++) {
            const double share = (double)(paths % d->search_mask.count[l]) / d->search_mask.count[l];
            const double mean = (double)steps * paths / d->search_mask.count[l];
            cr_expect_leq(fabs(total[l][d->search_mask.choices[l][c]] - mean),
                          5 * sqrt(steps * share * (1 - share)) + 1e-6, "layer %d, choice %d: %d of %g", l, c,
                          total[l][d->search_mask.choices[l][c]], mean);
        }
}

Test(sampler, fair_trains_every_choice_once_per_step)
{
    dealer d;
    open_dealer(&d, SOURCE("configs/spaces/spos.yaml"), SQ_SAMPLE_FAIR, 1, SQ_NONE);
    cr_assert_eq(sq_sampler_paths(d.sampler), 4);
    expect_fair(&d, 1000); /* every searched layer has four choices, so each is drawn exactly once */
    close_dealer(&d);
}

Test(sampler, fair_repeats_choices_of_smaller_layers_as_evenly_as_possible)
{
    dealer d;
    open_dealer(&d, SOURCE("configs/spaces/tiny.yaml"), SQ_SAMPLE_FAIR, 1, SQ_NONE);
    cr_assert_eq(sq_sampler_paths(d.sampler), 5); /* the layers have 5, 5, 3, 3 and 3 choices */
    expect_fair(&d, 3000);
    close_dealer(&d);
}

Test(sampler, fair_stays_within_the_mask)
{
    dealer d;
    open_dealer(&d, SOURCE("configs/spaces/tiny.yaml"), SQ_SAMPLE_FAIR, 1, 2);
    cr_assert_eq(sq_sampler_paths(d.sampler), 5);
    expect_fair(&d, 300);
    sq_sampler_close(d.sampler);
    sq_search_mask_fix(&d.search_mask, 1, 4); /* the other layers have at most 3 choices */
    const sq_sampler_options options = {.sampling = SQ_SAMPLE_FAIR, .search_mask = &d.search_mask};
    MUST(sq_sampler_open(&d.sampler, d.space, &options));
    cr_assert_eq(sq_sampler_paths(d.sampler), 3);
    expect_fair(&d, 300);
    close_dealer(&d);
}

/* A layer's four choices have 24 orders. In 4,800 steps each order occurs about 200 times, with standard deviation
 * 13.8. The choices of two layers in one path are independent, so each of the 16 pairs occurs about 300 times, with
 * standard deviation 16.8. The bounds are five standard deviations. */
Test(sampler, fair_permutations_are_uniform_and_independent)
{
    dealer d;
    int orders[256] = {0}, pairs[16] = {0}, path[4][SQ_MAX_LAYERS];
    open_dealer(&d, SOURCE("configs/spaces/spos.yaml"), SQ_SAMPLE_FAIR, 1, SQ_NONE);
    for (uint64_t step = 0; step < 4800; step++) {
        for (int i = 0; i < 4; i++)
            sq_sampler_draw(d.sampler, 1, step, i, path[i]);
        orders[path[0][3] << 6 | path[1][3] << 4 | path[2][3] << 2 | path[3][3]]++;
        pairs[path[0][3] << 2 | path[0][9]]++;
    }
    int seen = 0;
    for (int i = 0; i < 256; i++) {
        seen += orders[i] > 0;
        cr_expect(orders[i] == 0 || abs(orders[i] - 200) < 69, "order %d: %d of 200", i, orders[i]);
    }
    cr_expect_eq(seen, 24);
    for (int i = 0; i < 16; i++)
        cr_expect_lt(abs(pairs[i] - 300), 84, "pair %d: %d of 300", i, pairs[i]);
    close_dealer(&d);
}

Test(sampler, draws_do_not_depend_on_the_order_of_calls)
{
    static const sq_sampling samplings[] = {SQ_SAMPLE_UNIFORM, SQ_SAMPLE_FAIR};
    for (int k = 0; k < 2; k++) {
        dealer d;
        static int paths[20][5][SQ_MAX_LAYERS];
        int again[SQ_MAX_LAYERS];
        open_dealer(&d, SOURCE("configs/spaces/tiny.yaml"), samplings[k], 5, 2);
        const size_t bytes = (size_t)d.space->layer_count * sizeof(int);
        for (int step = 0; step < 20; step++)
            for (int i = 0; i < 5; i++)
                sq_sampler_draw(d.sampler, 3, (uint64_t)step, i, paths[step][i]);
        for (int step = 20; step-- > 0;)
            for (int i = 5; i-- > 0;) {
                sq_sampler_draw(d.sampler, 3, (uint64_t)step, i, again);
                cr_expect_eq(memcmp(again, paths[step][i], bytes), 0, "step %d, path %d", step, i);
            }
        close_dealer(&d);
    }
}

Test(sampler, several_paths_per_step_are_the_same_sequence_as_one)
{
    static const sq_sampling samplings[] = {SQ_SAMPLE_UNIFORM, SQ_SAMPLE_COST_BINS};
    for (int k = 0; k < 2; k++) {
        dealer one, three;
        int a[SQ_MAX_LAYERS], b[SQ_MAX_LAYERS];
        open_dealer(&one, SOURCE("configs/spaces/spos.yaml"), samplings[k], 0, 4);
        open_dealer(&three, SOURCE("configs/spaces/spos.yaml"), samplings[k], 3, 4);
        cr_assert_eq(sq_sampler_paths(one.sampler), 1);
        cr_assert_eq(sq_sampler_paths(three.sampler), 3);
        for (int i = 0; i < 60; i++) {
            sq_sampler_draw(one.sampler, 1, (uint64_t)i, 0, a);
            sq_sampler_draw(three.sampler, 1, (uint64_t)(i / 3), i % 3, b);
            cr_expect(sq_search_mask_allows(&one.search_mask, one.space, a));
            cr_expect_eq(memcmp(a, b, (size_t)one.space->layer_count * sizeof *a), 0, "path %d", i);
        }
        close_dealer(&one);
        close_dealer(&three);
    }
}

Test(sampler, rejects_numbers_of_paths_out_of_range)
{
    sq_space *space = NULL, *single = NULL;
    sq_sampler *sampler = NULL;
    const int path[SQ_MAX_LAYERS] = {0};
    MUST(sq_space_read(&space, SOURCE("configs/spaces/tiny.yaml"), 0, 0));
    const sq_sampler_options three = {.sampling = SQ_SAMPLE_FAIR, .paths = 3},
                             many = {.sampling = SQ_SAMPLE_UNIFORM, .paths = SQ_MAX_PATHS + 1};
    cr_expect_eq(sq_sampler_open(&sampler, space, &three), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "train.paths: 3, but the sampler fair takes 5"), "%s", sq_error_text());
    cr_expect_eq(sq_sampler_open(&sampler, space, &many), SQ_INVALID);
    cr_expect_null(sampler);
    /* A space with a single path has one path per step, for any requested number. */
    MUST(sq_space_single(&single, space, path));
    const sq_sampler_options four = {.sampling = SQ_SAMPLE_UNIFORM, .paths = 4};
    MUST(sq_sampler_open(&sampler, single, &four));
    cr_expect_eq(sq_sampler_paths(sampler), 1);
    sq_sampler_close(sampler);
    sq_space_free(single);
    sq_space_free(space);
}
