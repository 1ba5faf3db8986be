/* Tests the Pareto front of observed candidates, and the share of the true front that NSGA-II finds. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/pareto_front.h"
#include "search/searchers/pareto.h"
#include "tests/search/enumerated_space.h"

enum { SEEDS = 16 };

/* Returns the hypervolume of the observed candidates. reference: accuracy 0 and the largest costs of the space */
static double volume_of(const search_trial *t, const double *reference)
{
    const sq_objectives *o = &t->options.objectives;
    double volume = 0, *values = calloc((size_t)t->searcher.observed_count * 3, sizeof *values);
    for (int i = 0; i < t->searcher.observed_count; i++)
        for (int m = 0; m < o->count; m++)
            values[i * o->count + m] = sq_objective_cost(&o->list[m], &t->observed[i]);
    MUST(sq_hypervolume(values, t->searcher.observed_count, o->count, reference, &volume));
    free(values);
    return volume;
}

static void observe_all_paths(search_trial *t)
{
    for (int i = 0, path[LAYERS]; i < PATHS; i++) {
        sq_candidate c = {.path = path};
        path_from_number(i, path);
        sq_limits_fill_costs(&t->searcher, &c);
        observe(t, &c);
    }
}

static void check_front(const char *objectives, double share)
{
    search_trial *whole = open_trial(SQ_SEARCHER_RANDOM, 0, 1, 0);
    double reference[SQ_MAX_OBJECTIVES] = {0}, nsga = 0, random = 0;
    cr_assert(sq_objectives_read(objectives, &whole->options.objectives));
    const sq_objectives *o = &whole->options.objectives;
    observe_all_paths(whole);
    for (int m = 1; m < o->count; m++)
        for (int i = 0; i < PATHS; i++)
            reference[m] = fmax(reference[m], sq_objective_cost(&o->list[m], &whole->observed[i]));
    const double wanted = volume_of(whole, reference);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        search_trial *a = open_trial(SQ_SEARCHER_NSGA2, seed, 40, 18),
                     *b = open_trial(SQ_SEARCHER_RANDOM, seed, 40, 18);
        a->options.objectives = b->options.objectives = *o;
        run_trial(a);
        run_trial(b);
        cr_expect(a->searcher.observed_count == 760 && a->searcher.observed_count * 5 < PATHS);
        nsga += volume_of(a, reference) / wanted / SEEDS;
        random += volume_of(b, reference) / wanted / SEEDS;
        free(a);
        free(b);
    }
    cr_log_info("%s: nsga2 %.4f random %.4f of the true hypervolume", objectives, nsga, random);
    cr_expect_gt(nsga, share, "%s: %t", objectives, nsga);
    cr_expect_gt(nsga, random, "%s: %t, random %t", objectives, nsga, random);
    free(whole);
}

Test(pareto_front, nsga2_reaches_the_true_front)
{
    check_front("accuracy, macs", 0.98);
    check_front("accuracy, macs, parameters", 0.98);
}

Test(pareto_front, holds_the_nondominated_ones_of_all_observed)
{
    search_trial *t = open_trial(SQ_SEARCHER_NSGA2, 3, 20, 10);
    sq_pareto_front front;
    run_trial(t);
    MUST(sq_pareto_front_find(&front, &t->searcher, 100));
    for (int i = 0, at = 0; i < t->searcher.observed_count; i++) {
        bool is_dominated = false;
        for (int j = 0; j < t->searcher.observed_count; j++) {
            const sq_candidate *a = &t->observed[j], *b = &t->observed[i];
            is_dominated =
                is_dominated || (a->top1 >= b->top1 && a->macs <= b->macs && (a->top1 > b->top1 || a->macs < b->macs));
        }
        const bool is_listed = at < front.count && front.candidates[at] == 100 + i;
        cr_expect_eq(is_listed, !is_dominated, "candidate %d", i);
        at += is_listed;
    }
    const double reference[] = {0, front.reference.values[1]};
    cr_expect(front.reference.count == 2 && front.reference.values[0] == 0);
    cr_expect_eq(front.hypervolume, volume_of(t, reference));
    t->options.reference = (sq_point){{0.5, 20}, 2};
    const double given[] = {-0.5, 20};
    sq_pareto_front_clear(&front);
    MUST(sq_pareto_front_find(&front, &t->searcher, 0));
    cr_expect(front.hypervolume == volume_of(t, given) && front.reference.values[0] == 0.5);
    sq_pareto_front_clear(&front);
    free(t);
}

Test(pareto_front, refuses_objectives_that_no_device_has)
{
    search_trial *t = open_trial(SQ_SEARCHER_NSGA2, 0, 4, 1);
    cr_assert(sq_objectives_read("accuracy, latency", &t->options.objectives));
    cr_expect_eq(sq_searcher_check(&t->searcher), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "latency: no device 1, give --latency"), "%s", sq_error_text());
    sq_latency_cache cache = {.info = {.name = "a"}};
    const sq_search_devices devices = {{{.name = "a", .cache = &cache}}, 1};
    t->searcher.devices = &devices;
    MUST(sq_searcher_check(&t->searcher));
    cr_assert(sq_objectives_read("accuracy, energy", &t->options.objectives));
    cr_expect_eq(sq_searcher_check(&t->searcher), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "energy: a: the table does not have it"), "%s", sq_error_text());
    cr_assert(sq_objectives_read("accuracy, macs", &t->options.objectives));
    t->options.reference.count = 3;
    cr_expect_eq(sq_searcher_check(&t->searcher), SQ_INVALID);
    free(t);
}
