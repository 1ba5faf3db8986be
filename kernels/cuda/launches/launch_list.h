#ifndef SQ_CUDA_LAUNCH_LIST_H
#define SQ_CUDA_LAUNCH_LIST_H

#include "kernels/cuda/convolution/convolution.h"
#include "kernels/cuda/operations/normalize.h"
#include "kernels/cuda/operations/operations.h"
#include "kernels/cuda/vendor/vendor.h"

/* Internal to the cuda backend's host side: its state, a program as a list of launches, and the planners that turn
 * operations into launches (launch_list.c, lower_convolution.c, lower_operations.c; lower_vendor.c for the vendor engine). */

typedef enum {
    SQ_CUDA_POINTWISE,
    SQ_CUDA_WEIGHT_GRADIENT,
    SQ_CUDA_FUSED_BACKWARD,
    SQ_CUDA_DEPTHWISE,
    SQ_CUDA_DEPTHWISE_BACKWARD,
    SQ_CUDA_MERGE_MOMENTS,
    SQ_CUDA_FIXED_NORMS,
    SQ_CUDA_MERGE_SUMS,
    SQ_CUDA_MERGE_GRADIENT,
    SQ_CUDA_PACK_WEIGHTS,
    SQ_CUDA_JOIN,
    SQ_CUDA_JOIN_BACKWARD,
    SQ_CUDA_POOL,
    SQ_CUDA_GATE,
    SQ_CUDA_GATE_BACKWARD,
    SQ_CUDA_POOL_BACKWARD,
    SQ_CUDA_GEMM,
    SQ_CUDA_COLUMN_SUMS,
    SQ_CUDA_LOSS,
    SQ_CUDA_UPDATE,
    SQ_CUDA_IMAGE,
    SQ_CUDA_COLUMN_MOMENTS, /* this one and those below: the vendor engine's */
    SQ_CUDA_FORM_GRADIENT,
    SQ_CUDA_CONVERT,
    SQ_CUDA_VENDOR_CONVOLUTION,
    SQ_CUDA_VENDOR_PRODUCT,
    SQ_CUDA_KERNELS
} sq_cuda_kernel;

typedef struct {
    sq_cuda_kernel kernel;
    int op;       /* index of the operation that it belongs to */
    double bytes; /* of device memory that the launch reads and writes by construction, once through the caches */
    double operations; /* multiply-adds of the operation's definition */
    union {
        sq_cuda_pointwise pointwise;
        sq_cuda_weight_gradient weight_gradient;
        sq_cuda_fused_backward fused_backward;
        sq_cuda_depthwise depthwise;
        sq_cuda_depthwise_backward depthwise_backward;
        sq_cuda_merge_moments merge_moments;
        sq_cuda_fixed_norms fixed_norms;
        sq_cuda_merge_sums merge_sums;
        sq_cuda_merge_gradient merge_gradient;
        sq_cuda_pack_weights pack_weights;
        sq_cuda_join join;
        sq_cuda_join_backward join_backward;
        sq_cuda_pool pool;
        sq_cuda_gate gate;
        sq_cuda_gate_backward gate_backward;
        sq_cuda_pool_backward pool_backward;
        sq_cuda_gemm gemm;
        sq_cuda_column_sums column_sums;
        sq_cuda_loss loss;
        sq_cuda_update update;
        sq_cuda_image image;
        sq_cuda_column_moments column_moments;
        sq_cuda_form_gradient form_gradient;
        sq_cuda_convert convert;
        sq_vendor_call *vendor; /* owned by the program; NULL in a plan without addresses */
    } args;
} sq_cuda_launch;

struct sq_program {
    char name[128];
    sq_cuda_launch *launches; /* owned */
    int count, limit;
    cudaGraphExec_t graph; /* owned; NULL: plain launches */
};

/* What the kernels may count on; without a device (memory plans) an H200's. */
typedef struct {
    int multiprocessors;
} sq_cuda_machine;

/* A plan in the making. With `at` NULL nothing is resolved: only the workspace is counted. */
typedef struct {
    const sq_graph *graph;
    const sq_binding *at;
    sq_cuda_machine machine;
    struct sq_program *program;
    const sq_op *op;
    size_t kept, used, most; /* bytes of workspace: of the whole program, of this operation too, at most so far */
    sq_status status;        /* first failure */
    const sq_bf16 *packed[64]; /* by operation: its weights as sq_cuda_pack_weights leaves them */
    sq_vendor *vendor;         /* borrowed; NULL: no operation is the libraries' */
    bool is_vendor[64];        /* by operation: planned by lower_vendor.c. Of convolutions and linear layers only */
} sq_cuda_lowering;

/* Launches of a graph into planner->program; planner->most: bytes of workspace. */
SQ_MUST_USE sq_status sq_cuda_lower(sq_cuda_lowering *planner);
const char *sq_cuda_kernel_name(sq_cuda_kernel kernel);
sq_program_part sq_cuda_describe_launch(const sq_cuda_launch *launch); /* describe.c */
cudaError_t sq_cuda_launch_run(const sq_cuda_launch *launch, cudaStream_t stream);
void sq_cuda_launches_free(sq_cuda_launch *launches, int count); /* with the calls that they own */

/* ---- For the planners ---- */

/* The next launch, zeroed; valid until the next call. Never NULL: a failure is kept in planner->status. */
sq_cuda_launch *sq_cuda_append(sq_cuda_lowering *p, sq_cuda_kernel kernel);
/* Workspace for this operation; 256-byte aligned. */
void *sq_cuda_reserve(sq_cuda_lowering *p, size_t bytes);
const sq_slot *sq_cuda_slot(const sq_cuda_lowering *p, int slot);
void *sq_cuda_address(const sq_cuda_lowering *p, int slot); /* NULL for SQ_NONE */
const sq_step *sq_cuda_step(const sq_cuda_lowering *p);
sq_cuda_view sq_cuda_view_of(const sq_cuda_lowering *p, sq_view view);
/* Where the gradient of `view` goes; its sums are wanted where the view has a norm and no gate. */
sq_cuda_sink sq_cuda_sink_of(const sq_cuda_lowering *p, sq_view view, int dx, sq_part part, int addend);
sq_cuda_norm sq_cuda_norm_of(const sq_cuda_lowering *p, int norm);
sq_cuda_geometry sq_cuda_geometry_of(const sq_cuda_lowering *p, const sq_op *op); /* of a convolution, either way */
sq_cuda_gradient sq_cuda_gradient_of(const sq_cuda_lowering *p, const sq_op *op); /* dZ of a CONV_BACK */
int sq_cuda_row_count(const sq_slot *slot); /* pixels in all */
double sq_cuda_view_bytes(const sq_cuda_lowering *p, sq_view view);
double sq_cuda_slot_bytes(const sq_cuda_lowering *p, int slot);

/* Merges moments of the operation's output; row_block as in sq_cuda_merge_moments. */
void sq_cuda_append_merge_moments(sq_cuda_lowering *p, const float *partial, int parts, int row_block);
/* Merges what the launch before left for the view's norm. `width`: of the partial rows. */
void sq_cuda_append_merge_sums(sq_cuda_lowering *p, sq_view view, const float *partial, int parts, int width);
/* Sums of a view from its stored gradient, where the kernel that stored it could not make them. */
void sq_cuda_append_sums_of_stored(sq_cuda_lowering *p, sq_view view, int dx);
/* Parts that share `jobs` jobs: at most one part per job, and at most as many as run at once, a part being `tiles` blocks
 * and a multiprocessor holding `blocks`. */
int sq_cuda_parts_for(const sq_cuda_lowering *p, int jobs, int tiles, int blocks);
/* The same for the kernels of walk.cuh, over `rows` of `width` channels. */
int sq_cuda_walk_parts(const sq_cuda_lowering *p, int rows, int width, int blocks);

void sq_cuda_append_weight_packs(sq_cuda_lowering *p);  /* weights of all convolutions, at the program's beginning */
void sq_cuda_append_fixed_norms(sq_cuda_lowering *p); /* norms in mode FIXED, likewise */
void sq_cuda_plan_conv(sq_cuda_lowering *p);
void sq_cuda_plan_conv_back(sq_cuda_lowering *p);
void sq_cuda_plan_other(sq_cuda_lowering *p);

/* ---- lower_vendor.c: convolutions and linear layers through NVIDIA's libraries ---- */

/* SQ_OK: the libraries can run it, and their plans for it are made; SQ_UNSUPPORTED: not theirs, or no engine. */
SQ_MUST_USE sq_status sq_cuda_check_vendor(sq_cuda_lowering *p, const sq_op *op);
sq_cuda_pack_weights_job sq_cuda_vendor_pack_job(const sq_cuda_lowering *p, const sq_op *op);
void sq_cuda_plan_vendor(sq_cuda_lowering *p);
/* Gives the libraries every operation of their kinds; where_possible: but those that they cannot run. */
void sq_cuda_assign_vendor(sq_cuda_lowering *p, bool where_possible);

#endif
