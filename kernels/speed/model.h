#ifndef SQ_SPEED_MODEL_H
#define SQ_SPEED_MODEL_H

#include "kernels/speed/counts.h"
#include "kernels/speed/gpu.h"

/* The time of a launch on a described GPU, computed from counts:
 *
 *     t = max(memory / memory_efficiency, latency, (issue, FMA, ALU, special) / efficiency,
 *             (LSU, MMA) / pipe_efficiency) + launch
 *
 *   memory   bytes / bandwidth. The bandwidth of L2 applies if the bytes fit into half of it, because the previous
 * kernel left them there; else the bandwidth of a copy in DRAM. Blocks of a launch share nothing through the caches
 *   latency  bytes loaded / (bytes in flight of the resident warps / latency): Little's law
 *   issue    SASS instructions / (schedulers * rate); SASS = PTX by class * factor
 *   FMA, ALU, special: instructions of the pipe / its rate
 *   LSU      wavefronts of shared memory, and of global accesses through L1: a quarter of the sectors, at least one per
 * request MMA      multiply-adds of mma.sync / peak
 *
 * The times of the pipes are for the busiest multiprocessor: they are multiplied by the imbalance of the grid. The
 * efficiency depends on the number of resident warps. source: Hong and Kim 2009, "An analytical model for a GPU
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
    double seconds[SQ_BOUNDS]; /* of each limit alone, at efficiency 1 */
    double expected;
    sq_bound binds;    /* the limit that sets `expected` */
    double warps;      /* resident on a multiprocessor */
    double imbalance;  /* work of the busiest multiprocessor / mean work */
    double efficiency; /* of a multiprocessor */
} sq_launch_time;

/* The number of resident blocks of a launch on a multiprocessor: limited by registers, shared memory, warps and blocks;
 * at least 1. */
int sq_resident_blocks(const sq_gpu *gpu, const sq_launch_count *launch);

typedef struct {
    const sq_launch_count *count;
    double bytes;             /* of device memory, from the launch list */
    double scale, grid_scale; /* of the counts and of the grid: sq_count_match */
} sq_launch_load;

void sq_launch_predict(const sq_gpu *gpu, const sq_launch_load *load, const sq_sass_factor sass[SQ_COUNT_CLASSES],
                       sq_launch_time *out);

/* For a launch that the table lacks: the time of its bytes plus the gap. */
void sq_launch_predict_bytes(const sq_gpu *gpu, double bytes, sq_launch_time *out);

#endif
