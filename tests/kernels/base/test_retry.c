/* Tests the repetition of failed writes. */
#include <errno.h>

#include "kernels/base/retry.h"
#include "tests/support/support.h"

static bool tries_again(int times, sq_status status, int why)
{
    sq_retry retry = sq_retry_begin(times);
    errno = why;
    const bool is_again = sq_retry_again(&retry, status);
    cr_expect_eq(errno, why);
    return is_again;
}

Test(retry, only_what_may_pass_is_tried_again)
{
    const struct {
        int times;
        sq_status status;
        int why;
        bool is_again;
    } cases[] = {{1, SQ_IO, ENOSPC, true},  {0, SQ_IO, ENOSPC, false},      {9, SQ_IO, EACCES, false},
                 {9, SQ_IO, ENOENT, false}, {9, SQ_INVALID, ENOSPC, false}, {9, SQ_OK, ENOSPC, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(tries_again(cases[i].times, cases[i].status, cases[i].why), cases[i].is_again, "case %zu", i);
    sq_retry twice = sq_retry_begin(2);
    errno = EIO;
    cr_expect(sq_retry_again(&twice, SQ_IO));
    cr_expect(sq_retry_again(&twice, SQ_IO));
    cr_expect(!sq_retry_again(&twice, SQ_IO));
}
