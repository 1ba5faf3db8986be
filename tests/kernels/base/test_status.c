/* Tests error texts and exit codes. */
#include <string.h>

#include "kernels/base/status.h"
#include "tests/support/support.h"

static sq_status fail_twice(void)
{
    SQ_TRY(sq_fail(SQ_IO, "first"));
    return sq_fail(SQ_DATA, "second");
}

Test(status, the_first_failure_is_passed_on)
{
    cr_expect_eq(fail_twice(), SQ_IO);
    cr_expect_str_eq(sq_error_text(), "first");
}

Test(status, an_error_text_is_one_line_and_may_quote_the_last_one)
{
    char longer[2 * SQ_ERROR_BYTES];
    cr_expect_eq(sq_fail(SQ_INVALID, "a\nb"), SQ_INVALID);
    cr_expect_eq(sq_fail(SQ_INVALID, "x: %s", sq_error_text()), SQ_INVALID);
    cr_expect_str_eq(sq_error_text(), "x: a b");
    (void)memset(longer, 'y', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    cr_expect_eq(sq_fail(SQ_INVALID, "%s", longer), SQ_INVALID);
    cr_expect_eq(strlen(sq_error_text()), SQ_ERROR_BYTES - 1);
}

Test(status, exit_codes_are_those_of_the_manual)
{
    cr_expect_eq(sq_exit_code(SQ_OK), 0);
    cr_expect_eq(sq_exit_code(SQ_IO), 1);
    cr_expect_eq(sq_exit_code(SQ_INVALID), 2);
    cr_expect_eq(sq_exit_code(SQ_DATA), 3);
    cr_expect_eq(sq_exit_code(SQ_NONFINITE), 4);
    cr_expect_eq(sq_exit_code(SQ_COMMUNICATION), 5);
    cr_expect_eq(sq_exit_code(SQ_INTERRUPTED), 75);
}
