#include "supernet/ranks/watchdog.h"

#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/support.h"

/* Returns the exit code of a child that starts a watchdog of `seconds`. The child stops the watchdog at once or
 * sleeps. */
static int exit_code_with(double seconds, int exit_code, bool is_stopped)
{
    int status = 0;
    const pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        sq_watchdog *watchdog = sq_watchdog_start(seconds, "expected by the test", exit_code);
        if (is_stopped)
            sq_watchdog_stop(watchdog);
        else
            (void)sleep(30);
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Test(watchdog, ends_the_process_after_the_time)
{
    cr_expect_eq(exit_code_with(0.05, 9, false), 9);
    cr_expect_eq(exit_code_with(0.05, 0, false), sq_exit_code(SQ_COMMUNICATION));
}

Test(watchdog, does_nothing_once_stopped)
{
    cr_expect_eq(exit_code_with(30, 9, true), 0);
    sq_watchdog_stop(NULL);
}
