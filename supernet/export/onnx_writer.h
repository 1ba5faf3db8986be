#ifndef SQ_ONNX_WRITER_H
#define SQ_ONNX_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/base/status.h"

/* Builds an ONNX model. The functions copy their arguments into memory that the writer owns. sq_onnx_finish reports
 * failed allocations of all earlier calls. The caller must pass unique names. */

typedef struct sq_onnx_writer sq_onnx_writer;
typedef struct Onnx__NodeProto sq_onnx_node; /* defined in the generated code */

SQ_MUST_USE sq_status sq_onnx_open(sq_onnx_writer **out, const char *graph_name, int opset);
/* After this call, sq_onnx_floats stores FP16 values (rounded to nearest, ties to even), and sq_onnx_value declares
 * FP16 tensors. */
void sq_onnx_use_half(sq_onnx_writer *writer);
void sq_onnx_close(sq_onnx_writer *writer); /* accepts NULL */

/* Adds a node with up to 6 inputs and up to 2 outputs. NULL ends a shorter list of names. Never returns NULL. */
sq_onnx_node *sq_onnx_add(sq_onnx_writer *writer, const char *type, const char *const *inputs,
                          const char *const *outputs);
void sq_onnx_int(sq_onnx_writer *writer, sq_onnx_node *node, const char *name, int64_t value);
void sq_onnx_ints(sq_onnx_writer *writer, sq_onnx_node *node, const char *name, const int64_t *values, int count);
void sq_onnx_float(sq_onnx_writer *writer, sq_onnx_node *node, const char *name, float value);

void sq_onnx_floats(sq_onnx_writer *writer, const char *name, const float *values, const int *dims, int dim_count);
void sq_onnx_longs(sq_onnx_writer *writer, const char *name, const int64_t *values, int count);

/* Declares the input or the output of the graph. A first dimension of 0 is free and has the name "batch". */
void sq_onnx_value(sq_onnx_writer *writer, const char *name, const int *dims, int dim_count, int is_output);
void sq_onnx_metadata(sq_onnx_writer *writer, const char *key, const char *value);

/* Writes the serialised model to *bytes, which the caller frees. The same calls give the same bytes. */
SQ_MUST_USE sq_status sq_onnx_finish(sq_onnx_writer *writer, void **bytes, size_t *size);

#endif
