/* Searchers against each other and against what enumeration knows: a made-up space of 4,096 paths whose accuracy has
 * interactions between layers. And the arithmetic of fronts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/searchers/pareto.h"
#include "search/searchers/searcher.h"
#include "tests/support/support.h"

enum { LAYERS = 6, CHOICES = 4, PATHS = 4096, SEEDS = 16, IMAGES = 729 };

/* ---- A made-up space ---- */

static double drawn(uint64_t stream, uint64_t index)
{
    sq_rng rng = sq_rng_open(stream, SQ_RNG_TEST, index);
    return sq_rng_uniform(&rng);
}

/* Strong choices cost more; neighbouring layers get on with each other or not. In 0..1. */
static double accuracy_of(const int *path)
{
    double sum = 0;
    for (int l = 0; l < LAYERS; l++) {
        sum += 0.03 * path[l] + 0.06 * drawn(1, (uint64_t)(l * CHOICES + path[l]));
        if (l > 0)
            sum += 0.05 * drawn(2, (uint64_t)((l * CHOICES + path[l - 1]) * CHOICES + path[l]));
    }
    return 0.2 + 0.8 * sum;
}

/* Of the first `images`, how many are right: an image is as easy as it was drawn, with an own opinion of each path. */
static double score_on(const int *path, double accuracy, int images)
{
    int right = 0, number = 0;
    for (int l = 0; l < LAYERS; l++)
        number = number * CHOICES + path[l];
    for (int i = 0; i < images; i++)
        right += 0.5 * (drawn(3, (uint64_t)i) + drawn(4 + (uint64_t)i, (uint64_t)number)) < accuracy;
    return (double)right / images;
}

typedef struct {
    sq_space space;
    sq_search_options options;
    sq_searcher searcher;
    sq_candidate observed[PATHS], proposed[PATHS];
    int paths[PATHS][LAYERS], proposed_paths[PATHS][LAYERS];
    bool is_noisy; /* scores come from images */
} game;

static game *open_game(sq_search_kind kind, uint64_t seed, int population, int generations)
{
    game *g = calloc(1, sizeof *g);
    g->options = (sq_search_options){.kind = kind,
                                     .seed = seed,
                                     .population = population,
                                     .generations = generations,
                                     .parents = population / 4 + 1,
                                     .crossover = population / 2,
                                     .mutation = population / 2,
                                     .mutation_probability = 0.1,
                                     .tries = 10,
                                     .nsga_crossover = 0.9,
                                     .nsga_mutation = 0.1,
                                     .chains = 1,
                                     .temperature = 1,
                                     .final_temperature = 0.05,
                                     .eta = 3,
                                     .rungs = 3};
    cr_assert(sq_objectives_read("accuracy, macs", &g->options.objectives));
    g->space.layer_count = g->space.searched_count = LAYERS;
    g->searcher.options = &g->options;
    g->searcher.space = &g->space;
    g->searcher.observed = g->observed;
    g->searcher.images = IMAGES;
    for (int l = 0; l < LAYERS; l++) {
        g->space.layers[l].choice_count = CHOICES;
        for (int c = 0; c < CHOICES; c++) {
            g->searcher.macs[l][c] = 1 + c * (1 + drawn(5, (uint64_t)(l * CHOICES + c)));
            g->searcher.parameters[l][c] = 1 + 3 * drawn(6, (uint64_t)(l * CHOICES + c));
            g->searcher.memory_mb[l][c] = drawn(7, (uint64_t)(l * CHOICES + c));
        }
    }
    for (int i = 0; i < PATHS; i++) {
        g->observed[i].path = g->paths[i];
        g->proposed[i].path = g->proposed_paths[i];
    }
    MUST(sq_searcher_check_options(&g->searcher));
    return g;
}

static void tell(game *g, const sq_candidate *proposed)
{
    sq_candidate *c = &g->observed[g->searcher.observed_count++];
    int *path = c->path;
    memcpy(path, proposed->path, sizeof g->paths[0]);
    *c = *proposed;
    c->path = path;
    c->images = c->images ? c->images : IMAGES;
    c->top1 = accuracy_of(path);
    if (g->is_noisy)
        c->top1 = score_on(path, c->top1, c->images);
    c->top5 = c->top1;
}

static void play(game *g)
{
    for (int count = 1; count;) {
        MUST(sq_searcher_ask(&g->searcher, g->proposed, &count));
        cr_assert_leq(count, sq_searcher_room(&g->searcher));
        for (int i = 0; i < count; i++)
            tell(g, &g->proposed[i]);
    }
    cr_expect_leq(g->searcher.observed_count, sq_searcher_budget(&g->searcher));
}

/* Mean over seeds of the true accuracy of the path that is found. */
static double mean_found(sq_search_kind kind, int population, int generations, bool is_noisy, int chains)
{
    double sum = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        game *g = open_game(kind, seed, population, generations);
        g->is_noisy = is_noisy;
        g->options.chains = chains;
        play(g);
        sum += accuracy_of(sq_searcher_best(&g->searcher)->path);
        free(g);
    }
    return sum / SEEDS;
}

static void path_of(int number, int *path)
{
    for (int l = LAYERS - 1; l >= 0; l--, number /= CHOICES)
        path[l] = number % CHOICES;
}

static double best_of_all(void)
{
    double best = 0;
    for (int i = 0, path[LAYERS]; i < PATHS; i++) {
        path_of(i, path);
        best = fmax(best, accuracy_of(path));
    }
    return best;
}

/* ---- Who finds more ---- */

Test(searchers, each_beats_random_at_the_same_budget)
{
    const double optimum = best_of_all(), random = mean_found(SQ_SEARCH_RANDOM, 14, 7, false, 1);
    const double evolution = mean_found(SQ_SEARCH_EVOLUTION, 14, 7, false, 1);
    const double annealing = mean_found(SQ_SEARCH_ANNEALING, 14, 7, false, 1);
    const double chains = mean_found(SQ_SEARCH_ANNEALING, 14, 7, false, 7);
    cr_log_info("optimum %.4f random %.4f evolution %.4f annealing %.4f, of 7 chains %.4f", optimum, random, evolution,
                annealing, chains);
    cr_expect_gt(evolution, random + 0.5 * (optimum - random), "%g, random %g", evolution, random);
    cr_expect_gt(annealing, random + 0.5 * (optimum - random), "%g, random %g", annealing, random);
    cr_expect_gt(chains, random + 0.2 * (optimum - random), "%g, random %g", chains, random);
}

Test(searchers, halving_beats_random_for_the_same_images)
{
    const double random = mean_found(SQ_SEARCH_RANDOM, 10, 9, true, 1);
    const double halving = mean_found(SQ_SEARCH_HALVING, 10, 9, true, 1);
    cr_log_info("random %.4f halving %.4f", random, halving);
    cr_expect_gt(halving, random + 0.005, "%g, random %g", halving, random);
}

/* Hypervolume of what a game told, to the point (0 accuracy, the space's largest costs). */
static double volume_of(const game *g, const double *reference)
{
    const sq_objectives *o = &g->options.objectives;
    double volume = 0, *values = calloc((size_t)g->searcher.observed_count * 3, sizeof *values);
    for (int i = 0; i < g->searcher.observed_count; i++)
        for (int m = 0; m < o->count; m++)
            values[i * o->count + m] = sq_searcher_objective(&g->observed[i], &o->list[m]);
    MUST(sq_hypervolume(values, g->searcher.observed_count, o->count, reference, &volume));
    free(values);
    return volume;
}

static void tell_all(game *g)
{
    for (int i = 0, path[LAYERS]; i < PATHS; i++) {
        sq_candidate c = {.path = path};
        path_of(i, path);
        sq_searcher_cost(&g->searcher, &c);
        tell(g, &c);
    }
}

static void check_front(const char *objectives, double share)
{
    game *whole = open_game(SQ_SEARCH_RANDOM, 0, 1, 0);
    double reference[SQ_MAX_OBJECTIVES] = {0}, nsga = 0, random = 0;
    cr_assert(sq_objectives_read(objectives, &whole->options.objectives));
    const sq_objectives *o = &whole->options.objectives;
    tell_all(whole);
    for (int m = 1; m < o->count; m++)
        for (int i = 0; i < PATHS; i++)
            reference[m] = fmax(reference[m], sq_searcher_objective(&whole->observed[i], &o->list[m]));
    const double wanted = volume_of(whole, reference);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        game *a = open_game(SQ_SEARCH_NSGA2, seed, 40, 18), *b = open_game(SQ_SEARCH_RANDOM, seed, 40, 18);
        a->options.objectives = b->options.objectives = *o;
        play(a);
        play(b);
        cr_expect(a->searcher.observed_count == 760 && a->searcher.observed_count * 5 < PATHS);
        nsga += volume_of(a, reference) / wanted / SEEDS;
        random += volume_of(b, reference) / wanted / SEEDS;
        free(a);
        free(b);
    }
    cr_log_info("%s: nsga2 %.4f random %.4f of the true hypervolume", objectives, nsga, random);
    cr_expect_gt(nsga, share, "%s: %g", objectives, nsga);
    cr_expect_gt(nsga, random, "%s: %g, random %g", objectives, nsga, random);
    free(whole);
}

Test(searchers, nsga2_reaches_the_true_front)
{
    check_front("accuracy, macs", 0.98);
    check_front("accuracy, macs, parameters", 0.98);
}

Test(searchers, the_front_is_of_everything_told)
{
    game *g = open_game(SQ_SEARCH_NSGA2, 3, 20, 10);
    sq_search_result result = {.best = 0};
    play(g);
    MUST(sq_pareto_front_find(&g->searcher, 100, &result));
    for (int i = 0, at = 0; i < g->searcher.observed_count; i++) {
        bool is_dominated = false;
        for (int j = 0; j < g->searcher.observed_count; j++) {
            const sq_candidate *a = &g->observed[j], *b = &g->observed[i];
            is_dominated =
                is_dominated || (a->top1 >= b->top1 && a->macs <= b->macs && (a->top1 > b->top1 || a->macs < b->macs));
        }
        const bool is_listed = at < result.pareto_count && result.pareto[at] == 100 + i;
        cr_expect_eq(is_listed, !is_dominated, "candidate %d", i);
        at += is_listed;
    }
    const double reference[] = {0, result.reference.values[1]};
    cr_expect(result.reference.count == 2 && result.reference.values[0] == 0);
    cr_expect_eq(result.hypervolume, volume_of(g, reference));
    g->options.reference = (sq_point){{0.5, 20}, 2};
    const double given[] = {-0.5, 20};
    free(result.pareto);
    result.pareto_count = 0;
    MUST(sq_pareto_front_find(&g->searcher, 0, &result));
    cr_expect(result.hypervolume == volume_of(g, given) && result.reference.values[0] == 0.5);
    free(result.pareto);
    free(g);
}

/* ---- What holds for every searcher ---- */

static void same_questions(const game *g, const game *cut, int from, int count)
{
    for (int i = 0; i < count; i++) {
        const sq_candidate *a = &g->observed[from + i], *b = &cut->proposed[i];
        cr_expect(memcmp(a->path, b->path, sizeof g->paths[0]) == 0 && a->generation == b->generation &&
                      a->macs == b->macs && a->images == (b->images ? b->images : IMAGES),
                  "%s: cut after %d: question %d", sq_search_kind_name(g->options.kind), from, i);
    }
}

Test(searchers, what_is_told_decides_what_is_asked_wherever_it_is_cut)
{
    for (int kind = 0; kind < SQ_SEARCH_KINDS; kind++) {
        game *g = open_game((sq_search_kind)kind, 5, 12, 5), *cut = open_game((sq_search_kind)kind, 5, 12, 5);
        g->is_noisy = true;
        g->options.chains = cut->options.chains = 5; /* 72 candidates: the last generation has two */
        play(g);
        cr_expect_eq(g->searcher.observed_count, sq_searcher_budget(&g->searcher));
        cut->searcher.observed = g->observed;
        for (int observed = 0; observed <= g->searcher.observed_count; observed++) {
            int count = 0, left = 0;
            cut->searcher.observed_count = observed;
            MUST(sq_searcher_ask(&cut->searcher, cut->proposed, &count));
            while (observed + left < g->searcher.observed_count &&
                   (left == 0 || g->observed[observed + left].generation == g->observed[observed].generation))
                left++;
            cr_expect_eq(count, left, "%s: %d proposed after %d", sq_search_kind_name((sq_search_kind)kind), count,
                         observed);
            same_questions(g, cut, observed, count < left ? count : left);
        }
        free(g);
        free(cut);
    }
}

Test(searchers, scope_and_limits_hold_and_no_path_is_asked_twice)
{
    for (int kind = 0; kind < SQ_SEARCH_KINDS; kind++) {
        game *g = open_game((sq_search_kind)kind, 9, 15, 5);
        sq_search_mask search_mask;
        sq_search_mask_all(&search_mask, &g->space);
        sq_search_mask_fix(&search_mask, 1, 2);
        search_mask.count[3] = 2;
        search_mask.choices[3][0] = 1;
        search_mask.choices[3][1] = 3;
        g->options.search_mask = &search_mask;
        g->options.limits.macs = 18;
        play(g);
        cr_expect_geq(g->searcher.observed_count, 80);
        for (int i = 0; i < g->searcher.observed_count; i++) {
            cr_expect(sq_search_mask_allows(&search_mask, &g->space, g->observed[i].path) && g->observed[i].macs <= 18,
                      "%s: candidate %d", sq_search_kind_name((sq_search_kind)kind), i);
            for (int j = 0; j < i; j++)
                cr_expect(memcmp(g->paths[i], g->paths[j], sizeof g->paths[0]) != 0 ||
                              (kind == SQ_SEARCH_HALVING && g->observed[i].generation != g->observed[j].generation),
                          "%s: %d and %d", sq_search_kind_name((sq_search_kind)kind), i, j);
        }
        free(g);
    }
}

Test(searchers, a_space_smaller_than_the_budget_is_asked_whole_and_then_it_ends)
{
    for (int kind = 0; kind < SQ_SEARCH_KINDS; kind++) {
        game *g = open_game((sq_search_kind)kind, 2, 20, 9);
        sq_search_mask search_mask;
        sq_search_mask_all(&search_mask, &g->space);
        for (int l = 0; l < 4; l++)
            sq_search_mask_fix(&search_mask, l, l % CHOICES);
        g->options.search_mask = &search_mask;
        g->options.chains = 3;
        play(g);
        int whole = 0; /* halving: 16, then a third, then a ninth */
        for (int i = 0; i < g->searcher.observed_count; i++)
            whole += kind != SQ_SEARCH_HALVING || g->observed[i].generation == 0;
        cr_expect_eq(whole, 16, "%s: %d", sq_search_kind_name((sq_search_kind)kind), whole);
        cr_expect_eq(g->searcher.observed_count, kind == SQ_SEARCH_HALVING ? 16 + 5 + 1 : 16);
        free(g);
    }
}

Test(searchers, ties_go_to_the_earlier_and_repeat)
{
    for (int kind = 0; kind < SQ_SEARCH_KINDS; kind++) {
        game *a = open_game((sq_search_kind)kind, 1, 10, 5), *b = open_game((sq_search_kind)kind, 1, 10, 5);
        for (int side = 0; side < 2; side++) {
            game *g = side ? b : a;
            for (int count = 1; count;) {
                MUST(sq_searcher_ask(&g->searcher, g->proposed, &count));
                for (int i = 0; i < count; i++) {
                    tell(g, &g->proposed[i]);
                    g->observed[g->searcher.observed_count - 1].top1 =
                        g->observed[g->searcher.observed_count - 1].top5 = 0.5;
                }
            }
        }
        cr_expect(a->searcher.observed_count == b->searcher.observed_count &&
                  memcmp(a->paths, b->paths, sizeof a->paths) == 0);
        const sq_candidate *best = sq_searcher_best(&a->searcher);
        cr_expect(best == a->observed || (best[-1].images < best->images), "%s",
                  sq_search_kind_name((sq_search_kind)kind));
        free(a);
        free(b);
    }
}

/* ---- Halving and annealing ---- */

Test(searchers, halving_spends_its_budget_in_images_and_promotes_the_best)
{
    game *g = open_game(SQ_SEARCH_HALVING, 1, 10, 9);
    g->is_noisy = true;
    const sq_rungs rungs = sq_halving_rungs(&g->searcher);
    /* 100 whole evaluations: n * 729 / 9 + (n / 3) * 729 / 3 + (n / 9) * 729 = n * 243. */
    cr_expect(rungs.count[0] == 302 && rungs.count[1] == 100 && rungs.count[2] == 33, "%d, %d, %d", rungs.count[0],
              rungs.count[1], rungs.count[2]);
    cr_expect(rungs.images[0] == 81 && rungs.images[1] == 243 && rungs.images[2] == 729);
    play(g);
    cr_expect_eq(g->searcher.observed_count, 435);
    for (int i = 302, at = 0; i < 435; i++) {
        const int before = i < 402 ? 0 : 302, size = i < 402 ? 302 : 100;
        double least = 1;
        cr_expect_eq(g->observed[i].images, i < 402 ? 243 : 729);
        for (at = before; at < before + size; at++)
            if (memcmp(g->paths[at], g->paths[i], sizeof g->paths[0]) == 0)
                least = g->observed[at].top1;
        int better = 0; /* those that went on rank among the first third */
        for (at = before; at < before + size; at++)
            better += g->observed[at].top1 > least;
        cr_expect_lt(better, size / 3, "candidate %d", i);
    }
    const sq_candidate *best = sq_searcher_best(&g->searcher);
    cr_expect_eq(best->images, IMAGES);
    g->searcher.calibration_images = 729; /* each evaluation now costs one more pass */
    const sq_rungs fewer = sq_halving_rungs(&g->searcher);
    const int spent = fewer.count[0] * (729 + 81) + fewer.count[1] * (729 + 243) + fewer.count[2] * (729 + 729);
    cr_expect(spent <= 100 * 1458 && spent > 99 * 1458, "%d", spent);
    g->searcher.images = 8;
    cr_expect_eq(sq_searcher_check_options(&g->searcher), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "8 images for 3 rungs of eta 3"), "%s", sq_error_text());
    free(g);
}

static int distance_of(const int *a, const int *b)
{
    int changed = 0;
    for (int l = 0; l < LAYERS; l++)
        changed += a[l] != b[l];
    return changed;
}

/* A cold chain climbs: each question is one layer away from where it stands, until most of those have been proposed. */
Test(searchers, a_cold_chain_asks_neighbours_of_its_best)
{
    game *g = open_game(SQ_SEARCH_ANNEALING, 3, 20, 4);
    int far = 0;
    g->options.temperature = g->options.final_temperature = 1e-9;
    play(g);
    for (int i = 1, at = 0; i < g->searcher.observed_count; i++) {
        int neighbours = 0;
        for (int j = 0; j < i; j++)
            neighbours += distance_of(g->paths[j], g->paths[at]) == 1;
        if (distance_of(g->paths[i], g->paths[at]) > 1) {
            cr_expect_geq(neighbours, LAYERS * (CHOICES - 1) / 2, "candidate %d", i);
            far++;
        }
        at = g->observed[i].top1 >= g->observed[at].top1 ? i : at;
    }
    cr_expect_gt(far, 0);
    g->options.final_temperature = 1;
    cr_expect_eq(sq_searcher_check_options(&g->searcher), SQ_INVALID);
    free(g);
}

/* ---- Arithmetic of fronts ---- */

Test(pareto, ranks_and_crowding_by_hand)
{
    /* Two fronts: 0, 1, 2, 5 (5 equals 1), then 3, then 4. */
    const double points[] = {1, 5, 2, 3, 4, 1, 3, 4, 5, 5, 2, 3};
    const int wanted[] = {0, 0, 0, 1, 2, 0}, members[] = {0, 1, 2, 5};
    int rank[6];
    double distance[4];
    MUST(sq_pareto_ranks(points, 6, 2, rank));
    for (int i = 0; i < 6; i++)
        cr_expect_eq(rank[i], wanted[i], "%d: %d", i, rank[i]);
    MUST(sq_pareto_crowding(points, 2, members, 4, distance));
    /* First objective: 1, 2, 2, 4 of range 3, second: 1, 3, 3, 5 of range 4; of equals the earlier stands first. */
    cr_expect(isinf(distance[0]) && isinf(distance[2]));
    cr_expect_float_eq(distance[1], (2. - 1) / 3 + (3. - 1) / 4, 1e-15);
    cr_expect_float_eq(distance[3], (4. - 2) / 3 + (5. - 3) / 4, 1e-15);
    const int single[] = {3};
    MUST(sq_pareto_crowding(points, 2, single, 1, distance));
    cr_expect_eq(distance[0], 0);
    MUST(sq_pareto_ranks(points, 0, 2, rank));
}

Test(pareto, ranks_agree_with_peeling_by_definition)
{
    enum { COUNT = 80 };
    double points[COUNT * 3];
    for (int set = 0; set < 6; set++) {
        const int objectives = 2 + set % 2;
        int rank[COUNT];
        bool is_out[COUNT] = {false};
        for (int i = 0; i < COUNT * objectives; i++) /* coarse: many ties */
            points[i] = floor(6 * drawn(10 + (uint64_t)set, (uint64_t)i));
        MUST(sq_pareto_ranks(points, COUNT, objectives, rank));
        for (int front = 0, left = COUNT; left; front++) {
            bool is_in[COUNT] = {false};
            cr_assert_lt(front, COUNT);
            for (int i = 0; i < COUNT; i++) {
                is_in[i] = !is_out[i];
                for (int j = 0; j < COUNT; j++)
                    is_in[i] = is_in[i] && (is_out[j] || !sq_dominates(points + j * objectives, points + i * objectives,
                                                                       objectives));
            }
            for (int i = 0; i < COUNT; i++)
                if (is_in[i]) {
                    cr_expect_eq(rank[i], front);
                    is_out[i] = true;
                    left--;
                }
        }
    }
}

Test(pareto, hypervolume_by_hand)
{
    const double flat[] = {1, 3, 2, 2, 3, 1, 3, 3, 5, 0}, to[] = {4, 4};
    const double solid[] = {0, 0, 1, 1, 1, 0, 2, 0, 0, 0, 0, 1}, up[] = {2, 2, 2};
    double volume = -1;
    MUST(sq_hypervolume(flat, 3, 2, to, &volume));
    cr_expect_eq(volume, 6); /* a staircase of 3 + 2 + 1 */
    MUST(sq_hypervolume(flat, 5, 2, to, &volume));
    cr_expect_eq(volume, 6); /* a dominated point and one beyond the reference */
    MUST(sq_hypervolume(flat, 0, 2, to, &volume));
    cr_expect_eq(volume, 0);
    MUST(sq_hypervolume(solid, 1, 3, up, &volume));
    cr_expect_eq(volume, 4);
    MUST(sq_hypervolume(solid, 2, 3, up, &volume));
    cr_expect_eq(volume, 4 + 1); /* the second adds its lower half: 1 x 1 x 1 */
    MUST(sq_hypervolume(solid, 4, 3, up, &volume));
    cr_expect_eq(volume, 5); /* one on the border, one twice */
}

/* Volume by inclusion and exclusion over all subsets: the box of a subset begins at its members' largest values. */
static double by_subsets(const double *points, int count, int objectives, const double *reference)
{
    double total = 0;
    for (int subset = 1; subset < 1 << count; subset++) {
        double box = -1;
        for (int i = 0; i < count; i++)
            box *= subset >> i & 1 ? -1 : 1;
        for (int m = 0; m < objectives; m++) {
            double from = -INFINITY;
            for (int i = 0; i < count; i++)
                from = subset >> i & 1 ? fmax(from, points[i * objectives + m]) : from;
            box *= fmax(0, reference[m] - from);
        }
        total += box;
    }
    return total;
}

Test(pareto, hypervolume_agrees_with_inclusion_and_exclusion)
{
    const double reference[] = {0.9, 0.8, 1, 0.95};
    for (uint64_t set = 0; set < 60; set++) {
        const int objectives = 1 + (int)(set % 4), count = 1 + (int)(set % 11);
        double points[11 * 4], volume;
        for (int i = 0; i < count * objectives; i++)
            points[i] = set % 2 ? drawn(100 + set, (uint64_t)i) : floor(5 * drawn(100 + set, (uint64_t)i)) / 5;
        MUST(sq_hypervolume(points, count, objectives, reference, &volume));
        /* 2^11 terms below 1, each rounded a few times */
        cr_expect_float_eq(volume, by_subsets(points, count, objectives, reference), 1e-12, "set %d: %.17g", (int)set,
                           volume);
    }
}

/* ---- Names ---- */

Test(objectives, lists_are_read_and_wrong_ones_refused)
{
    sq_objectives o;
    char name[32];
    cr_assert(sq_objectives_read("[macs, accuracy,latency.2 ,energy]", &o));
    cr_expect(o.count == 4 && o.list[0].kind == SQ_OBJECTIVE_MACS && o.list[2].device == 1);
    cr_expect_str_eq(sq_objective_name(&o.list[2], name, sizeof name), "latency.2");
    cr_expect_str_eq(sq_objective_name(&o.list[3], name, sizeof name), "energy");
    const char *const wrong[] = {"",
                                 "accuracy",
                                 "macs, memory",
                                 "accuracy, latenc",
                                 "accuracy, latency.0",
                                 "accuracy, latency.5",
                                 "accuracy, latency.",
                                 "accuracy, latency, latency.1",
                                 "accuracy, macs.2",
                                 "accuracy, macs, memory, parameters, latency"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect(!sq_objectives_read(wrong[i], &o), "'%s'", wrong[i]);
    cr_expect(o.count == 4); /* untouched */
    sq_point p;
    cr_expect(sq_point_read("[0.5, 300]", &p) && p.count == 2 && p.values[1] == 300);
    cr_expect(sq_point_read("", &p) && p.count == 0 && sq_point_read("[]", &p));
    cr_expect(!sq_point_read("1, x", &p) && !sq_point_read("1, 2, 3, 4, 5", &p) && !sq_point_read("nan", &p) &&
              !sq_point_read("1x", &p));
}

Test(objectives, a_device_that_is_not_there_is_refused)
{
    game *g = open_game(SQ_SEARCH_NSGA2, 0, 4, 1);
    cr_assert(sq_objectives_read("accuracy, latency", &g->options.objectives));
    cr_expect_eq(sq_searcher_check_options(&g->searcher), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "latency: no device 1, give --latency"), "%s", sq_error_text());
    sq_latency_cache cache = {.info = {.name = "a"}};
    const sq_search_devices devices = {{{.name = "a", .cache = &cache}}, 1};
    g->searcher.devices = &devices;
    MUST(sq_searcher_check_options(&g->searcher));
    cr_assert(sq_objectives_read("accuracy, energy", &g->options.objectives));
    cr_expect_eq(sq_searcher_check_options(&g->searcher), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "energy: a: the table does not have it"), "%s", sq_error_text());
    cr_assert(sq_objectives_read("accuracy, macs", &g->options.objectives));
    g->options.reference.count = 3;
    cr_expect_eq(sq_searcher_check_options(&g->searcher), SQ_INVALID);
    free(g);
}
