/* Tests the printed report of an import. */
#include <stdio.h>
#include <string.h>

#include "search/cost/dialects/dialect_report.h"
#include "tests/support/support.h"

Test(dialect_report, prints_counts_kinds_and_conflicts)
{
    char out[512] = "";
    const sq_dialect_report report = {.rows = 12116,
                                      .read = 1800,
                                      .left_out = 10316,
                                      .kinds = {{"transds", 10316}},
                                      .kind_count = 1,
                                      .duplicates = 2,
                                      .conflicts = 1,
                                      .worst_conflict = 1.5,
                                      .conflict = "key"};
    FILE *file = fmemopen(out, sizeof out, "w");
    sq_dialect_print(&report, file);
    cr_assert_eq(fclose(file), 0);
    cr_expect_not_null(strstr(out, "12,116 rows: 1,800 read, 10,316 left out"), "%s", out);
    cr_expect_not_null(strstr(out, ": 10,316 transds\n2 rows repeat a block"), "%s", out);
    cr_expect_not_null(strstr(out, "1.50 times ('key')"), "%s", out);
}
