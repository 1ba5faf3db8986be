/* Tests find_op_difference as the smoke test uses it: the text names a wrong result and a failing launch. */
#include <string.h>

#include "tests/emulation/runtime/emu_control.h"
#include "tests/kernels/op_table.h"
#include "tests/support/support.h"

static int run_until_difference(char *difference)
{
    const op_table table = {SOURCE("configs/spaces/tiny.yaml"), "cuda", 2, SQ_ENGINE_SQUALL};
    return find_op_difference(&table, difference, false);
}

static void expect_words(const char *text, const char *const *words)
{
    for (; *words; words++)
        cr_expect(strstr(text, *words) != NULL, "'%s', wanted '%s'", text, *words);
    cr_expect_null(strchr(text, '\n'));
}

Test(cuda_difference, a_wrong_result_is_named)
{
    char difference[OP_DIFFERENCE_BYTES];
    emu_skip_kernel("depthwise_kernel");
    const int compared = run_until_difference(difference);
    expect_words(difference,
                 (const char *const[]){"forward: conv 3x3 stride ", " depthwise of 2 x ", " on emulated: slot ",
                                       " exceeds the bound ", "; largest error ", NULL});
    cr_expect_lt(compared, 30, "%d operations were compared before it", compared);
}

/* The first launch fails. The stem's forward program runs first, so the text names the stem. */
Test(cuda_difference, a_launch_that_fails_is_named)
{
    char difference[OP_DIFFERENCE_BYTES];
    emu_fail_launch(1);
    (void)run_until_difference(difference);
    expect_words(difference,
                 (const char *const[]){"stem", " on emulated: fails: ", "unspecified launch failure", NULL});
}

Test(cuda_difference, reports_nothing_if_all_agree)
{
    char difference[OP_DIFFERENCE_BYTES] = "from before";
    cr_expect_gt(run_until_difference(difference), 100);
    cr_expect_str_eq(difference, "");
}
