#ifndef SQ_CUDA_OPERANDS_H
#define SQ_CUDA_OPERANDS_H

#include <cuda_runtime_api.h>

#include "kernels/backend.h"
#include "kernels/base/bf16.h"

/* Internal to the cuda backend: operands of its kernels as plain structs of device pointers, resolved once when a
 * program is compiled.
 *
 * The rules to know. Activations and their gradients are BF16 in NHWC with channels padded to a multiple of 8 (the
 * image: to 4); everything per channel or per image is FP32. Lanes between c and the padded width are written as zeros
 * by whoever writes the tensor, so that nobody needs to look at c when reading. Sums are FP32 in an order that shape
 * and device alone decide: parts of the work are numbered, each writes its partial result, a second launch merges them
 * in order. No float atomics. */

enum { SQ_CUDA_VECTOR = 8 }; /* channels of one 16-byte access */

static inline int sq_cuda_padded(int c)
{
    return (c + SQ_CUDA_VECTOR - 1) / SQ_CUDA_VECTOR * SQ_CUDA_VECTOR;
}

typedef struct {         /* an sq_view with addresses */
    const sq_bf16 *data; /* NULL: absent. 16-byte aligned */
    int c;
    int pitch, step, first; /* channel i of pixel p is data[p * pitch + first + i * step]; step 2 only of plain slots */
    const float *scale, *shift; /* of the pending norm, padded; NULL: plain */
    const float *mean;
    const float *gate; /* (n, gate_pitch) or NULL */
    int gate_pitch;
    int activation; /* sq_activation */
    int pixels;     /* of one image */
} sq_cuda_view;

typedef struct { /* dZ of a convolution, formed on load: A dY + B Z + C, dY = G activation'(a Z + b) */
    const sq_bf16 *g, *z;
    int g_pitch, z_pitch, c;
    const float *scale, *shift, *by_z, *constant; /* A = scale; B and C are the live rows that the sums' merge wrote */
    int activation;
} sq_cuda_gradient;

typedef struct { /* where the gradient of a view goes */
    sq_bf16 *data;
    const sq_bf16 *addend; /* added before it is stored, same place in its slot; may be data; NULL: none */
    int c, pitch, step, first;
    sq_cuda_view z; /* its norm wants S1 and S2; z.scale NULL: not */
} sq_cuda_sink;

typedef struct { /* same padding, k / 2 */
    int n, h_in, w_in, h_out, w_out, kernel, stride;
} sq_cuda_geometry;

typedef struct { /* work that persistent blocks share, in numbered parts */
    int parts;
    float *partial;
} sq_cuda_parts;

#endif
