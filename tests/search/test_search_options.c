/* Tests that search options out of range are refused. */
#include <stdlib.h>
#include <string.h>

#include "tests/search/enumerated_space.h"

Test(search_options, out_of_range_are_refused)
{
    search_trial *t = open_trial(SQ_SEARCHER_EVOLUTION, 1, 10, 1);
    const sq_search_options good = t->options;
    sq_search_options bad[8];
    for (int i = 0; i < 8; i++)
        bad[i] = good;
    bad[0].population = 0;
    bad[1].generations = -1;
    bad[2].parents = 0;
    bad[3].crossover = -1;
    bad[4].mutation = -1;
    bad[5].tries = 0;
    bad[6].mutation_probability = 1.5;
    bad[7].population = bad[7].generations = 100000;
    for (int i = 0; i < 8; i++) {
        t->options = bad[i];
        cr_expect_eq(sq_searcher_check(&t->searcher), SQ_INVALID, "%d", i);
    }
    t->options = good;
    MUST(sq_searcher_check(&t->searcher));
    free(t);
}

Test(search_options, those_of_a_searcher_are_refused_beyond_their_range)
{
    for (int i = 0; i < sq_searcher_option_count(); i++) {
        const sq_searcher_option *row = sq_searcher_option_at(i);
        search_trial *t = open_trial(row->kind, 1, 10, 1);
        void *field = (char *)&t->options + row->offset;
        if (row->is_integer)
            *(int *)field = (int)row->least - 1;
        else
            *(double *)field = row->least - 1;
        cr_expect_eq(sq_searcher_check(&t->searcher), SQ_INVALID, "%s", row->name);
        cr_expect_not_null(strstr(sq_error_text(), row->name), "%s", sq_error_text());
        free(t);
    }
}
