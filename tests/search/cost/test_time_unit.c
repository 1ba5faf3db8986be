/* Tests units of time. */
#include "search/cost/time_unit.h"
#include "tests/support/support.h"

Test(time_unit, names_and_columns_give_milliseconds)
{
    cr_expect(sq_time_unit_ms("ns") == 1e-6 && sq_time_unit_ms("us") == 1e-3 && sq_time_unit_ms("ms") == 1 &&
              sq_time_unit_ms("s") == 1e3 && sq_time_unit_ms("min") == 0 && sq_time_unit_ms("") == 0);
    cr_expect_str_eq(sq_time_unit_of_column("delta_ms"), "ms");
    cr_expect_str_eq(sq_time_unit_of_column("latency(us)"), "us");
    cr_expect_str_eq(sq_time_unit_of_column("latency(s)"), "s");
    cr_expect_null(sq_time_unit_of_column("params_s"));
    cr_expect_null(sq_time_unit_of_column("ms"));
}
