#ifndef TESTS_MEANS_H
#define TESTS_MEANS_H

#include "kernels/graph.h"

/* given_at returns element i of rank r's values for a reduction, mean_at the mean over n ranks. Both are exact for n =
 * 1, 2, 3, 4. For BF16 all sums fit into the 8 significant bits, except that every tenth value is half a BF16 step
 * above 1. A reduction in BF16 rounds this half step away. */

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
