#ifndef SQ_SPEED_MODEL_H
#define SQ_SPEED_MODEL_H

#include "kernels/speed/counts.h"
#include "kernels/speed/gpu.h"

/* The time of a launch on a described GPU, from counts alone:
 *
 *     t = max(memory / memory_efficiency, latency, (issue, FMA, ALU, special) / efficiency,
 *             (LSU, MMA) / pipe_efficiency) + launch
 *
 *   memory   planned bytes / bandwidth: that of L2 where they fit into half of it, since the previous kernel left them
 *            there, else that of a copy in DRAM. Blocks of a launch share nothing through the caches
 *   latency  bytes loaded / (bytes that the resident warps have in flight / latency): Little's law
 *   issue    SASS instructions / (schedulers * rate); SASS = PTX by class * factor
 *   FMA, ALU, special: the instructions that each of these pipes executes / its rate
 *   LSU      wavefronts of shared memory, and of global accesses through L1: a quarter of the sectors, one a request at
 *            least
 *   MMA      multiply-adds of mma.sync / peak
 *
 * Times at the rates of multiprocessors are those of the busiest one: they are multiplied by the imbalance of the
 * grid. The efficiency follows from the resident warps. source: Hong and Kim 2009, "An analytical model for a GPU
 * architecture", section 3 (memory and computation warp parallelism); Little 1961, "A proof for the queuing formula L =
 * lambda W" */

typedef enum {
    SQ_BOUND_MEMORY,
    SQ_BOUND_LATENCY,
    SQ_BOUND_ISSUE,
    SQ_BOUND_FMA,
    SQ_BOUND_ALU,
    SQ_BOUND_SPECIAL,
    SQ_BOUND_LSU,
    SQ_BOUND_MMA,
    SQ_BOUND_LAUNCH, /* the gap to the kernel before it */
    SQ_BOUNDS
} sq_bound;

const char *sq_bound_name(sq_bound bound);

typedef struct {
    double seconds[SQ_BOUNDS]; /* each limit alone, without efficiency */
    double expected;
    sq_bound binds;    /* which one `expected` comes from */
    double warps;      /* resident on a multiprocessor */
    double imbalance;  /* work of the busiest multiprocessor / of the mean one */
    double efficiency; /* of a multiprocessor */
} sq_launch_time;

/* Blocks of a launch that a multiprocessor holds at once: at most what registers, shared memory, warps and blocks
 * allow; 1 where the numbers allow none. */
int sq_resident_blocks(const sq_gpu *gpu, const sq_launch_count *launch);

typedef struct {
    const sq_launch_count *count;
    double bytes;             /* of device memory, as planned */
    double scale, grid_scale; /* of the counts and of the grid: sq_count_match */
} sq_launch_load;

void sq_launch_predict(const sq_gpu *gpu, const sq_launch_load *load, const sq_sass_factor sass[SQ_COUNT_CLASSES],
                       sq_launch_time *out);

/* For a launch that is not in the table: the time of its bytes, and the gap. */
void sq_launch_predict_bytes(const sq_gpu *gpu, double bytes, sq_launch_time *out);

#endif
