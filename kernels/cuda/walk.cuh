/* walk.cuh - kernels that pass over rows of pixels: a thread keeps one column of eight channels, so that constants are
 * loaded once, and has several rows under way. Rows are dealt to parts; what is summed is left by part. Device code and
 * the host's choice of columns. */
#ifndef SQ_WALK_CUH
#define SQ_WALK_CUH

#include "kernels/cuda/unit.cuh"

enum { WALK_THREADS = 256, WALK_AHEAD = 4 };

struct Walk {
    int columns, slabs; /* vectors of a slab (a block's share of the width), and slabs */
    int step;           /* rows of one pass of a block */
};

static inline Walk walk_of(int vectors)
{
    Walk walk = {};
    walk.slabs = (vectors - 1) / 32 + 1;
    walk.columns = (vectors - 1) / walk.slabs + 1;
    walk.step = WALK_THREADS / walk.columns;
    return walk;
}

struct Place { /* of a thread */
    int vector, first, stride; /* its column (or -1: none), its first row, and from one to the next */
};

static __device__ __forceinline__ Place place_of(const Walk &walk, int vectors, int part, int parts)
{
    const int slab = (int)blockIdx.x % walk.slabs, row = (int)threadIdx.x / walk.columns;
    const int vector = slab * walk.columns + (int)threadIdx.x % walk.columns;
    return {row < walk.step && vector < vectors ? vector : -1, part * walk.step + row, parts * walk.step};
}

/* S1 and S2 / inverse of the block's rows, merged in the threads' order, to partial (2, width). All threads call it. */
static __device__ __forceinline__ void leave_walk_sums(float *partial, int width, const Walk &walk, Place place,
                                                       const float s1[VECTOR], const float s2[VECTOR],
                                                       float (*shared)[2 * VECTOR])
{
    for (int j = 0; j < VECTOR; j++)
        shared[threadIdx.x][j] = s1[j], shared[threadIdx.x][VECTOR + j] = s2[j];
    __syncthreads();
    if ((int)threadIdx.x < walk.columns && place.vector >= 0)
        for (int j = 0; j < 2 * VECTOR; j++) {
            float total = 0.0f;
            for (int row = 0; row < walk.step; row++)
                total += shared[row * walk.columns + (int)threadIdx.x][j];
            partial[(size_t)(j / VECTOR) * (size_t)width + place.vector * VECTOR + j % VECTOR] = total;
        }
}

#endif
