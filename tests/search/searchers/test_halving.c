/* Tests successive halving: the budget in images, and the promoted candidates. */
#include <stdlib.h>
#include <string.h>

#include "search/searchers/halving.h"
#include "tests/search/enumerated_space.h"

Test(halving, spends_its_budget_in_images_and_promotes_the_best)
{
    search_trial *t = open_trial(SQ_SEARCHER_HALVING, 1, 10, 9);
    t->is_noisy = true;
    const sq_rungs rungs = sq_halving_rungs(&t->searcher);
    /* The budget is 100 whole evaluations. n candidates cost n * 729 / 9 + (n / 3) * 729 / 3 + (n / 9) * 729 = n * 243
     * images. */
    cr_expect(rungs.count[0] == 302 && rungs.count[1] == 100 && rungs.count[2] == 33, "%d, %d, %d", rungs.count[0],
              rungs.count[1], rungs.count[2]);
    cr_expect(rungs.images[0] == 81 && rungs.images[1] == 243 && rungs.images[2] == 729);
    run_trial(t);
    cr_expect_eq(t->searcher.observed_count, 435);
    for (int i = 302, at = 0; i < 435; i++) {
        const int before = i < 402 ? 0 : 302, size = i < 402 ? 302 : 100;
        double least = 1;
        cr_expect_eq(t->observed[i].images, i < 402 ? 243 : 729);
        for (at = before; at < before + size; at++)
            if (memcmp(t->paths[at], t->paths[i], sizeof t->paths[0]) == 0)
                least = t->observed[at].top1;
        int better = 0; /* a promoted candidate is among the best third */
        for (at = before; at < before + size; at++)
            better += t->observed[at].top1 > least;
        cr_expect_lt(better, size / 3, "candidate %d", i);
    }
    const sq_candidate *best = best_of(t);
    cr_expect_eq(best->images, IMAGES);
    t->searcher.calibration_images = 729; /* each evaluation now also costs 729 calibration images */
    const sq_rungs fewer = sq_halving_rungs(&t->searcher);
    const int spent = fewer.count[0] * (729 + 81) + fewer.count[1] * (729 + 243) + fewer.count[2] * (729 + 729);
    cr_expect(spent <= 100 * 1458 && spent > 99 * 1458, "%d", spent);
    t->searcher.evaluation_images = 8;
    cr_expect_eq(sq_searcher_check(&t->searcher), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "8 images for 3 rungs of eta 3"), "%s", sq_error_text());
    free(t);
}
