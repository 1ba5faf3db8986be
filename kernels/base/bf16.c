/* Converts and adds arrays of BF16 values. */
#include "kernels/base/bf16.h"

enum { BLOCK = 256 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Converts from front to back, so that no float is overwritten before it is read. */
void sq_bf16_pack(float *values, size_t count)
{
    sq_bf16 block[BLOCK];
    for (size_t first = 0; first < count; first += BLOCK) {
        const size_t n = smaller(BLOCK, count - first);
        for (size_t i = 0; i < n; i++)
            block[i] = sq_bf16_from_float(values[first + i]);
        memcpy((unsigned char *)values + first * sizeof *block, block, n * sizeof *block);
    }
}

/* Converts from back to front, so that no BF16 value is overwritten before it is read. */
void sq_bf16_unpack(float *values, size_t count)
{
    sq_bf16 block[BLOCK];
    for (size_t first = (count + BLOCK - 1) / BLOCK * BLOCK; first > 0;) {
        first -= BLOCK;
        const size_t n = smaller(BLOCK, count - first);
        memcpy(block, (unsigned char *)values + first * sizeof *block, n * sizeof *block);
        for (size_t i = 0; i < n; i++)
            values[first + i] = sq_bf16_to_float(block[i]);
    }
}

void sq_bf16_add(sq_bf16 *sum, const sq_bf16 *more, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sum[i] = sq_bf16_from_float(sq_bf16_to_float(sum[i]) + sq_bf16_to_float(more[i]));
}
