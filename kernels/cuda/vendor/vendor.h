#ifndef SQ_CUDA_VENDOR_H
#define SQ_CUDA_VENDOR_H

#include <cuda_runtime_api.h>

#include "kernels/base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* What the vendor engine wants of NVIDIA's libraries: convolutions of cuDNN, matrix products of cuBLASLt. Behind it
 * stand vendor.c with the real libraries (opened at run time, so that the program starts without them), vendor_none.c in
 * a build that had no headers, and plain loops in the emulated tests.
 *
 * The rule to know: a plan is a shape, a call is a plan at fixed addresses. Everything that may allocate or fail for
 * the shape's sake happens in sq_vendor_plan_*; running a call allocates nothing and may be captured. Only engines
 * whose results repeat bit for bit are taken. */

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sq_vendor sq_vendor;           /* the libraries on one device, and all plans so far */
typedef struct sq_vendor_plan sq_vendor_plan; /* belongs to its sq_vendor */
typedef struct sq_vendor_call sq_vendor_call; /* owned by who made it; gone before its sq_vendor */

typedef enum { SQ_VENDOR_FORWARD, SQ_VENDOR_DATA_GRADIENT, SQ_VENDOR_WEIGHT_GRADIENT } sq_vendor_direction;

/* A convolution with padding k / 2 over packed NHWC: BF16 operands, sums in FP32. x (n, h_in, w_in, c_in), y (n, h_out,
 * w_out, c_out), weights (c_out, k, k, c_in / groups).
 *   FORWARD          first x,  second weights -> y
 *   DATA_GRADIENT    first dY, second weights -> dX
 *   WEIGHT_GRADIENT  first dY, second x       -> dW, FP32; BF16 where the library has no other: sq_vendor_leaves_bf16
 */
typedef struct { /* all int: plans are found by their bytes */
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
    int has_f32_result; /* the result is FP32 though the operands are BF16 */
    int has_bias;       /* FP32, only with is_f32 */
} sq_vendor_product;

typedef struct {
    const void *first, *second; /* 16-byte aligned */
    const float *bias;
    void *out, *workspace; /* 16-byte and 256-byte aligned */
} sq_vendor_operands;

/* Opens the libraries for the current device; calls go to `stream`, which must outlive it. SQ_UNSUPPORTED: which
 * library is missing and what was tried; SQ_DEVICE: one does not start. */
SQ_MUST_USE sq_status sq_vendor_open(cudaStream_t stream, sq_vendor **out);
void sq_vendor_close(sq_vendor *v);                 /* accepts NULL */
const char *sq_vendor_versions(const sq_vendor *v); /* "cudnn 9.19.0 cublasLt 13.1.0": no commas */

/* Finds a plan or makes it (slow: some engines compile their kernels now). SQ_UNSUPPORTED: no engine for the shape. */
SQ_MUST_USE sq_status sq_vendor_plan_convolution(sq_vendor *v, const sq_vendor_convolution *shape,
                                                 const sq_vendor_plan **out);
SQ_MUST_USE sq_status sq_vendor_plan_product(sq_vendor *v, const sq_vendor_product *shape, const sq_vendor_plan **out);
size_t sq_vendor_workspace(const sq_vendor_plan *plan); /* bytes */
bool sq_vendor_leaves_bf16(const sq_vendor_plan *plan); /* of a weight gradient */

SQ_MUST_USE sq_status sq_vendor_bind(const sq_vendor_plan *plan, const sq_vendor_operands *at, sq_vendor_call **out);
SQ_MUST_USE sq_status sq_vendor_run(const sq_vendor_call *call);
void sq_vendor_release(sq_vendor_call *call); /* accepts NULL */

#ifdef __cplusplus
}
#endif
#endif
