#ifndef SQ_SPEED_COUNTS_H
#define SQ_SPEED_COUNTS_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/backend.h"

/* Instructions and memory traffic that launches of the cuda backend execute, counted from nvcc's PTX on the host
 * (tests/emulation/counts/count_launches.c): the table configs/gpus/counts.csv. */

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

const char *sq_count_class_name(sq_count_class kind); /* as in the files: "ld.global" */

enum { SQ_COUNT_ARCHITECTURES = 3 };

typedef struct {
    double requests, moved, ideal; /* moved: 32-byte sectors (global) or wavefronts (shared); ideal: without waste */
} sq_traffic;

typedef struct {                          /* one kernel of one launch, the whole grid */
    const char *kernel, *variant, *sizes; /* as in sq_program_part */
    int parts;
    double bytes;         /* from the launch list */
    const char *instance; /* "pointwise_kernel<64, 0>" */
    double grid;
    int block, shared_bytes, registers[SQ_COUNT_ARCHITECTURES]; /* of sm_80, sm_90, sm_100; 0: unknown */
    double instructions[SQ_COUNT_CLASSES];                      /* warp instructions of PTX */
    sq_traffic load_global, store_global, load_shared, store_shared;
    double bytes_in_flight; /* that a warp loads before it waits for the first */
    double longest_block;   /* the busiest block's instructions, relative to the mean block's */
} sq_launch_count;

/* SASS instructions per PTX instruction of a class. */
typedef struct {
    double factor;            /* number of SASS instructions */
    double fma, alu, special; /* shares of them that run on these pipes */
} sq_sass_factor;

typedef struct {
    char *text;            /* owned: the file, which the rows' strings point into */
    sq_launch_count *rows; /* owned; the rows of one launch are neighbors */
    size_t count;
    sq_sass_factor sass[SQ_COUNT_CLASSES]; /* for one architecture */
    bool is_default;                       /* the factors are the built-in ones */
} sq_counts;

/* Reads counts.csv and, if it exists, ptx_to_sass.csv in the same folder (architecture,class,factor[,spread,pipe
 * shares]). A factor comes from the row of the architecture or of the newest earlier one. A class without a row
 * keeps the built-in factor. Free the result with sq_counts_free.
 * returns   SQ_INVALID, with file, line, found and expected value */
SQ_MUST_USE sq_status sq_counts_read(sq_counts *out, const char *folder, const char *architecture);
void sq_counts_free(sq_counts *counts);

int sq_count_registers(const sq_launch_count *row,
                       const char *architecture); /* of the newest architecture that is not newer */

typedef struct {
    const sq_launch_count *rows;  /* NULL: the table has no launch of the kernel */
    size_t count;                 /* kernels of the launch */
    double scale;                 /* counts of the launch / counts of the rows */
    double grid_scale;            /* blocks of the launch / blocks of the rows */
    bool is_exact, is_same_shape; /* is_same_shape: only the number of parts differs (another GPU) */
} sq_count_match;

/* The rows of the launch, else the rows of the nearest shape of the same kernel, preferably of the same variant, scaled
 * by the ratio of the bytes. */
sq_count_match sq_counts_find(const sq_counts *counts, const sq_program_part *part);

#endif
