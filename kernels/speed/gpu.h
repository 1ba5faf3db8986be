#ifndef SQ_SPEED_GPU_H
#define SQ_SPEED_GPU_H

#include "kernels/base/status.h"

/* The speed model's description of a GPU: one file of configs/gpus. Rates are per clock and multiprocessor unless the
 * name differs. A warp instruction counts once for its 32 lanes. */
typedef struct {
    char name[64];
    char architecture[16]; /* "sm_90": selects registers and PTX-to-SASS factors */
    double multiprocessors;
    double clock_ghz;
    double schedulers;      /* of a multiprocessor */
    double issue_per_clock; /* warp instructions of one scheduler */
    double fma_per_clock;   /* warp instructions of the FP32 pipe */
    double alu_per_clock;   /* integer, logic, conversions */
    double special_per_clock;
    double wavefronts_per_clock; /* of 128 bytes, through the load and store unit: shared memory and L1 */
    double mma_per_clock;        /* multiply-adds of BF16 mma.sync with FP32 sums */
    double registers;            /* of 32 bits */
    double shared_kib;
    double shared_reserved_kib; /* taken by the system for each block */
    double warps, blocks;       /* limits of resident warps and blocks */
    double l2_mib, l2_gb_per_s;
    double dram_gb_per_s; /* data sheet */
    double copy_gb_per_s; /* of a large copy, read + written: the reference for memory-bound kernels */
    double latency_ns;    /* of a load that misses the caches, under load */
    double node_us;       /* gap between two kernels of a CUDA graph */
    double graph_us;      /* gap between two graphs */
    /* The share of the issue rate and of the arithmetic pipes' rates that a kernel reaches: efficiency_low at warps_low
     * resident warps of a multiprocessor, efficiency_high at warps_high, linear in between. Not fitted yet. */
    double efficiency_low, efficiency_high, warps_low, warps_high;
    double pipe_efficiency;   /* the same for LSU and MMA, whose instructions take several clocks; not fitted yet */
    double memory_efficiency; /* share of copy_gb_per_s that a kernel reaches; not fitted yet */
    double error;             /* relative error of a launch's time: sets the printed range */
} sq_gpu;

/* SQ_INVALID: an unknown or missing key, or a value out of range; the text has file, line, key, found and expected
 * value. SQ_IO: the file cannot be read. */
SQ_MUST_USE sq_status sq_gpu_read(sq_gpu *out, const char *path);

/* The same for a path, or for the name of a file in the folder without its .yaml. An existing path takes precedence.
 * SQ_INVALID lists the names in the folder. */
SQ_MUST_USE sq_status sq_gpu_find(sq_gpu *out, const char *folder, const char *name);

#endif
