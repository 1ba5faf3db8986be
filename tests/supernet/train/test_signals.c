#include "supernet/train/signals.h"

#include <signal.h>

#include "tests/support/support.h"

Test(signals, a_signal_is_recorded_with_its_name)
{
    sq_signals_listen();
    cr_expect_not(sq_signals_received());
    cr_expect_str_eq(sq_signals_name(), "");
    cr_assert_eq(raise(SIGUSR1), 0);
    cr_expect(sq_signals_received());
    cr_expect_str_eq(sq_signals_name(), "SIGUSR1");
    cr_assert_eq(raise(SIGTERM), 0);
    cr_expect_str_eq(sq_signals_name(), "SIGTERM");
}

Test(signals, a_second_interrupt_ends_the_process, .exit_code = 130)
{
    sq_signals_listen();
    (void)raise(SIGINT);
    (void)raise(SIGINT);
}
