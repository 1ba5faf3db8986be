/* Tests the operations of every searcher. */
#include <string.h>

#include "search/searchers/searcher.h"
#include "tests/support/support.h"

static const sq_searcher_ops *const all[] = {
#define OPS(NAME, word, STREAM) &sq_searcher_##word,
    SQ_SEARCHER_TABLE(OPS)};

Test(searcher, every_operation_is_defined)
{
    cr_assert_eq((int)(sizeof all / sizeof *all), SQ_SEARCHERS);
    for (int i = 0; i < SQ_SEARCHERS; i++)
        cr_expect(all[i]->summary && all[i]->ask && all[i]->generation_limit && all[i]->budget && all[i]->check, "%d",
                  i);
}
