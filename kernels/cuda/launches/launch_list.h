#ifndef SQ_CUDA_PROGRAM_H
#define SQ_CUDA_PROGRAM_H

#include "kernels/cuda/convolution/convolution.h"
#include "kernels/cuda/operations/normalize.h"
#include "kernels/cuda/operations/operations.h"
#include "kernels/cuda/vendor/vendor.h"

/* Internal to the cuda backend's host side: its state, a program as a list of launches, and the planners that turn
 * operations into launches (launch_list.c, plan_convolution.c, plan_operations.c; plan_vendor.c for the vendor engine). */

typedef enum {
    SQ_CUDA_ROWS,
    SQ_CUDA_WEIGHT_GRADIENT,
    SQ_CUDA_FUSED_BACK,
    SQ_CUDA_DEPTHWISE,
    SQ_CUDA_DEPTHWISE_BACK,
    SQ_CUDA_MOMENTS,
    SQ_CUDA_FIXED,
    SQ_CUDA_SUMS,
    SQ_CUDA_GATHER_GRADIENT,
    SQ_CUDA_PACK,
    SQ_CUDA_JOIN,
    SQ_CUDA_JOIN_BACK,
    SQ_CUDA_POOL,
    SQ_CUDA_GATE,
    SQ_CUDA_GATE_BACK,
    SQ_CUDA_SPREAD,
    SQ_CUDA_GEMM,
    SQ_CUDA_COLUMN_SUMS,
    SQ_CUDA_LOSS,
    SQ_CUDA_UPDATE,
    SQ_CUDA_IMAGE,
    SQ_CUDA_COLUMN_MOMENTS, /* this one and those below: the vendor engine's */
    SQ_CUDA_FORM_GRADIENT,
    SQ_CUDA_WIDEN,
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
        sq_cuda_rows rows;
        sq_cuda_weight_gradient weight_gradient;
        sq_cuda_fused_back fused_back;
        sq_cuda_depthwise depthwise;
        sq_cuda_depthwise_back depthwise_back;
        sq_cuda_moments moments;
        sq_cuda_fixed fixed;
        sq_cuda_sums sums;
        sq_cuda_gather_gradient gather_gradient;
        sq_cuda_pack pack;
        sq_cuda_join join;
        sq_cuda_join_back join_back;
        sq_cuda_pool pool;
        sq_cuda_gate gate;
        sq_cuda_gate_back gate_back;
        sq_cuda_spread spread;
        sq_cuda_gemm gemm;
        sq_cuda_column_sums column_sums;
        sq_cuda_loss loss;
        sq_cuda_update update;
        sq_cuda_image image;
        sq_cuda_column_moments column_moments;
        sq_cuda_form_gradient form_gradient;
        sq_cuda_widen widen;
        sq_vendor_call *vendor; /* owned by the program; NULL in a plan without addresses */
    } a;
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
    const sq_bf16 *packed[64]; /* by operation: its weights as sq_cuda_pack leaves them */
    sq_vendor *vendor;         /* borrowed; NULL: no operation is the libraries' */
    bool is_vendor[64];        /* by operation: planned by plan_vendor.c. Of convolutions and linear layers only */
} sq_cuda_planner;

/* Launches of a graph into planner->program; planner->most: bytes of workspace. */
SQ_MUST_USE sq_status sq_cuda_plan(sq_cuda_planner *planner);
const char *sq_cuda_kernel_name(sq_cuda_kernel kernel);
sq_program_part sq_cuda_part_of(const sq_cuda_launch *launch); /* describe.c */
cudaError_t sq_cuda_launch_run(const sq_cuda_launch *launch, cudaStream_t stream);
void sq_cuda_launches_free(sq_cuda_launch *launches, int count); /* with the calls that they own */

/* ---- For the planners ---- */

/* The next launch, zeroed; valid until the next call. Never NULL: a failure is kept in planner->status. */
sq_cuda_launch *sq_cuda_add(sq_cuda_planner *p, sq_cuda_kernel kernel);
/* Workspace for this operation; 256-byte aligned. */
void *sq_cuda_take(sq_cuda_planner *p, size_t bytes);
const sq_slot *sq_cuda_slot(const sq_cuda_planner *p, int slot);
void *sq_cuda_address(const sq_cuda_planner *p, int slot); /* NULL for SQ_NONE */
const sq_step *sq_cuda_step(const sq_cuda_planner *p);
sq_cuda_view sq_cuda_view_of(const sq_cuda_planner *p, sq_view view);
/* Where the gradient of `view` goes; its sums are wanted where the view has a norm and no gate. */
sq_cuda_sink sq_cuda_sink_of(const sq_cuda_planner *p, sq_view view, int dx, sq_part part, int addend);
sq_cuda_norm sq_cuda_norm_of(const sq_cuda_planner *p, int norm);
sq_cuda_geometry sq_cuda_geometry_of(const sq_cuda_planner *p, const sq_op *op); /* of a convolution, either way */
sq_cuda_gradient sq_cuda_gradient_of(const sq_cuda_planner *p, const sq_op *op); /* dZ of a CONV_BACK */
int sq_cuda_rows_of(const sq_slot *slot); /* pixels in all */
double sq_cuda_view_bytes(const sq_cuda_planner *p, sq_view view);
double sq_cuda_slot_bytes(const sq_cuda_planner *p, int slot);

/* Merges moments of the operation's output; row_block as in sq_cuda_moments. */
void sq_cuda_plan_moments(sq_cuda_planner *p, const float *partial, int parts, int row_block);
/* Merges what the launch before left for the view's norm. `width`: of the partial rows. */
void sq_cuda_plan_sums(sq_cuda_planner *p, sq_view view, const float *partial, int parts, int width);
/* Sums of a view from its stored gradient, where the kernel that stored it could not make them. */
void sq_cuda_plan_late_sums(sq_cuda_planner *p, sq_view view, int dx);
/* Parts that share `jobs` jobs: at most one part per job, and at most as many as run at once, a part being `tiles` blocks
 * and a multiprocessor holding `blocks`. */
int sq_cuda_parts_for(const sq_cuda_planner *p, int jobs, int tiles, int blocks);
/* The same for the kernels of walk.cuh, over `rows` of `width` channels. */
int sq_cuda_walk_parts(const sq_cuda_planner *p, int rows, int width, int blocks);

void sq_cuda_plan_pack(sq_cuda_planner *p);  /* weights of all convolutions, at the program's beginning */
void sq_cuda_plan_fixed(sq_cuda_planner *p); /* norms in mode FIXED, likewise */
void sq_cuda_plan_conv(sq_cuda_planner *p);
void sq_cuda_plan_conv_back(sq_cuda_planner *p);
void sq_cuda_plan_other(sq_cuda_planner *p);

/* ---- plan_vendor.c: convolutions and linear layers through NVIDIA's libraries ---- */

/* SQ_OK: the libraries can run it, and their plans for it are made; SQ_UNSUPPORTED: not theirs, or no engine. */
SQ_MUST_USE sq_status sq_cuda_vendor_can(sq_cuda_planner *p, const sq_op *op);
sq_cuda_pack_job sq_cuda_vendor_pack_job(const sq_cuda_planner *p, const sq_op *op);
void sq_cuda_plan_vendor(sq_cuda_planner *p);
/* Gives the libraries every operation of their kinds; where_possible: but those that they cannot run. */
void sq_cuda_take_vendor(sq_cuda_planner *p, bool where_possible);

#endif
