/* Compares regularized evolution with enumeration and with the definition of its population. */
#include <stdlib.h>
#include <string.h>

#include "tests/search/enumerated_space.h"

enum { SEEDS = 16 };

/* Runs a search with `children` children at a time; 1 is the published algorithm. */
static search_trial *run_with(uint64_t seed, int population, int generations, int children)
{
    search_trial *t = open_trial(SQ_SEARCHER_REGULARIZED, seed, population, generations);
    t->options.children = children;
    t->options.sample_size = population / 3;
    run_trial(t);
    return t;
}

/* The search observes 750 of 4,096 paths. A random search of this size finds the optimum for 18 % of the seeds. */
Test(regularized, finds_the_optimum_of_an_enumerated_space)
{
    const double optimum = best_accuracy();
    for (int children = 1; children <= 10; children += 9) {
        int found = 0;
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            search_trial *t = run_with(seed, 30, 24, children);
            cr_expect_eq(t->searcher.observed_count, 750);
            found += accuracy_of(best_of(t)->path) == optimum;
            free(t);
        }
        cr_log_info("%d children: the optimum for %d of %d seeds", children, found, SEEDS);
        cr_expect_geq(found, SEEDS - 1, "%d children: %d", children, found);
    }
}

static int distance_of(const int *a, const int *b)
{
    int changed = 0;
    for (int l = 0; l < LAYERS; l++)
        changed += a[l] != b[l];
    return changed;
}

/* A sample of 20 times the population almost surely includes the best member, so the child must be a neighbour of the
 * best member. */
Test(regularized, mutates_the_best_of_the_youngest_and_forgets_the_oldest)
{
    enum { POPULATION = 12, NEIGHBOURS = LAYERS * (CHOICES - 1) };
    search_trial *t = open_trial(SQ_SEARCHER_REGULARIZED, 3, POPULATION, 5);
    int best_has_died = 0;
    t->options.children = 1;
    t->options.sample_size = 20 * POPULATION;
    t->options.tries = 200; /* enough tries to find the only new path among 18 neighbours */
    run_trial(t);
    cr_assert_eq(t->searcher.observed_count, 6 * POPULATION);
    for (int child = POPULATION; child < t->searcher.observed_count; child++) {
        const sq_candidate *parent = sq_candidate_best(t->observed + child - POPULATION, POPULATION);
        best_has_died += sq_candidate_is_better(sq_candidate_best(t->observed, child), parent);
        int neighbours = 0; /* number of the parent's neighbours that are already observed */
        for (int i = 0; i < child; i++)
            neighbours += distance_of(parent->path, t->observed[i].path) == 1;
        cr_expect_eq(distance_of(parent->path, t->observed[child].path), neighbours < NEIGHBOURS ? 1 : 2, "child %d",
                     child);
    }
    cr_expect_gt(best_has_died, 0, "the best of all was always young: the test shows nothing");
    free(t);
}

Test(regularized, resumes_after_a_kill_with_the_same_candidates)
{
    search_trial *whole = run_with(5, 20, 6, 7), *resumed = open_trial(SQ_SEARCHER_REGULARIZED, 5, 20, 6);
    resumed->options.children = 7;
    resumed->options.sample_size = whole->options.sample_size;
    for (int i = 0; i < 63; i++) /* simulates a kill during the eighth generation */
        observe(resumed, &whole->observed[i]);
    run_trial(resumed);
    cr_expect(whole->searcher.observed_count == resumed->searcher.observed_count &&
              memcmp(whole->paths, resumed->paths, sizeof whole->paths) == 0);
    free(whole);
    free(resumed);
}
