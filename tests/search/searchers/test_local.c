/* Compares local search with enumeration. */
#include <stdlib.h>
#include <string.h>

#include "tests/search/enumerated_space.h"

enum { SEEDS = 16, LIMITED_SEEDS = 4, POPULATION = 20 };

/* Returns whether no allowed neighbour of the candidate is more accurate, by enumeration of the neighbours. */
static bool is_local_optimum(const search_trial *t, const sq_candidate *c)
{
    int path[LAYERS];
    for (int l = 0; l < LAYERS; l++)
        for (int choice = 0; choice < CHOICES; choice++) {
            sq_candidate neighbour = {.path = path};
            memcpy(path, c->path, sizeof path);
            path[l] = choice;
            sq_limits_fill_costs(&t->searcher, &neighbour);
            if (sq_limits_hold(&t->searcher, &neighbour) && accuracy_of(path) > c->top1)
                return false;
        }
    return true;
}

/* The search observes 600 of 4,096 paths. A random search of this size finds the optimum for 15 % of the seeds. */
Test(local, finds_the_optimum_of_an_enumerated_space)
{
    const double optimum = best_accuracy();
    int found = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        search_trial *t = open_trial(SQ_SEARCHER_LOCAL, seed, POPULATION, 29);
        run_trial(t);
        cr_expect_eq(t->searcher.observed_count, 600);
        cr_expect(is_local_optimum(t, best_of(t)), "seed %d", (int)seed);
        found += accuracy_of(best_of(t)->path) == optimum;
        free(t);
    }
    cr_log_info("the optimum for %d of %d seeds", found, SEEDS);
    cr_expect_geq(found, SEEDS - 1, "%d", found);
}

Test(local, ends_in_a_local_optimum_within_hard_limits)
{
    for (uint64_t seed = 0; seed < LIMITED_SEEDS; seed++) {
        search_trial *t = open_trial(SQ_SEARCHER_LOCAL, seed, POPULATION, 19);
        t->options.limits.macs = 15;
        run_trial(t);
        cr_expect(is_local_optimum(t, best_of(t)), "seed %d", (int)seed);
        for (int i = 0; i < t->searcher.observed_count; i++)
            cr_expect_leq(t->observed[i].macs, 15);
        free(t);
    }
}

/* Simulates the definition of local search with the known accuracies, and compares the order of the proposals. */
Test(local, climbs_from_the_best_seeds_in_order)
{
    search_trial *t = open_trial(SQ_SEARCHER_LOCAL, 4, POPULATION, 9);
    run_trial(t);
    bool is_used[POPULATION] = {false};
    int position = POPULATION; /* index of the next candidate that the searcher must have proposed */
    for (int climb = 0; climb < 2; climb++) {
        int seed = SQ_NONE;
        for (int i = 0; i < POPULATION; i++)
            if (!is_used[i] && (seed == SQ_NONE || sq_candidate_is_better(&t->observed[i], &t->observed[seed])))
                seed = i;
        is_used[seed] = true;
        int current[LAYERS], best[LAYERS];
        memcpy(best, t->paths[seed], sizeof best);
        do {
            memcpy(current, best, sizeof current);
            for (int l = 0; l < LAYERS; l++)
                for (int choice = 0; choice < CHOICES; choice++) {
                    int path[LAYERS];
                    memcpy(path, current, sizeof path);
                    path[l] = choice;
                    if (sq_candidate_find(t->observed, position, path, LAYERS) == SQ_NONE)
                        cr_assert_eq(memcmp(t->paths[position++], path, sizeof path), 0, "candidate %d", position - 1);
                    if (accuracy_of(path) > accuracy_of(best))
                        memcpy(best, path, sizeof best);
                }
        } while (memcmp(best, current, sizeof best) != 0);
    }
    free(t);
}

Test(local, resumes_after_a_kill_with_the_same_candidates)
{
    search_trial *whole = open_trial(SQ_SEARCHER_LOCAL, 5, POPULATION, 19);
    run_trial(whole);
    for (int killed = 13; killed < 400; killed += 97) {
        search_trial *resumed = open_trial(SQ_SEARCHER_LOCAL, 5, POPULATION, 19);
        for (int i = 0; i < killed; i++)
            observe(resumed, &whole->observed[i]);
        run_trial(resumed);
        cr_expect(whole->searcher.observed_count == resumed->searcher.observed_count &&
                      memcmp(whole->paths, resumed->paths, sizeof whole->paths) == 0,
                  "killed after %d", killed);
        free(resumed);
    }
    free(whole);
}
