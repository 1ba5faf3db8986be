#ifndef TESTS_MEANS_H
#define TESTS_MEANS_H

#include "kernels/graph.h"

/* The value of rank r at i in a reduction, and the mean over n ranks: exact for n = 1, 2, 3, 4. As BF16 all sums fit
 * into its 8 bits, but every tenth value is half a step above 1, which a reduction in BF16 rounds away. */

static inline float given_at(sq_dtype reduce_dtype, int r, size_t i)
{
    if (reduce_dtype == SQ_F32)
        return (float)(r + 1) + 0.25f * (float)(i % 1000);
    return i % 10 == 9 ? 1 + 0x1p-8f : (float)(r + (int)(i % 32));
}

static inline float mean_at(sq_dtype reduce_dtype, int n, size_t i)
{
    if (reduce_dtype == SQ_BF16 && i % 10 == 9)
        return n > 1 ? 1 : 1 + 0x1p-8f;
    return given_at(reduce_dtype, 0, i) + 0.5f * (float)(n - 1);
}

#endif
