/* Tests the monotonic clock and pauses. */
#include "kernels/base/clock.h"
#include "tests/support/support.h"

Test(clock, time_never_runs_backwards_and_a_pause_takes_some)
{
    double last = sq_seconds_now();
    for (int i = 0; i < 1000; i++) {
        const double now = sq_seconds_now();
        cr_assert_geq(now, last);
        last = now;
    }
    sq_pause();
    cr_expect_gt(sq_seconds_now(), last);
    sq_pause_after(0);
    sq_pause_after(1);
}
