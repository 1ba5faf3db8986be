/* Tests activations: names, values, slopes. */
#include <math.h>

#include "kernels/activation.h"
#include "tests/support/support.h"

Test(activation, names_read_back)
{
    for (int i = 0; i < SQ_ACTIVATIONS; i++)
        cr_expect_eq(sq_activation_find(sq_activation_name((sq_activation)i)), i);
    cr_expect_eq(sq_activation_find("gelu"), SQ_ACTIVATIONS);
    cr_expect_str_eq(sq_activation_name(SQ_ACTIVATIONS), "unknown");
}

Test(activation, known_values)
{
    cr_expect_eq(sq_activate(SQ_LINEAR, -2), -2);
    cr_expect_eq(sq_activate(SQ_RELU, -2), 0);
    cr_expect_eq(sq_activate(SQ_RELU6, 7), 6);
    cr_expect_float_eq(sq_activate(SQ_HSWISH, 1), 4.0 / 6, 1e-6);
    cr_expect_float_eq(sq_activate(SQ_SIGMOID, 0), 0.5, 1e-6);
    cr_expect_float_eq(sq_activate(SQ_HSIGMOID, 1), 4.0 / 6, 1e-6);
    for (int i = 0; i < SQ_ACTIVATIONS; i++)
        cr_expect(isnan(sq_activate((sq_activation)i, NAN)), "%s", sq_activation_name((sq_activation)i));
}

/* Compares the slopes with central differences, away from the kinks at -3, 0, 3 and 6. */
Test(activation, slopes_are_derivatives)
{
    const double step = 1.0 / 256;
    for (int i = 0; i < SQ_ACTIVATIONS; i++)
        for (double x = -7.4; x < 8; x += 1.25) {
            const sq_activation a = (sq_activation)i;
            const double wanted =
                ((double)sq_activate(a, (float)(x + step)) - sq_activate(a, (float)(x - step))) / (2 * step);
            cr_expect_float_eq(sq_activate_slope(a, (float)x), wanted, 1e-4, "%s at %g", sq_activation_name(a), x);
        }
}

Test(activation, the_slope_at_a_kink_is_that_from_below)
{
    cr_expect_eq(sq_activate_slope(SQ_RELU, 0), 0);
    cr_expect_eq(sq_activate_slope(SQ_RELU6, 0), 0);
    cr_expect_eq(sq_activate_slope(SQ_HSWISH, -3), 0);
    cr_expect_eq(sq_activate_slope(SQ_HSIGMOID, -3), 0);
}
