/* Implements the smoke test of a GPU, which compares every operation with the reference and stops at the first
 * difference. tests/run-gpu runs this test first and prints the last line of its output. The file is part of
 * test_cuda_gpu and, on the emulator, of smoke_emulated. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/kernels/op_table.h"
#include "tests/support/support.h"

/* Returns the number of spaces to compare. SQ_SMOKE_TABLES limits the number, for the tests of run-gpu. */
static int table_count(int all)
{
    const char *text = getenv("SQ_SMOKE_TABLES");
    return text && atoi(text) > 0 && atoi(text) < all ? atoi(text) : all;
}

Test(cuda_smoke, operations_agree_up_to_the_first_that_differs)
{
    static const char *const spaces[] = {"configs/spaces/tiny.yaml", "tests/fixtures/odd_widths_pad.yaml",
                                         "tests/fixtures/odd_widths_keep.yaml",
                                         "tests/fixtures/cuda_fused_backward.yaml", "tests/fixtures/cuda_wide.yaml"};
    char difference[OP_DIFFERENCE_BYTES];
    int compared = 0;
    for (int i = 0; i < table_count((int)(sizeof spaces / sizeof *spaces)); i++) {
        char path[4096];
        (void)snprintf(path, sizeof path, "/%s", spaces[i]);
        const op_table table = {source_path(path), "cuda", 2, SQ_ENGINE_SQUALL};
        compared += find_op_difference(&table, difference, true);
        cr_assert(difference[0] == '\0', "smoke: %s", difference);
    }
    (void)printf("smoke: %d operations agree with the reference\n", compared);
}
