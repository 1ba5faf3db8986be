/* Tests that the resizing passes give the same bits with every instruction set. */
#include <string.h>

#include "kernels/base/rng.h"
#include "kernels/image/resize_passes.h"
#include "tests/support/support.h"

enum { COLUMNS = 45, ROWS = 6, MOST_GROUPS = 3 };

typedef struct {
    _Alignas(64) int16_t weights[COLUMNS * MOST_GROUPS * SQ_GROUP_VALUES];
    int first[COLUMNS];
    sq_resize_columns columns;
} drawn_columns;

/* Draws random columns that read `limit` pixels each. The sum of a column's weights is at most 1. */
static void draw_columns(drawn_columns *d, int limit, sq_rng *rng)
{
    const int groups = (limit + SQ_GROUP_PIXELS - 1) / SQ_GROUP_PIXELS;
    memset(d->weights, 0, sizeof d->weights);
    for (int x = 0; x < COLUMNS; x++) {
        d->first[x] = 3 * (int)sq_rng_below(rng, COLUMNS);
        for (int p = 0; p < limit; p++) {
            int16_t *at = d->weights + (x * groups + p / 4) * SQ_GROUP_VALUES + p % 4 / 2 * 8 + p % 2;
            at[0] = at[2] = at[4] = (int16_t)sq_rng_below(rng, 32767 / (4 * (uint32_t)groups));
        }
    }
    d->columns = (sq_resize_columns){d->first, d->weights, limit, COLUMNS};
}

/* Runs both passes of both implementations on the same random rows and compares the results. */
static void compare(const sq_resize_passes *passes, const sq_resize_columns *columns, sq_rng *rng)
{
    uint8_t row[3 * COLUMNS + SQ_GROUP_BYTES * (MOST_GROUPS + 1)], bytes[2][3 * COLUMNS];
    int16_t rows[2][ROWS][3 * COLUMNS + 2 * SQ_ROW_MARGIN], down[ROWS];
    const int16_t *taken[2][ROWS];
    for (int r = 0; r < ROWS; r++) {
        for (size_t i = 0; i < sizeof row; i++)
            row[i] = (uint8_t)sq_rng_below(rng, 256);
        down[r] = (int16_t)sq_rng_below(rng, 32767 / ROWS);
        sq_resize_baseline.across(row, columns, rows[0][r]);
        passes->across(row, columns, rows[1][r]);
        cr_expect_eq(memcmp(rows[0][r], rows[1][r], 3 * COLUMNS * sizeof(int16_t)), 0, "across, %d pixels",
                     columns->limit);
        taken[0][r] = rows[0][r];
        taken[1][r] = rows[1][r];
    }
    sq_resize_baseline.down(taken[0], down, ROWS, 3 * COLUMNS, bytes[0]);
    passes->down(taken[1], down, ROWS, 3 * COLUMNS, bytes[1]);
    cr_expect_eq(memcmp(bytes[0], bytes[1], sizeof bytes[0]), 0, "down");
}

Test(resize_passes, all_instructions_give_the_same_bits)
{
    const sq_resize_passes *passes = &sq_resize_baseline;
#if defined(__x86_64__)
    if (!__builtin_cpu_supports("avx2"))
        cr_skip_test("no avx2");
    passes = &sq_resize_avx2;
#else
    cr_skip_test("only one instruction set is available");
#endif
    sq_rng rng = sq_rng_open(4, SQ_RNG_TEST, 0);
    for (int round = 0; round < 200; round++) {
        drawn_columns d;
        draw_columns(&d, 2 + round % (SQ_GROUP_PIXELS * MOST_GROUPS - 1), &rng);
        compare(passes, &d.columns, &rng);
    }
}
