/* Tests which paths are ranked, and the measure of agreement between two orders. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/rank.h"
#include "supernet/space/cost.h"
#include "tests/support/support.h"

Test(rank, paths_differ_repeat_by_seed_and_are_spread_over_costs)
{
    sq_space *space = NULL;
    static sq_ranked a[20], b[20], c[20];
    MUST(sq_space_read(&space, SOURCE("configs/spaces/spos.yaml"), 0, 0));
    MUST(sq_rank_draw(a, 20, space, NULL, 1));
    MUST(sq_rank_draw(b, 20, space, NULL, 1));
    MUST(sq_rank_draw(c, 20, space, NULL, 2));
    cr_expect_eq(memcmp(a, b, sizeof a), 0);
    cr_expect_neq(memcmp(a, c, sizeof a), 0);
    for (int i = 0; i < 20; i++) {
        cr_expect_float_eq(a[i].macs, 1e-6 * (double)sq_cost_path(space, a[i].path).macs, 1e-9);
        cr_expect(i == 0 || a[i].macs >= a[i - 1].macs);
        cr_expect(i == 0 || memcmp(a[i].path, a[i - 1].path, sizeof a[i].path) != 0);
    }
    /* The smallest and the largest twentieth of random paths are at least 1.6 standard deviations from the mean. */
    double sum = 0, squares = 0;
    for (int i = 0; i < 20; i++) {
        sum += a[i].macs;
        squares += a[i].macs * a[i].macs;
    }
    const double mean = sum / 20, deviation = sqrt(squares / 20 - mean * mean);
    cr_expect(a[0].macs < mean - 1.2 * deviation && a[19].macs > mean + 1.2 * deviation);
    sq_space_free(space);
}

Test(rank, refuses_a_space_or_mask_with_too_few_paths)
{
    sq_space *space = NULL;
    static sq_ranked list[SQ_MAX_RANKED];
    sq_search_mask search_mask;
    MUST(sq_space_read(&space, SOURCE("configs/spaces/tiny.yaml"), 0, 0));
    sq_search_mask_all(&search_mask, space);
    for (int l = 2; l < space->layer_count; l++)
        sq_search_mask_fix(&search_mask, l, 0);
    MUST(sq_rank_draw(list, 5, space, &search_mask, 1)); /* the mask allows only five paths */
    for (int i = 0; i < 5; i++)
        cr_expect(sq_search_mask_allows(&search_mask, space, list[i].path));
    cr_expect_eq(sq_rank_draw(list, 6, space, &search_mask, 1), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "found 5 different paths in tiny, expected 6"), "%s", sq_error_text());
    cr_expect_eq(sq_rank_draw(list, 1, space, NULL, 1), SQ_INVALID);
    cr_expect_eq(sq_rank_draw(list, SQ_MAX_RANKED + 1, space, NULL, 1), SQ_INVALID);
    sq_space_free(space);
}

/* Five paths have 10 pairs. The probabilities are from Kendall (1938): 2/120 for |tau| = 1, and 10/120 for |tau| >=
 * 0.8. */
Test(rank, agreement_counts_pairs_and_has_exact_probabilities)
{
    static const double alone[3][5] = {{0.1, 0.2, 0.3, 0.4, 0.5}, {0.2, 0.1, 0.3, 0.4, 0.5}, {0, 0, 0, 0, 0}};
    static const double tau[] = {1, 0.8, NAN}, chance[] = {2.0 / 120, 10.0 / 120, NAN};
    sq_ranked list[6] = {0};
    sq_rank_agreement found;
    for (int k = 0; k < 3; k++) {
        for (int i = 0; i < 5; i++) {
            list[i].supernet = (sq_rank_score){true, 1, 0.1 * i, 1};
            list[i].alone = (sq_rank_score){true, 1, alone[k][i], 1};
        }
        MUST(sq_rank_compare(&found, list, 6)); /* the sixth path has no scores and does not count */
        cr_expect_eq(found.pairs, 10);
        cr_expect(isnan(tau[k]) ? isnan(found.tau) : fabs(found.tau - tau[k]) < 1e-12, "%g", found.tau);
        cr_expect(isnan(chance[k]) ? isnan(found.chance) : fabs(found.chance - chance[k]) < 1e-12, "%g", found.chance);
    }
    cr_expect_eq(sq_rank_compare(&found, list + 5, 1), SQ_INVALID);
}
