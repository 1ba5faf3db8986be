#ifndef SQ_CUDA_LOWERING_H
#define SQ_CUDA_LOWERING_H

#include "kernels/cuda/launches/launch_list.h"

/* Lowering turns the operations of a graph into launches. This header has its state and the helpers that all lowering
 * functions share; lower_graph.h is its entry point.
 *
 * Lowering runs twice: first without addresses (`at` is NULL) to determine the size of the workspace, then with
 * addresses to make the program. Both times it must reserve the same workspace, so no size may depend on whether an
 * address is NULL. */

typedef struct {
    int multiprocessors;
} sq_cuda_machine;

enum { SQ_CUDA_MAX_OPS = 64 }; /* of a graph */

typedef struct {
    const sq_graph *graph;
    const sq_binding *at; /* addresses of the slots; NULL: not known yet */
    sq_cuda_machine machine;
    struct sq_program *program; /* receives the launches */
    const sq_op *op;            /* the operation that is being lowered */
    /* Bytes of workspace: reserved for the whole program; for the program and the current operation; the peak of that.
     */
    size_t program_bytes, used_bytes, peak_bytes;
    sq_status status;                       /* first failure */
    const sq_bf16 *packed[SQ_CUDA_MAX_OPS]; /* by operation: its weights as pack_weights writes them */
    sq_vendor *vendor;                      /* borrowed; NULL: no operation uses NVIDIA's libraries */
    bool is_vendor[SQ_CUDA_MAX_OPS];        /* by operation: lowered to calls of NVIDIA's libraries */
} sq_cuda_lowering;

/* ---- The launch list and the workspace ---- */

/* Appends a launch, zeroed; the pointer is valid until the next call. Never NULL: a failure is stored in l->status. */
sq_cuda_launch *sq_cuda_append(sq_cuda_lowering *l, sq_cuda_kernel kernel);
/* Reserves workspace for the current operation, aligned to 256 bytes; NULL as long as addresses are not known. */
void *sq_cuda_reserve(sq_cuda_lowering *l, size_t bytes);

/* ---- Operands ---- */

const sq_slot *sq_cuda_slot(const sq_cuda_lowering *l, int slot);
void *sq_cuda_address(const sq_cuda_lowering *l,
                      int slot); /* NULL for SQ_NONE, and as long as addresses are not known */
const sq_step *sq_cuda_step(const sq_cuda_lowering *l);
int sq_cuda_row_count(const sq_slot *slot); /* n h w: a tensor is a matrix with one row per pixel */

sq_cuda_view sq_cuda_view_of(const sq_cuda_lowering *l, sq_view view);
int sq_cuda_view_channels(const sq_cuda_lowering *l, sq_view view);
bool sq_cuda_view_has_sums(sq_view view); /* its gradient needs S1 and S2: the view has a norm and no gate */

/* The destination of a view's gradient: channels `part` of slot `dx`, plus `addend` unless it is SQ_NONE. */
typedef struct {
    sq_view view;
    int dx;
    sq_part part;
    int addend;
} sq_cuda_target;
/* The sink requests S1 and S2 where the view needs them, except with an addend: then a later pass computes them. */
sq_cuda_sink sq_cuda_sink_of(const sq_cuda_lowering *l, const sq_cuda_target *target);
sq_cuda_target sq_cuda_target_of_x(const sq_op *op); /* of the gradient of the operation's x */

sq_cuda_norm sq_cuda_norm_of(const sq_cuda_lowering *l, int norm);
sq_cuda_geometry sq_cuda_geometry_of(const sq_cuda_lowering *l, const sq_op *op); /* of a CONV or CONV_BACK */
sq_cuda_gradient sq_cuda_gradient_of(const sq_cuda_lowering *l, const sq_op *op); /* dZ of a CONV_BACK */

/* Bytes that one pass over the operand reads or writes; 0 for SQ_NONE. */
double sq_cuda_view_bytes(const sq_cuda_lowering *l, sq_view view);
double sq_cuda_slot_bytes(const sq_cuda_lowering *l, int slot);

/* ---- Parts: how persistent blocks share the work ---- */

/* The number of parts for `jobs` jobs: at most one per job, and at most as many as run at once, where a part has
 * `tiles` blocks and a multiprocessor holds `blocks`. */
int sq_cuda_parts_for(const sq_cuda_lowering *l, int jobs, int tiles, int blocks);
/* The same for the kernels of walk.cuh over `rows` rows of `width` channels. */
int sq_cuda_walk_parts(const sq_cuda_lowering *l, int rows, int width, int blocks);
/* Workspace for `rows` rows of `width` floats from each part; 0 rows reserve nothing. */
float *sq_cuda_reserve_partials(sq_cuda_lowering *l, int parts, int rows, int width);
double sq_cuda_partial_bytes(int parts, int rows, int width);

/* ---- Launches that several operations share ---- */

/* Merges the moments of the operation's output; row_block as in sq_cuda_merge_moments. */
void sq_cuda_append_merge_moments(sq_cuda_lowering *l, sq_cuda_parts moments, int row_block);
/* Merges the sums that the previous launch wrote for the norm of the view, in rows of `width`. */
void sq_cuda_append_merge_sums(sq_cuda_lowering *l, sq_view view, sq_cuda_parts sums, int width);
/* Computes the sums of a view from its stored gradient, where the kernel that stored the gradient could not. */
void sq_cuda_append_sums_of_stored(sq_cuda_lowering *l, sq_view view, int dx);

#endif
