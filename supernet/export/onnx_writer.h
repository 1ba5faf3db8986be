#ifndef SQ_ONNX_WRITER_H
#define SQ_ONNX_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/base/status.h"

/* Builds an ONNX model. Nodes and initializers are copied; the writer owns the memory. sq_onnx_finish reports failed
 * allocations. The caller makes names unique. */

typedef struct sq_onnx_writer sq_onnx_writer;
typedef struct Onnx__NodeProto sq_onnx_node; /* the generated code knows what is in it */

SQ_MUST_USE sq_status sq_onnx_open(sq_onnx_writer **out, const char *graph_name, int opset);
/* From here on floats are stored, and values declared, as FP16 (rounded to nearest, ties to even). */
void sq_onnx_use_half(sq_onnx_writer *writer);
void sq_onnx_close(sq_onnx_writer *writer); /* accepts NULL */

/* A node with up to 6 inputs (NULL ends them) and up to 2 outputs. Never NULL. */
sq_onnx_node *sq_onnx_add(sq_onnx_writer *writer, const char *type, const char *const *inputs,
                          const char *const *outputs);
void sq_onnx_int(sq_onnx_writer *writer, sq_onnx_node *node, const char *name, int64_t value);
void sq_onnx_ints(sq_onnx_writer *writer, sq_onnx_node *node, const char *name, const int64_t *values, int count);
void sq_onnx_float(sq_onnx_writer *writer, sq_onnx_node *node, const char *name, float value);

void sq_onnx_floats(sq_onnx_writer *writer, const char *name, const float *values, const int *dims, int dim_count);
void sq_onnx_longs(sq_onnx_writer *writer, const char *name, const int64_t *values, int count);

/* Graph input or output; a first dimension of 0 stays free and is called "batch". */
void sq_onnx_value(sq_onnx_writer *writer, const char *name, const int *dims, int dim_count, int is_output);
void sq_onnx_metadata(sq_onnx_writer *writer, const char *key, const char *value);

/* The serialised model, malloc'd; the same calls give the same bytes. */
SQ_MUST_USE sq_status sq_onnx_finish(sq_onnx_writer *writer, void **bytes, size_t *size);

#endif
