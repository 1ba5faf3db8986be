/* Tests the order of candidates, and the lookup by path. */
#include "search/candidate.h"
#include "tests/support/support.h"

Test(candidate, orders_by_top1_then_top5_then_loss)
{
    const sq_candidate a = {.top1 = 0.5, .top5 = 0.8, .loss = 1};
    const sq_candidate better[] = {
        {.top1 = 0.6}, {.top1 = 0.5, .top5 = 0.9, .loss = 5}, {.top1 = 0.5, .top5 = 0.8, .loss = 0.9}};
    for (size_t i = 0; i < sizeof better / sizeof *better; i++)
        cr_expect(sq_candidate_is_better(&better[i], &a) && !sq_candidate_is_better(&a, &better[i]), "%zu", i);
    cr_expect(!sq_candidate_is_better(&a, &a));
}

Test(candidate, the_best_has_the_most_images_and_comes_first_on_a_tie)
{
    const sq_candidate list[] = {{.images = 10, .top1 = 0.9},
                                 {.images = 20, .top1 = 0.5},
                                 {.images = 20, .top1 = 0.6},
                                 {.images = 20, .top1 = 0.6}};
    cr_expect_eq(sq_candidate_best(list, 4), &list[2]);
    cr_expect_null(sq_candidate_best(list, 0));
}

Test(candidate, finds_the_first_with_a_path)
{
    int a[] = {0, 1, 2}, b[] = {0, 1, 3};
    const sq_candidate list[] = {{.path = a}, {.path = b}, {.path = b}};
    const int missing[] = {1, 1, 3};
    cr_expect(sq_candidate_find(list, 3, b, 3) == 1 && sq_candidate_find(list, 3, missing, 3) == SQ_NONE);
}
