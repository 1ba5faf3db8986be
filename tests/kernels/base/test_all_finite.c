/* Tests the check for NaN and infinity. */
#include <float.h>
#include <math.h>

#include "kernels/base/all_finite.h"
#include "tests/support/support.h"

Test(all_finite, one_nonfinite_value_is_found_anywhere)
{
    float values[67] = {0, -0.0f, FLT_MAX, -FLT_MAX, FLT_MIN / 2};
    const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};
    cr_expect(sq_all_finite(values, 67) && sq_all_finite(values, 0));
    for (size_t i = 0; i < 67; i++)
        for (size_t k = 0; k < 4; k++) {
            const float before = values[i];
            values[i] = bad[k];
            cr_expect(!sq_all_finite(values, 67), "%zu", i);
            cr_expect(sq_all_finite(values, i), "%zu", i);
            values[i] = before;
        }
}
