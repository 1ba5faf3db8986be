#ifndef SQ_CUDA_OPERANDS_H
#define SQ_CUDA_OPERANDS_H

#include <cuda_runtime_api.h>

#include "kernels/backend.h"
#include "kernels/base/bf16.h"

/* Internal to the cuda backend: operands of its kernels as plain structs of device pointers. They are resolved once,
 * when a program is compiled.
 *
 * Rules. Activations and their gradients are BF16 in NHWC; channels are padded to a multiple of 8, those of the
 * image to 4. Everything per channel or per image is FP32. The kernel that writes a tensor fills the padding with
 * zeros, so readers need not check c. The order of sums depends on the shape and the device only: the work is divided
 * into numbered parts, each part writes its partial result, and a second launch merges them in order. No kernel uses
 * float atomics. */

enum { SQ_CUDA_VECTOR = 8 }; /* channels of one 16-byte access */

static inline int sq_cuda_padded(int c)
{
    return (c + SQ_CUDA_VECTOR - 1) / SQ_CUDA_VECTOR * SQ_CUDA_VECTOR;
}

typedef struct {         /* an sq_view with addresses */
    const sq_bf16 *data; /* 16-byte aligned; NULL: the operand is absent */
    int c;
    int pitch, step,
        first; /* channel i of pixel p is data[p * pitch + first + i * step]; step 2 only in unsplit slots */
    const float *scale, *shift; /* of the pending normalization, padded; NULL: none is pending */
    const float *mean;
    const float *gate; /* (n, gate_pitch) or NULL */
    int gate_pitch;
    int activation; /* an sq_activation */
    int pixels;     /* of one image */
} sq_cuda_view;

/* dZ of a convolution, computed on load: A dY + B Z + C with dY = G activation'(a Z + b). */
typedef struct {
    const sq_bf16 *g, *z;
    int g_pitch, z_pitch, c;
    const float *scale, *shift, *by_z, *constant; /* A and a are scale, b is shift; merge_sums wrote B and C */
    int activation;
} sq_cuda_gradient;

/* The destination of a view's gradient. */
typedef struct {
    sq_bf16 *data;
    const sq_bf16 *addend; /* added before the store; same layout as data, may be data; NULL: none */
    int c, pitch, step, first;
    sq_cuda_view z; /* the view, if its norm needs S1 and S2; else z.scale is NULL */
} sq_cuda_sink;

typedef struct { /* padding k / 2 on each side */
    int n, h_in, w_in, h_out, w_out, kernel, stride;
} sq_cuda_geometry;

typedef struct { /* numbered parts of the work of persistent blocks */
    int parts;
    float *partial; /* the parts' results, one after the other */
} sq_cuda_parts;

#endif
