/* Tests starting another program. */
#include <stdlib.h>
#include <string.h>

#include "search/cost/measure/process.h"
#include "tests/support/support.h"

static sq_status run_script(sq_process_output *out, const char *script, double limit_seconds)
{
    char *arguments[] = {(char *)"sh", (char *)"-c", (char *)script, NULL};
    return sq_process_run(out, &(sq_process_options){"test", arguments, 0, limit_seconds});
}

Test(process, returns_what_the_program_prints)
{
    sq_process_output output;
    MUST(run_script(&output, "echo one; echo two >&2; printf 'a\\000b'", 20));
    cr_expect_str_eq(output.text, "one\ntwo\na?b");
    cr_expect(output.bytes == strlen(output.text) && !output.is_cut && output.cores == 0);
    sq_process_clear(&output);
    cr_expect_null(output.text);
}

Test(process, reports_exit_status_signal_and_time_limit)
{
    sq_process_output output;
    cr_expect_eq(run_script(&output, "echo bad; exit 3", 20), SQ_DEVICE);
    cr_expect_not_null(strstr(sq_error_text(), "test: exit status 3: last line 'bad'"), "%s", sq_error_text());
    cr_expect_eq(run_script(&output, "kill -9 $$", 20), SQ_DEVICE);
    cr_expect_not_null(strstr(sq_error_text(), "signal 9"), "%s", sq_error_text());
    cr_expect_eq(run_script(&output, "sleep 30", 0.1), SQ_DEVICE);
    cr_expect_not_null(strstr(sq_error_text(), "the time limit"), "%s", sq_error_text());
}

Test(process, finds_the_last_line_that_is_not_blank)
{
    char line[8];
    cr_expect_str_eq(sq_process_last_line(line, sizeof line, "a\nlonger than that\n \n"), "longer ");
    cr_expect_str_eq(sq_process_last_line(line, sizeof line, ""), "");
}
