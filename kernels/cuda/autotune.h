#ifndef SQ_CUDA_AUTOTUNE_H
#define SQ_CUDA_AUTOTUNE_H

#include "kernels/cuda/launches/lowering.h"

/* Engine "auto": the faster engine for each operation. Each shape is timed once with both engines, on temporary memory.
 * The times are stored in a table, $XDG_CACHE_HOME/squall/engines-GPU.csv or the same under ~/.cache. A row is valid
 * for one GPU, driver, version of the libraries and state of Squall's kernel sources. If one of them differs, the shape
 * is timed again.
 *
 * Rule: the bits of the results depend on the choice. A run with the same table repeats bit for bit;
 * without the table the shapes are timed again. To get the same bits on every machine, set the engine. */

typedef struct sq_cuda_timings sq_cuda_timings;

/* Reads the rows of this GPU. An unreadable table counts as empty. libraries: from sq_vendor_versions. */
SQ_MUST_USE sq_status sq_cuda_timings_open(sq_cuda_timings **out, const char *gpu, int driver, const char *libraries);
void sq_cuda_timings_close(sq_cuda_timings *timings); /* accepts NULL */

/* Measures l->graph, a single operation, with the engine that l->is_vendor names. */
typedef sq_status (*sq_cuda_timer)(sq_backend *b, sq_cuda_lowering *l, double *seconds);

/* Sets l->is_vendor. Times the shapes that the table lacks and saves them; blocks. SQ_NO_MEMORY: too little free memory
 * to time a shape; set the engine instead. */
SQ_MUST_USE sq_status sq_cuda_autotune(sq_cuda_timings *timings, sq_backend *b, sq_cuda_timer timer,
                                       sq_cuda_lowering *l);

/* The key of a row: everything that determines the time of the operation. Contains no commas. */
void sq_cuda_timing_key(const sq_graph *graph, const sq_op *op, char *text, size_t text_bytes);

/* The memory for a graph of one operation: all slots, followed by the workspace. */
size_t sq_cuda_scratch_bytes(const sq_graph *single); /* without the workspace */
void sq_cuda_scratch_bind(const sq_graph *single, sq_device_ptr scratch, sq_binding *at);

#endif
