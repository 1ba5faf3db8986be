#ifndef SQ_ALL_FINITE_H
#define SQ_ALL_FINITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Returns whether all values are finite. The loop has no branch, so that the compiler vectorises it. */
static inline bool sq_all_finite(const float *values, size_t count)
{
    uint32_t has_nonfinite = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        has_nonfinite |= (bits & 0x7f800000u) == 0x7f800000u;
    }
    return !has_nonfinite;
}

#endif
