/* The dropout mask. */
#include "kernels/dropout.h"

#include "kernels/base/rng.h"

float sq_dropout_scale(uint64_t seed, uint64_t step, uint32_t index, float rate)
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    const uint32_t counter[4] = {index / 4, (uint32_t)step, (uint32_t)(step >> 32), SQ_RNG_DROPOUT};
    uint32_t words[4];
    sq_philox(words, counter, key);
    const double uniform = words[index % 4] / 4294967296.0;
    return uniform >= (double)rate ? 1 / (1 - rate) : 0;
}
