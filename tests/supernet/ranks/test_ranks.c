/* Tests one rank. check_ranks.py tests several. */
#include "supernet/ranks/ranks.h"

#include <string.h>

#include "tests/support/support.h"

Test(ranks, one_rank_returns_at_once_and_changes_nothing)
{
    sq_ranks *ranks = NULL;
    double values[2] = {1.5, -2};
    int all[1], own = 7;
    char text[256];
    MUST(sq_ranks_open(&ranks, 0));
    cr_expect(sq_ranks_rank(ranks) == 0 && sq_ranks_count(ranks) == 1 && sq_ranks_local_count(ranks) == 1);
    MUST(sq_ranks_sum(ranks, values, 2));
    cr_expect(values[0] == 1.5 && values[1] == -2);
    MUST(sq_ranks_gather(ranks, &own, sizeof own, all));
    cr_expect_eq(all[0], 7);
    MUST(sq_ranks_broadcast(ranks, &own, sizeof own));
    MUST(sq_ranks_barrier(ranks));
    cr_expect_eq(sq_ranks_reduced_bytes(ranks), 0);
    sq_ranks_describe(ranks, text, sizeof text);
    cr_expect_eq(strncmp(text, "1 rank (", 8), 0, "%s", text);
    sq_ranks_close(ranks, 0);
}

Test(ranks, one_rank_keeps_its_failure_and_reports_it_itself)
{
    sq_ranks *ranks = NULL;
    MUST(sq_ranks_open(&ranks, 0));
    cr_expect_eq(sq_ranks_agree(ranks, sq_fail(SQ_DATA, "no images")), SQ_DATA);
    cr_expect_str_eq(sq_error_text(), "no images");
    cr_expect_not(sq_error_is_reported());
    MUST(sq_ranks_agree(ranks, SQ_OK));
    sq_ranks_close(ranks, 0);
}

Test(ranks, null_counts_as_one_rank)
{
    cr_expect(sq_ranks_rank(NULL) == 0 && sq_ranks_count(NULL) == 1 && sq_ranks_local(NULL) == 0);
    sq_ranks_set_time_limit(NULL, 3);
    sq_ranks_close(NULL, 0);
}

Test(ranks, a_new_failure_is_not_reported_by_another_rank)
{
    (void)sq_fail(SQ_DATA, "first");
    sq_error_set_reported();
    cr_expect(sq_error_is_reported());
    (void)sq_fail(SQ_DATA, "second");
    cr_expect_not(sq_error_is_reported());
}
