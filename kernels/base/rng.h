#ifndef SQ_RNG_H
#define SQ_RNG_H

#include <stdint.h>

/* Counter-based random numbers. A value is a function of (seed, purpose, index, draw), so there is no state to save,
 * and a resumed run draws the same numbers as an uninterrupted run. source: Salmon et al. 2011, "Parallel random
 * numbers: as easy as 1, 2, 3", Philox-4x32-10. */

typedef enum {
    SQ_RNG_WEIGHTS = 1, /* index: parameter tensor */
    SQ_RNG_PATH,        /* index: step */
    SQ_RNG_SHUFFLE,     /* index: epoch */
    SQ_RNG_AUGMENT,     /* index: epoch * 2^40 + sample */
    SQ_RNG_DROPOUT,     /* index: step; draw: element */
    SQ_RNG_SPLIT,       /* index: class; selects the held-out training images of the class */
    SQ_RNG_CALIBRATE,   /* index 0: selects the calibration images; 1: order of the held-out images for halving */
    SQ_RNG_SEARCH,      /* index: candidate or generation */
    SQ_RNG_TEST,
    SQ_RNG_RANK /* for squall rank. index: 0, or 1 + number of a path in the pool */
} sq_rng_purpose;

typedef struct {
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t block[4];
    int used;
} sq_rng;

/* Writes the four 32-bit words of Philox-4x32-10 for one counter and key to out. */
void sq_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);

/* Returns the stream of (seed, purpose, index). The period of the stream is 2^32 * 4 words. */
sq_rng sq_rng_open(uint64_t seed, sq_rng_purpose purpose, uint64_t index);

uint32_t sq_rng_u32(sq_rng *rng);
double sq_rng_uniform(sq_rng *rng);                 /* in [0, 1), 53 bits */
uint32_t sq_rng_below(sq_rng *rng, uint32_t bound); /* uniform in [0, bound) without bias; bound > 0 */
double sq_rng_normal(sq_rng *rng);                  /* normal with mean 0 and standard deviation 1 (Box-Muller) */

#endif
