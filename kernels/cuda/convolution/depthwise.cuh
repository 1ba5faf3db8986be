/* depthwise.cuh - the work of depthwise kernels. A block processes one slab of 32 channels, from the top of an image
 * to the bottom, in a column of tiles. Rows of pixels stay in a ring in shared memory, so an input row is loaded once.
 * Sixteen lanes have a channel pair each; such a half warp computes a strip of neighboring pixels, so a loaded word is
 * used by several taps. */
#ifndef SQ_DEPTHWISE_CUH
#define SQ_DEPTHWISE_CUH

#include "kernels/cuda/convolution/depthwise_tile.h"
#include "kernels/cuda/unit.cuh"

struct Job { int n, w0, c0; }; /* a column of tiles: its image, its first pixel along w, its first channel */

struct Rows { int begin, end; }; /* rows begin .. end - 1 */

/* p / d without a division, for p d < 2^32. by: reciprocal(d). */
static __device__ __forceinline__ int quotient(int p, unsigned by, int d)
{
    return d == 1 ? p : (int)__umulhi((unsigned)p, by);
}

/* taps[tap][channel pair of the slab]; zero from channel c on. */
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
