/* Compares the sampler cost_weighted with enumeration. */
#include "supernet/train/sampler.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "supernet/space/cost.h"
#include "tests/support/support.h"

enum { BINS = 32, GROUPS = 16, DRAWS = 16000 };
/* 99.9th percentile of the chi-square distribution with 15 degrees of freedom. */
static const double critical_15 = 37.70;

static double macs_of(const sq_space *space, const int *path)
{
    return 1e-6 * (double)sq_cost_path(space, path).macs;
}

/* Returns the costs of the cheapest and of the most expensive path, in millions of multiply-adds. */
static void find_range(const sq_space *space, const sq_search_mask *mask, double *low, double *high)
{
    *low = *high = 0;
    for (int l = 0; l < space->layer_count; l++) {
        double least = INFINITY, most = 0;
        for (int i = 0; i < sq_search_mask_count(mask, space, l); i++) {
            const double macs = 1e-6 * (double)sq_cost_block(space, l, sq_search_mask_choice(mask, l, i)).macs;
            least = fmin(least, macs);
            most = fmax(most, macs);
        }
        *low += least;
        *high += most;
    }
}

static sq_sampler *open_weighted(const sq_space *space, const sq_search_mask *mask, int paths)
{
    sq_sampler *sampler = NULL;
    const sq_sampler_options options = {.sampling = SQ_SAMPLE_COST_WEIGHTED, .paths = paths, .search_mask = mask};
    MUST(sq_sampler_open(&sampler, space, &options));
    return sampler;
}

/* Draws DRAWS paths and returns the chi-square statistic of their costs, for GROUPS cost ranges of equal width that
 * should have equal counts. */
static double cost_statistic(const char *file, sq_sampling sampling)
{
    sq_space *space = NULL;
    sq_sampler *sampler = NULL;
    double low, high, statistic = 0;
    int counts[GROUPS] = {0}, path[SQ_MAX_LAYERS];
    MUST(sq_space_read(&space, file, 0, 0));
    const sq_sampler_options options = {.sampling = sampling};
    MUST(sq_sampler_open(&sampler, space, &options));
    find_range(space, NULL, &low, &high);
    for (uint64_t step = 0; step < DRAWS; step++) {
        sq_sampler_draw(sampler, 1, step, 0, path);
        const int group = (int)((macs_of(space, path) - low) / (high - low) * GROUPS);
        counts[group < GROUPS ? group : GROUPS - 1]++;
    }
    for (int g = 0; g < GROUPS; g++)
        statistic += pow(counts[g] - (double)DRAWS / GROUPS, 2) / ((double)DRAWS / GROUPS);
    sq_sampler_close(sampler);
    sq_space_free(space);
    return statistic;
}

Test(cost_weighted, makes_costs_uniform)
{
    static const char *const files[] = {"spos", "proxyless"};
    for (int f = 0; f < 2; f++) {
        char path[600];
        (void)snprintf(path, sizeof path, "%s/configs/spaces/%s.yaml", SOURCE(""), files[f]);
        const double weighted = cost_statistic(path, SQ_SAMPLE_COST_WEIGHTED),
                     uniform = cost_statistic(path, SQ_SAMPLE_UNIFORM);
        cr_expect_lt(weighted, critical_15, "%s: %g", files[f], weighted);
        cr_expect_gt(uniform, 100 * critical_15, "%s: the test would not notice: %g", files[f], uniform);
    }
}

/* Counts the paths of each bin by enumeration. All reachable bins must be drawn equally often, and all paths of a bin
 * equally often. */
Test(cost_weighted, draws_the_paths_of_a_bin_alike)
{
    sq_space *space = NULL;
    enum { LIMIT = 1000, EACH = 40 };
    int path[SQ_MAX_LAYERS], count = 1, in_bin[BINS] = {0}, bins[LIMIT], drawn[LIMIT] = {0}, reachable = 0;
    double low, high, statistic = 0;
    MUST(sq_space_read(&space, SOURCE("configs/spaces/tiny.yaml"), 0, 0));
    sq_sampler *sampler = open_weighted(space, NULL, 1);
    find_range(space, NULL, &low, &high);
    for (int l = 0; l < space->layer_count; l++)
        count *= space->layers[l].choice_count;
    cr_assert_leq(count, LIMIT);
    for (int p = 0; p < count; p++) {
        for (int l = 0, left = p; l < space->layer_count; left /= space->layers[l++].choice_count)
            path[l] = left % space->layers[l].choice_count;
        bins[p] = (int)((macs_of(space, path) - low) / (high - low) * BINS * (1 - 1e-12));
        reachable += in_bin[bins[p]]++ == 0;
    }
    for (uint64_t step = 0; step < (uint64_t)count * EACH; step++) {
        int p = 0;
        sq_sampler_draw(sampler, 3, step, 0, path);
        for (int l = space->layer_count; l-- > 0;)
            p = p * space->layers[l].choice_count + path[l];
        drawn[p]++;
    }
    for (int p = 0; p < count; p++) {
        const double wanted = (double)count * EACH / reachable / in_bin[bins[p]];
        statistic += pow(drawn[p] - wanted, 2) / wanted;
    }
    /* With count - 1 degrees of freedom, the statistic has the mean count - 1 and the standard deviation sqrt(2 (count
     * - 1)). */
    cr_expect_lt(statistic, count - 1 + 3.1 * sqrt(2.0 * (count - 1)), "%g of %d paths", statistic, count);
    sq_sampler_close(sampler);
    sq_space_free(space);
}

/* A resumed run opens a new sampler and continues at the step where it stopped, so draws must not depend on earlier
 * draws. */
Test(cost_weighted, depends_on_seed_and_number_alone)
{
    sq_space *space = NULL;
    int a[SQ_MAX_LAYERS], b[SQ_MAX_LAYERS], differing = 0;
    MUST(sq_space_read(&space, SOURCE("configs/spaces/spos.yaml"), 0, 0));
    const size_t bytes = (size_t)space->layer_count * sizeof *a;
    sq_sampler *first = open_weighted(space, NULL, 1), *again = open_weighted(space, NULL, 1),
               *three = open_weighted(space, NULL, 3);
    cr_expect_eq(sq_sampler_paths(three), 3);
    for (uint64_t number = 60; number-- > 0;) {
        sq_sampler_draw(first, 7, number, 0, a);
        sq_sampler_draw(again, 7, number, 0, b);
        cr_expect_eq(memcmp(a, b, bytes), 0);
        sq_sampler_draw(three, 7, number / 3, (int)(number % 3), b);
        cr_expect_eq(memcmp(a, b, bytes), 0);
        sq_sampler_draw(first, 8, number, 0, b);
        differing += memcmp(a, b, bytes) != 0;
    }
    cr_expect_gt(differing, 55);
    sq_sampler_close(first);
    sq_sampler_close(again);
    sq_sampler_close(three);
    sq_space_free(space);
}

Test(cost_weighted, draws_only_what_the_mask_allows)
{
    sq_space *space = NULL;
    sq_search_mask mask;
    int path[SQ_MAX_LAYERS];
    MUST(sq_space_read(&space, SOURCE("configs/spaces/spos.yaml"), 0, 0));
    sq_search_mask_all(&mask, space);
    for (int l = 0; l < space->layer_count; l++) { /* fixes every layer, so one path is left */
        sq_search_mask_fix(&mask, l, space->layers[l].choice_count - 1);
        sq_sampler *sampler = open_weighted(space, &mask, 1);
        for (uint64_t step = 0; step < 50; step++) {
            sq_sampler_draw(sampler, 1, step, 0, path);
            cr_expect(sq_search_mask_allows(&mask, space, path));
        }
        sq_sampler_close(sampler);
    }
    sq_space_free(space);
}
