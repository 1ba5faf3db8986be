#ifndef SQ_CUDA_AUTOTUNE_H
#define SQ_CUDA_AUTOTUNE_H

#include "kernels/cuda/launches/launch_list.h"

/* Engine "auto": which engine runs which operation. Each shape is measured once by both, on memory of its own, and the
 * times are kept in a table: $XDG_CACHE_HOME/squall/engines-GPU.csv, or under ~/.cache. A row holds for one GPU,
 * driver, version of the libraries and source of our kernels; others are measured again.
 *
 * The rule to know: the choice is part of the bits. With the table a run repeats; without it the clock decides anew.
 * Who needs the same bits anywhere pins the engine. */

typedef struct sq_cuda_timings sq_cuda_timings;

/* Reads what the table has for this GPU; a table that cannot be read counts as empty. libraries: sq_vendor_versions. */
SQ_MUST_USE sq_status sq_cuda_timings_open(sq_cuda_timings **out, const char *gpu, int driver, const char *libraries);
void sq_cuda_timings_close(sq_cuda_timings *choices); /* accepts NULL */

/* Seconds of planner->graph, one operation, by the engine that planner->is_vendor names. */
typedef sq_status (*sq_cuda_timer)(sq_backend *b, sq_cuda_lowering *planner, double *seconds);

/* Fills planner->is_vendor, measures what the table lacks and writes it down. Blocks. SQ_NO_MEMORY: not enough is free
 * to measure; pin the engine. */
SQ_MUST_USE sq_status sq_cuda_autotune(sq_cuda_timings *choices, sq_backend *b, sq_cuda_timer timer,
                                     sq_cuda_lowering *planner);

/* What a row of the table is found by: everything that decides how long the operation takes. No commas. */
void sq_cuda_timing_key(const sq_graph *graph, const sq_op *op, char *text, size_t text_bytes);

/* The memory of graphs that sq_cuda_autotune hands to the timer: slots one behind the other, then the workspace. */
size_t sq_cuda_scratch_bytes(const sq_graph *alone);
void sq_cuda_scratch_bind(const sq_graph *alone, sq_device_ptr scratch, sq_binding *at);

#endif
