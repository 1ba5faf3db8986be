/* Tests the table of a selection, and the explanations in the table. */
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "search/select/select_table.h"
#include "tests/search/made_up_table.h"

Test(select_table, has_one_row_per_operator_with_its_explanation)
{
    const sq_select_options options = SQ_SELECT_OPTIONS;
    sq_space *pool = open_at("hurricane-small", 0);
    sq_latency_cache cache;
    sq_selection s;
    char *folder = make_folder(), path[SQ_PATH_BYTES], *text = NULL, why[64];
    size_t bytes;
    int rows = 0;
    MUST(sq_latency_load(&cache, SOURCE("configs/devices/myriad-x"), pool, SQ_FILL_NONE));
    MUST(sq_select_run(&s, pool, &cache, &options));
    MUST(sq_text_path(path, sizeof path, folder, "table.csv"));
    MUST(sq_select_write_table(&s, path));
    MUST(sq_file_read(path, 1 << 20, &text, &bytes));
    for (const char *p = text; (p = strchr(p, '\n')); p++)
        rows++;
    cr_expect_eq(rows, 1 + s.first[pool->layer_count]);
    for (int i = 0; i < s.first[pool->layer_count]; i++) {
        const sq_select_operator *o = &s.operators[i];
        sq_select_explain(&s, o, why, sizeof why);
        const char *expected = o->reason == SQ_SELECT_RULE   ? "rule: no "
                               : o->reason == SQ_SELECT_RANK ? "rank "
                               : o->reason == SQ_SELECT_SKIP ? "no operator"
                                                             : "one of its family";
        cr_expect_eq(strstr(why, expected), why, "%s", why);
        cr_expect_not_null(strstr(text, why));
    }
    free(text);
    drop_folder(folder);
    sq_select_clear(&s);
    sq_latency_cache_clear(&cache);
    sq_space_free(pool);
}
