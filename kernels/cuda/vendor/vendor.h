#ifndef SQ_CUDA_VENDOR_H
#define SQ_CUDA_VENDOR_H

#include <cuda_runtime_api.h>

#include "kernels/base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* NVIDIA's libraries as the vendor engine uses them: convolutions of cuDNN, matrix products of cuBLASLt. vendor.c opens
 * the libraries at run time, so the program starts without them. Builds without their headers use vendor_none.c; the
 * emulated tests use plain loops.
 *
 * Rule: an execution plan (sq_vendor_plan) is made for a shape; a call is a plan with fixed addresses.
 * Allocations and unsupported shapes occur in sq_vendor_plan_* only. Running a call allocates nothing and may be
 * captured. Only engines whose results repeat bit for bit are used. */

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sq_vendor sq_vendor;           /* the libraries on one device, and the cache of plans */
typedef struct sq_vendor_plan sq_vendor_plan; /* belongs to its sq_vendor */
typedef struct sq_vendor_call sq_vendor_call; /* owned by the caller; released before its sq_vendor is closed */

typedef enum { SQ_VENDOR_FORWARD, SQ_VENDOR_DATA_GRADIENT, SQ_VENDOR_WEIGHT_GRADIENT } sq_vendor_direction;

/* A convolution with padding k / 2 over packed NHWC: BF16 operands, sums in FP32. x (n, h_in, w_in, c_in), y (n, h_out,
 * w_out, c_out), weights (c_out, k, k, c_in / groups).
 *   FORWARD          first x,  second weights -> y
 *   DATA_GRADIENT    first dY, second weights -> dX
 *   WEIGHT_GRADIENT  first dY, second x       -> dW in FP32, or in BF16 if sq_vendor_leaves_bf16
 */
typedef struct { /* all members are int: plans are looked up by the bytes of the struct */
    int direction;
    int n, h_in, w_in, c_in, h_out, w_out, c_out, kernel, stride, groups;
} sq_vendor_convolution;

/* out (m, n) = first second [+ bias (n)], all row-major: first (m, k) or, transposed, stored as (k, m); second (k, n)
 * or stored as (n, k). Pitches are elements from one stored row to the next. BF16 operands, or FP32 (without TF32). */
typedef struct {
    int m, n, k;
    int first_pitch, second_pitch, out_pitch;
    int is_first_transposed, is_second_transposed;
    int is_f32;         /* the operands are FP32, and so is the result */
    int has_f32_result; /* the operands are BF16, the result is FP32 */
    int has_bias;       /* FP32, only with is_f32 */
} sq_vendor_product;

typedef struct {
    const void *first, *second; /* 16-byte aligned */
    const float *bias;
    void *out, *workspace; /* 16-byte and 256-byte aligned */
} sq_vendor_operands;

/* Opens the libraries for the current device. Calls are enqueued on `stream`, which must outlive the result.
 * SQ_UNSUPPORTED: a library is missing; the text names the paths that were tried. SQ_DEVICE: a library does not start.
 */
SQ_MUST_USE sq_status sq_vendor_open(cudaStream_t stream, sq_vendor **out);
void sq_vendor_close(sq_vendor *v);                 /* accepts NULL */
const char *sq_vendor_versions(const sq_vendor *v); /* "cudnn 9.19.0 cublasLt 13.1.0": no commas */

/* Returns the cached plan of the shape, or makes it, which is slow: some engines compile kernels. SQ_UNSUPPORTED: no
 * engine for the shape. */
SQ_MUST_USE sq_status sq_vendor_plan_convolution(sq_vendor *v, const sq_vendor_convolution *shape,
                                                 const sq_vendor_plan **out);
SQ_MUST_USE sq_status sq_vendor_plan_product(sq_vendor *v, const sq_vendor_product *shape, const sq_vendor_plan **out);
size_t sq_vendor_workspace(const sq_vendor_plan *plan); /* bytes */
bool sq_vendor_leaves_bf16(const sq_vendor_plan *plan); /* a weight gradient is written in BF16 */

SQ_MUST_USE sq_status sq_vendor_bind(const sq_vendor_plan *plan, const sq_vendor_operands *at, sq_vendor_call **out);
SQ_MUST_USE sq_status sq_vendor_run(const sq_vendor_call *call);
void sq_vendor_release(sq_vendor_call *call); /* accepts NULL */

#ifdef __cplusplus
}
#endif
#endif
