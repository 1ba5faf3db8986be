/* walk.cuh - elementwise kernels over rows of pixels. A thread processes one column of eight channels, so it loads the
 * constants once, and loads several rows before it uses the first. The parts take the rows in turn; each part writes
 * its own sums. */
#ifndef SQ_WALK_CUH
#define SQ_WALK_CUH

#include "kernels/cuda/unit.cuh"

enum { WALK_THREADS = 256, WALK_AHEAD = 4 /* rows that a thread loads before it uses the first */ };
enum { WALK_COLUMNS = 32 }; /* the most columns of a slab */

struct Walk {
    int vectors;        /* columns of eight channels in all */
    int slabs, columns; /* the width is divided into slabs of `columns` columns; a block processes one slab */
    int step;           /* rows that a block processes at once */
};

static inline Walk walk_of(int vectors)
{
    Walk walk = {};
    walk.vectors = vectors;
    walk.slabs = (vectors - 1) / WALK_COLUMNS + 1;
    walk.columns = (vectors - 1) / walk.slabs + 1;
    walk.step = WALK_THREADS / walk.columns;
    return walk;
}

struct Place { /* of a thread */
    int part;
    int vector;        /* its column; -1: none */
    int first, stride; /* its first row, and the distance to the next one */
};

static __device__ __forceinline__ Place place_of(const Walk &walk, int parts)
{
    const int part = (int)blockIdx.x / walk.slabs, slab = (int)blockIdx.x % walk.slabs;
    const int row = (int)threadIdx.x / walk.columns;
    const int vector = slab * walk.columns + (int)threadIdx.x % walk.columns;
    return {part, row < walk.step && vector < walk.vectors ? vector : -1, part * walk.step + row, parts * walk.step};
}

/* Merges the block's sums in the order of the threads, and writes them to the part's rows of partial (parts, 2,
 * width). All threads of the block call it. */
static __device__ __forceinline__ void write_walk_sums(float *partial, const Walk &walk, const Place &place, const ChannelSums &sums,
                                                       float (*shared)[2 * VECTOR])
{
    const int width = walk.vectors * VECTOR;
    partial += (size_t)place.part * 2 * (size_t)width;
    for (int j = 0; j < VECTOR; j++)
        shared[threadIdx.x][j] = sums.s1[j], shared[threadIdx.x][VECTOR + j] = sums.s2[j];
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
