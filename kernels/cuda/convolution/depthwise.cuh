/* depthwise.cuh - how depthwise convolutions are cut. A block takes one slab of 32 channels down a column of tiles: rows
 * of pixels stay in a ring in shared memory, so that an input row is loaded once. Sixteen lanes hold a channel pair each;
 * such a half warp makes a strip of neighbouring pixels, so that a loaded word serves several taps. */
#ifndef SQ_DEPTHWISE_CUH
#define SQ_DEPTHWISE_CUH

#include "kernels/cuda/convolution/depthwise_tile.h"
#include "kernels/cuda/unit.cuh"

/* Quotients of small numbers without a division: p / d for p d < 2^32. */
static __device__ __forceinline__ int quotient(int p, unsigned by, int d)
{
    return d == 1 ? p : (int)__umulhi((unsigned)p, by);
}

/* taps[tap][channel pair of the slab], zero beyond c. */
template <int K>
static __device__ __forceinline__ void load_taps(float2 (*taps)[WORDS], const float *weight, int c0, int c)
{
    for (int i = (int)threadIdx.x; i < K * K * SLAB; i += THREADS) {
        const int tap = i / SLAB, channel = i % SLAB;
        reinterpret_cast<float *>(taps[tap])[channel] =
            c0 + channel < c ? __ldg(weight + (size_t)(c0 + channel) * (K * K) + tap) : 0.0f;
    }
}

#endif
