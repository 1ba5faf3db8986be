/* Tests the rows of the table of searchers. */
#include <string.h>

#include "search/searchers/searchers.h"
#include "tests/support/support.h"

Test(searcher_table, words_are_in_the_order_of_the_kinds)
{
    const char *word = SQ_SEARCHER_WORDS;
    for (int kind = 0; kind < SQ_SEARCHERS; kind++) {
        const char *name = sq_searcher_name((sq_searcher_kind)kind);
        cr_expect(strncmp(word, name, strlen(name)) == 0 && word[strlen(name)] == ' ', "%s", name);
        cr_expect_eq((int)sq_searcher_find(name), kind);
        word += strlen(name) + 1;
    }
    cr_expect_eq(*word, 0);
    cr_expect_eq(sq_searcher_find("nobody"), SQ_SEARCHERS);
}

Test(searcher_table, no_two_searchers_share_a_random_stream)
{
    static const int streams[] = {
#define STREAM_OF(NAME, word, STREAM) STREAM,
        SQ_SEARCHER_TABLE(STREAM_OF)};
    for (int i = 0; i < SQ_SEARCHERS; i++)
        for (int j = 0; j < i; j++)
            cr_expect(streams[i] == 0 || streams[i] != streams[j], "%d and %d", i, j);
}
