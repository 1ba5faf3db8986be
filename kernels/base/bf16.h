#ifndef SQ_BF16_H
#define SQ_BF16_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint16_t sq_bf16; /* storage of a bfloat16: the upper half of a float's bits */

static inline float sq_bf16_to_float(sq_bf16 value)
{
    const uint32_t bits = (uint32_t)value << 16;
    float result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

/* Rounds to nearest, ties to even. Values beyond the largest BF16 become infinite; NaN stays NaN. */
static inline sq_bf16 sq_bf16_from_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16, is_nan = (bits & 0x7fffffff) > 0x7f800000;
    return (sq_bf16)(is_nan ? bits >> 16 | 0x40 : rounded);
}

/* sq_bf16_pack converts `count` floats in place to BF16 values at the beginning of the same memory. sq_bf16_unpack
 * converts these BF16 values back to floats. */
void sq_bf16_pack(float *values, size_t count);
void sq_bf16_unpack(float *values, size_t count);
/* sum[i] += more[i]; each sum is rounded once. */
void sq_bf16_add(sq_bf16 *sum, const sq_bf16 *more, size_t count);

#endif
