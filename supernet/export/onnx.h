#ifndef SQ_ONNX_H
#define SQ_ONNX_H

#include "supernet/export/export_options.h"
#include "supernet/model/model.h"

/* Translates evaluate graphs into ONNX. The backends run the same graphs. */

/* Writes the ONNX model of a path to *bytes, which the caller frees. The input "input" is (batch, c, h, w), normalised
 * FP32. The output "output" is (batch, classes), the logits. SQ_UNSUPPORTED names the layer and the operation that has
 * no translation. */
SQ_MUST_USE sq_status sq_onnx_encode(sq_model *model, const int *path, const sq_export_options *options, void **bytes,
                                     size_t *size);

/* A range of a path's layers as a separate model, for measurements on a device. The model has no metadata, and its
 * norms are folded into the convolutions. */
typedef struct {
    int first, last; /* layers first .. last - 1 */
    int batch;       /* 0: any */
    int opset;
    bool is_half; /* FP16 weights and values instead of FP32 */
} sq_onnx_range;
SQ_MUST_USE sq_status sq_onnx_encode_layers(sq_model *model, const int *path, const sq_onnx_range *range, void **bytes,
                                            size_t *size);

/* Returns SQ_UNSUPPORTED if an operation of the graph has no translation, with the name of that operation, or if the
 * graph has too many tensors. */
SQ_MUST_USE sq_status sq_onnx_check_graph(const sq_graph *graph);

#endif
