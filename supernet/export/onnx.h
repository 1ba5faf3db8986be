#ifndef SQ_ONNX_H
#define SQ_ONNX_H

#include "supernet/export/export_options.h"
#include "supernet/model/model.h"

/* Translates evaluate graphs, the same that the backends run, into ONNX. */

/* The ONNX model of a path as malloc'd bytes. Input "input": (batch, c, h, w), normalised FP32. Output "output".
 * SQ_UNSUPPORTED names a layer and an operation that has no translation. */
SQ_MUST_USE sq_status sq_onnx_encode(sq_model *model, const int *path, const sq_export_options *options, void **bytes,
                                     size_t *size);

/* A range of a path's layers as a separate model, for measuring on a device: no metadata, norms folded. */
typedef struct {
    int first, last; /* layers [first, last) */
    int batch;       /* 0: any */
    int opset;
    bool is_half; /* FP16 weights and values instead of FP32 */
} sq_onnx_range;
SQ_MUST_USE sq_status sq_onnx_encode_layers(sq_model *model, const int *path, const sq_onnx_range *range, void **bytes,
                                            size_t *size);

/* SQ_UNSUPPORTED names the first operation of the graph that has no translation. */
SQ_MUST_USE sq_status sq_onnx_check_graph(const sq_graph *graph);

#endif
