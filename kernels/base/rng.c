/* Philox-4x32-10 and the distributions that Squall uses. */
#include "kernels/base/rng.h"

#include <math.h>

void sq_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        const uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

sq_rng sq_rng_open(uint64_t seed, sq_rng_purpose purpose, uint64_t index)
{
    sq_rng rng = {0};
    rng.key[0] = (uint32_t)seed;
    rng.key[1] = (uint32_t)(seed >> 32);
    rng.counter[1] = (uint32_t)index;
    rng.counter[2] = (uint32_t)(index >> 32);
    rng.counter[3] = (uint32_t)purpose;
    rng.used = 4;
    return rng;
}

uint32_t sq_rng_u32(sq_rng *rng)
{
    if (rng->used == 4) {
        sq_philox(rng->block, rng->counter, rng->key);
        rng->counter[0]++;
        rng->used = 0;
    }
    return rng->block[rng->used++];
}

double sq_rng_uniform(sq_rng *rng)
{
    const uint64_t high = sq_rng_u32(rng) >> 5, low = sq_rng_u32(rng) >> 6;
    return (double)(high * 67108864u + low) / 9007199254740992.0;
}

uint32_t sq_rng_below(sq_rng *rng, uint32_t bound)
{
    const uint32_t reject = (uint32_t)(-bound) % bound; /* 2^32 mod bound */
    uint32_t word = sq_rng_u32(rng);
    while (word < reject)
        word = sq_rng_u32(rng);
    return word % bound;
}

double sq_rng_normal(sq_rng *rng)
{
    const double radius = sqrt(-2.0 * log(1.0 - sq_rng_uniform(rng)));
    return radius * cos(6.283185307179586 * sq_rng_uniform(rng));
}
