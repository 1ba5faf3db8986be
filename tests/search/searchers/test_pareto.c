/* Compares non-dominated sorting, crowding and hypervolume with results computed by hand and by definition. */
#include <math.h>

#include "search/searchers/pareto.h"
#include "tests/search/enumerated_space.h"

Test(pareto, ranks_and_crowding_by_hand)
{
    /* There are three fronts: points 0, 1, 2 and 5 (5 equals 1), then point 3, then point 4. */
    const double points[] = {1, 5, 2, 3, 4, 1, 3, 4, 5, 5, 2, 3};
    const int wanted[] = {0, 0, 0, 1, 2, 0}, members[] = {0, 1, 2, 5};
    int rank[6];
    double distance[4];
    MUST(sq_pareto_ranks(points, 6, 2, rank));
    for (int i = 0; i < 6; i++)
        cr_expect_eq(rank[i], wanted[i], "%d: %d", i, rank[i]);
    MUST(sq_pareto_crowding(points, 2, members, 4, distance));
    /* The members' values are 1, 2, 2, 4 (range 3) in the first objective and 1, 3, 3, 5 (range 4) in the second. Of
     * equal points the earlier one is sorted first. */
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
        for (int i = 0; i < COUNT * objectives; i++) /* coarse values, so that many are equal */
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
    cr_expect_eq(volume, 6); /* a staircase of areas 3 + 2 + 1 */
    MUST(sq_hypervolume(flat, 5, 2, to, &volume));
    cr_expect_eq(volume, 6); /* a dominated point and a point beyond the reference add nothing */
    MUST(sq_hypervolume(flat, 0, 2, to, &volume));
    cr_expect_eq(volume, 0);
    MUST(sq_hypervolume(solid, 1, 3, up, &volume));
    cr_expect_eq(volume, 4);
    MUST(sq_hypervolume(solid, 2, 3, up, &volume));
    cr_expect_eq(volume, 4 + 1); /* point (1, 1, 0) adds the cube of side 1 below the box of the first point */
    MUST(sq_hypervolume(solid, 4, 3, up, &volume));
    cr_expect_eq(volume, 5); /* a point on the border and a repeated point add nothing */
}

/* Computes the volume by inclusion and exclusion over all subsets of the points. A subset's box extends from the
 * largest values of its members to the reference. */
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
        /* The sum has 2^11 terms below 1, and each term is rounded a few times. */
        cr_expect_float_eq(volume, by_subsets(points, count, objectives, reference), 1e-12, "set %d: %.17g", (int)set,
                           volume);
    }
}
