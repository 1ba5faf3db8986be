/* Tests adding paths to a generation. */
#include <stdlib.h>
#include <string.h>

#include "search/searchers/generation.h"
#include "tests/search/enumerated_space.h"

static sq_generation open_generation(search_trial *t, int limit)
{
    return (sq_generation){
        .candidates = t->proposed, .limit = limit, .number = sq_generation_next_number(&t->searcher)};
}

Test(generation, adds_only_legal_and_new_paths)
{
    search_trial *t = open_trial(SQ_SEARCHER_RANDOM, 1, 10, 1);
    sq_generation g = open_generation(t, 3);
    cr_expect_eq(g.number, 0);
    path_from_number(5, g.candidates[0].path);
    cr_expect(sq_generation_add(&t->searcher, &g));
    path_from_number(5, g.candidates[1].path);
    cr_expect(!sq_generation_add(&t->searcher, &g), "it is in the generation");
    t->options.limits.macs = g.candidates[0].macs - 1e-9;
    observe(t, &g.candidates[0]);
    g = open_generation(t, 3);
    cr_expect_eq(g.number, 1);
    path_from_number(5, g.candidates[0].path);
    cr_expect(!sq_generation_add(&t->searcher, &g), "it is observed, and above the limit");
    sq_generation_fill(&t->searcher, &g);
    for (int i = 0; i < g.count; i++)
        cr_expect_lt(g.candidates[i].macs, t->observed[0].macs);
    free(t);
}

Test(generation, operators_take_layers_from_their_parents)
{
    search_trial *t = open_trial(SQ_SEARCHER_EVOLUTION, 1, 10, 1);
    sq_rng rng = sq_generation_rng(&t->searcher, 0);
    const int a[LAYERS] = {0}, b[LAYERS] = {1, 1, 1, 1, 1, 1};
    int path[LAYERS], ones = 0;
    for (int i = 0; i < 100; i++) {
        sq_generation_cross(&t->searcher, &rng, a, b, path);
        for (int l = 0; l < LAYERS; l++) {
            cr_assert(path[l] == 0 || path[l] == 1);
            ones += path[l];
        }
    }
    cr_expect(ones > 240 && ones < 360, "%d of 600", ones); /* 5 standard deviations */
    sq_generation_mutate(&t->searcher, 0, &rng, b, path);
    cr_expect_eq(memcmp(path, b, sizeof path), 0);
    free(t);
}

Test(generation, a_neighbour_differs_in_one_layer)
{
    search_trial *t = open_trial(SQ_SEARCHER_ANNEALING, 1, 10, 1);
    sq_generation g = open_generation(t, 1);
    sq_rng rng = sq_generation_rng(&t->searcher, 0);
    int from[LAYERS], changed = 0;
    path_from_number(77, from);
    cr_assert(sq_generation_add_neighbour(&t->searcher, &g, from, &rng));
    for (int l = 0; l < LAYERS; l++)
        changed += g.candidates[0].path[l] != from[l];
    cr_expect(changed == 1 && g.count == 1);
    free(t);
}
