/* Tests reading rows of comma-separated files. */
#include <string.h>

#include "search/cost/dialects/csv.h"
#include "tests/support/support.h"

Test(csv, skips_comments_and_takes_the_unit_of_the_column)
{
    char text[] = "# comment\nkey,delay_us\r\n\na,7\n";
    const sq_dialect_options options = {.unit = NULL};
    sq_dialect_input input = {.path = "x.csv", .text = text, .options = &options, .unit = 1};
    sq_csv csv = sq_csv_open(&input);
    int column = 0;
    double value = 0;
    cr_assert(sq_csv_next(&csv));
    MUST(sq_csv_column(&csv, 1, &column));
    cr_expect(column == 1 && input.unit == 1e-3);
    cr_assert(sq_csv_next(&csv));
    cr_expect_str_eq(csv.where, "x.csv:4");
    MUST(sq_csv_expect(&csv, 2));
    MUST(sq_csv_value(&csv, column, &value));
    cr_expect_eq(value, 7);
    cr_expect_eq(sq_csv_value(&csv, 0, &value), SQ_INVALID);
    cr_expect_eq(sq_csv_expect(&csv, 3), SQ_INVALID);
    cr_expect(!sq_csv_next(&csv));
}
