/* Tests searches of a real space: their results, and that repeated searches give the same results. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "search/limits.h"
#include "search/searchers/searchers.h"
#include "search/state.h"
#include "supernet/space/cost.h"
#include "tests/support/support.h"

/* ---- Evolution with a made-up accuracy, for which each layer has one right choice ---- */

static double score(const sq_space *space, const int *path)
{
    int right = 0;
    for (int l = 0; l < space->layer_count; l++)
        right += space->layers[l].choice_count > 1 && path[l] == (l * 7 + 3) % space->layers[l].choice_count;
    return (double)right / space->searched_count;
}

typedef struct {
    sq_space *space;
    sq_search_options options;
    sq_searcher *searcher;
    sq_candidate *observed;
} game;

static game open_game(uint64_t seed)
{
    game g = {.options = {.seed = seed,
                          .population = 50,
                          .generations = 20,
                          .parents = 10,
                          .crossover = 25,
                          .mutation = 25,
                          .mutation_probability = 0.1,
                          .tries = 10}};
    MUST(sq_space_read(&g.space, SOURCE("configs/spaces/spos.yaml"), 0, 0));
    g.searcher = calloc(1, sizeof *g.searcher);
    g.searcher->space = g.space;
    for (int l = 0; l < g.space->layer_count; l++)
        for (int c = 0; c < g.space->layers[l].choice_count; c++)
            g.searcher->block_macs[l][c] = 1e-6 * (double)sq_cost_block(g.space, l, c).macs;
    g.observed = calloc(2000, sizeof *g.observed);
    g.searcher->observed = g.observed;
    return g;
}

static void close_game(game *g)
{
    for (int i = 0; i < g->searcher->observed_count; i++)
        free(g->observed[i].path);
    free(g->observed);
    free(g->searcher);
    sq_space_free(g->space);
}

/* Runs the search until the searcher proposes nothing, and returns the best score. */
static double play(game *g, sq_searcher_kind kind)
{
    sq_candidate proposed[50];
    int paths[50][SQ_MAX_LAYERS];
    double best = 0;
    g->options.kind = kind;
    g->searcher->options = &g->options;
    for (int i = 0; i < 50; i++)
        proposed[i] = (sq_candidate){.path = paths[i]};
    for (;;) {
        int count = 0;
        MUST(sq_searcher_ask(g->searcher, proposed, &count));
        if (count == 0)
            return best;
        for (int i = 0; i < count; i++) {
            sq_candidate *c = &g->observed[g->searcher->observed_count];
            *c = proposed[i];
            c->path = malloc(sizeof paths[i]);
            memcpy(c->path, paths[i], sizeof paths[i]);
            c->top1 = c->top5 = score(g->space, c->path);
            best = c->top1 > best ? c->top1 : best;
            cr_expect(g->options.limits.macs == 0 || c->macs <= g->options.limits.macs, "%g M", c->macs);
            g->searcher->observed_count++;
        }
    }
}

Test(search, evolution_beats_random_search)
{
    double evolution = 0, random = 0;
    for (uint64_t seed = 0; seed < 3; seed++) {
        game a = open_game(seed), b = open_game(seed);
        evolution += play(&a, SQ_SEARCHER_EVOLUTION);
        random += play(&b, SQ_SEARCHER_RANDOM);
        /* SPOS's budget: 50 candidates in the first and in each of 20 more generations */
        cr_expect_eq(a.searcher->observed_count, 1050);
        cr_expect_eq(b.searcher->observed_count, 1050);
        close_game(&a);
        close_game(&b);
    }
    cr_expect_geq(evolution, 3 * 0.95, "%g", evolution / 3);
    cr_expect_gt(evolution, random + 0.3, "%g against %g", evolution / 3, random / 3);
}

/* Returns a hash of all observed paths. */
static uint64_t fingerprint(const game *g)
{
    uint64_t hash = SQ_HASH_START;
    for (int i = 0; i < g->searcher->observed_count; i++)
        hash = sq_hash(hash, g->observed[i].path, (size_t)g->space->layer_count * sizeof(int));
    return hash;
}

/* This version must be able to resume states of earlier releases, so the draws must not change. */
Test(search, draws_are_those_of_the_first_release)
{
    game a = open_game(0), b = open_game(0);
    a.options.limits.macs = 320;
    (void)play(&a, SQ_SEARCHER_EVOLUTION);
    (void)play(&b, SQ_SEARCHER_RANDOM);
    cr_expect_eq(fingerprint(&a), UINT64_C(0x0ecf1c16181e9064), "%016" PRIx64, fingerprint(&a));
    cr_expect_eq(fingerprint(&b), UINT64_C(0x6e81158679b83695), "%016" PRIx64, fingerprint(&b));
    close_game(&a);
    close_game(&b);
}

Test(search, proposes_legal_paths_and_none_twice)
{
    game g = open_game(1);
    g.options.limits.macs = 320;
    (void)play(&g, SQ_SEARCHER_EVOLUTION);
    for (int i = 0; i < g.searcher->observed_count; i++)
        for (int j = 0; j < i; j++)
            cr_expect_neq(memcmp(g.observed[i].path, g.observed[j].path, (size_t)g.space->layer_count * sizeof(int)), 0,
                          "%d and %d", i, j);
    close_game(&g);
}

Test(search, observed_candidates_decide_the_next_ones)
{
    game a = open_game(4), b = open_game(4);
    (void)play(&a, SQ_SEARCHER_EVOLUTION);
    sq_candidate proposed[50];
    int paths[50][SQ_MAX_LAYERS], count = 0;
    for (int i = 0; i < 50; i++)
        proposed[i] = (sq_candidate){.path = paths[i]};
    b.searcher->options = &b.options;
    b.searcher->observed = a.observed; /* as if restored after generation 6 */
    b.searcher->observed_count = 350;
    MUST(sq_searcher_ask(b.searcher, proposed, &count));
    cr_assert_eq(count, 50);
    for (int i = 0; i < count; i++)
        cr_expect_eq(memcmp(paths[i], a.observed[350 + i].path, (size_t)a.space->layer_count * sizeof(int)), 0,
                     "candidate %d", i);
    b.searcher->observed = b.observed;
    b.searcher->observed_count = 0;
    close_game(&a);
    close_game(&b);
}

Test(search, a_scope_keeps_fixed_layers_fixed_in_every_candidate)
{
    game g = open_game(1);
    sq_search_mask search_mask;
    sq_search_mask_all(&search_mask, g.space);
    sq_search_mask_fix(&search_mask, 2, 1);
    sq_search_mask_fix(&search_mask, 5, 3);
    g.options.search_mask = &search_mask;
    (void)play(&g, SQ_SEARCHER_EVOLUTION);
    cr_assert_gt(g.searcher->observed_count, 100);
    for (int i = 0; i < g.searcher->observed_count; i++) {
        cr_expect(g.observed[i].path[2] == 1 && g.observed[i].path[5] == 3);
        cr_expect(sq_search_mask_allows(&search_mask, g.space, g.observed[i].path));
    }
    /* Limits must be compared with the smallest cost that the mask allows. */
    double least = INFINITY;
    for (int i = 0; i < g.searcher->observed_count; i++)
        least = fmin(least, g.observed[i].macs);
    g.options.limits.macs = least;
    MUST(sq_limits_check(g.searcher));
    g.options.limits.macs = 270.36; /* in millions; the smallest path of the whole space, without the mask */
    cr_expect_eq(sq_limits_check(g.searcher), SQ_INVALID);
    close_game(&g);
}
