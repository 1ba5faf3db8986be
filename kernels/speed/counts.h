#ifndef SQ_SPEED_COUNTS_H
#define SQ_SPEED_COUNTS_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/backend.h"

/* What launches of the cuda backend execute, counted from nvcc's PTX on the host (tests/emulation/counts/count_launches.c):
 * the table configs/gpus/counts.csv. */

typedef enum {
    SQ_COUNT_INT,
    SQ_COUNT_DIVIDE,
    SQ_COUNT_FP32,
    SQ_COUNT_FP64,
    SQ_COUNT_CONVERT,
    SQ_COUNT_SPECIAL,
    SQ_COUNT_MOVE,
    SQ_COUNT_LOAD_PARAM,
    SQ_COUNT_LOAD_GLOBAL,
    SQ_COUNT_STORE_GLOBAL,
    SQ_COUNT_LOAD_SHARED,
    SQ_COUNT_STORE_SHARED,
    SQ_COUNT_LOCAL,
    SQ_COUNT_MATRIX_LOAD,
    SQ_COUNT_MMA,
    SQ_COUNT_BARRIER,
    SQ_COUNT_WARP,
    SQ_COUNT_BRANCH,
    SQ_COUNT_CLASSES
} sq_count_class;

const char *sq_count_class_name(sq_count_class kind); /* "ld.global"; as files write it */

enum { SQ_COUNT_ARCHITECTURES = 3 };

typedef struct {
    double requests, moved, ideal; /* moved: 32-byte sectors (global) or wavefronts (shared); ideal: without waste */
} sq_traffic;

typedef struct {                          /* one kernel of one planned launch, the whole grid */
    const char *kernel, *variant, *sizes; /* as in sq_program_part */
    int parts;
    double bytes;         /* by plan */
    const char *instance; /* "pointwise_kernel<64, 0>" */
    double grid;
    int block, shared_bytes, registers[SQ_COUNT_ARCHITECTURES]; /* of sm_80, sm_90, sm_100; 0: not known */
    double instructions[SQ_COUNT_CLASSES];                      /* warp instructions of PTX */
    sq_traffic load_global, store_global, load_shared, store_shared;
    double bytes_in_flight; /* that a warp can load before it has to wait */
    double longest_block;   /* the busiest block's instructions, relative to the mean block's */
} sq_launch_count;

/* What ptxas makes of one PTX instruction of a class. */
typedef struct {
    double factor;            /* SASS instructions */
    double fma, alu, special; /* shares of them that these pipes execute */
} sq_sass_factor;

typedef struct {
    char *text;            /* owned: what the rows' strings point into */
    sq_launch_count *rows; /* owned; rows of one planned launch are neighbours */
    size_t count;
    sq_sass_factor sass[SQ_COUNT_CLASSES]; /* for one architecture */
    bool is_default;                       /* they are the built-in ones */
} sq_counts;

/* counts.csv, and ptx_to_sass.csv (architecture,class,factor[,spread,pipe shares]) in the same folder, if it exists: the rows
 * of the architecture, else of the newest one before it; a class without a row keeps the built-in factor. SQ_INVALID:
 * file, line, found and expected. Free with sq_counts_free. */
SQ_MUST_USE sq_status sq_counts_read(sq_counts *out, const char *folder, const char *architecture);
void sq_counts_free(sq_counts *counts);

int sq_count_registers(const sq_launch_count *row, const char *architecture); /* of the nearest architecture */

typedef struct {
    const sq_launch_count *rows;  /* NULL: the table has no launch of this kernel */
    size_t count;                 /* kernels of the launch */
    double scale;                 /* counts of the launch = scale * those of the rows */
    double grid_scale;            /* the same of its grid */
    bool is_exact, is_same_shape; /* same_shape: only the number of parts differs, since the GPU does */
} sq_count_match;

/* The rows of a launch; else those of the nearest shape of the same kernel, the same variant if there is one, scaled by
 * the bytes that the two plans move. */
sq_count_match sq_counts_find(const sq_counts *counts, const sq_program_part *part);

#endif
