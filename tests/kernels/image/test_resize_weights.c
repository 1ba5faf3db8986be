/* Tests the filter weights of resizing. */
#include <math.h>

#include "kernels/image/resize_weights.h"
#include "tests/support/support.h"

enum { MOST_TAPS = 256 };

Test(resize_weights, weights_of_every_output_sum_to_one)
{
    static const int cases[][2] = {{1, 1}, {1, 7}, {7, 7}, {224, 224}, {500, 224}, {33, 224}, {3000, 31}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const sq_span span = sq_span_cropped(11, cases[k][0], cases[k][1]);
        cr_assert_leq(sq_taps_limit(&span), MOST_TAPS);
        for (int i = 0; i < cases[k][1]; i++) {
            int16_t weights[MOST_TAPS];
            const sq_taps taps = sq_taps_weigh(&span, i, weights);
            int sum = 0;
            for (int t = 0; t < taps.count; t++)
                sum += weights[t];
            cr_assert(taps.first >= span.low && taps.first + taps.count <= span.high, "%d", i);
            cr_assert_geq(sum, INT16_MAX, "a weight of 1 is stored as 32767");
            cr_assert_leq(sum, 1 << SQ_WEIGHT_BITS);
        }
    }
}

Test(resize_weights, the_same_size_copies_pixels)
{
    const sq_span span = sq_span_cropped(5, 20, 20);
    for (int i = 0; i < 20; i++) {
        int16_t weights[MOST_TAPS];
        const sq_taps taps = sq_taps_weigh(&span, i, weights);
        for (int t = 0; t < taps.count; t++)
            cr_expect_eq(weights[t], taps.first + t == 5 + i ? INT16_MAX : 0);
    }
}
