#ifndef SQ_EXPORT_H
#define SQ_EXPORT_H

#include "supernet/model.h"

/* Hands out one network: model.safetensors (PyTorch module names of the single path), arch.json, model.onnx. */

typedef struct {
    const char *folder;       /* made if needed */
    bool is_folded;           /* ONNX with batch norm folded into the convolutions */
    int opset;                /* 13 or higher */
    const char *classes_json; /* list of class names, or NULL */
    const char *arch;         /* tuple for the metadata, or NULL: the path's own (a single path's space has none) */
    float mean[3], deviation[3];
    bool is_raw, is_bgr; /* as SQ_OP_IMAGE */
    double crop_fraction;
    double accuracy; /* share of exactly these weights; NaN: unknown */
} sq_export_options;

/* `model` holds calibrated statistics for `path` (an evaluator's model). Norms without gamma and beta get 1 and 0, so
 * that a PyTorch module loads strictly. Every file is written whole or not at all; the weights are read back and
 * compared. */
SQ_MUST_USE sq_status sq_export_network(sq_model *model, const int *path, const sq_export_options *options);

/* Every weight of the supernet under its supernet name, into <folder>/supernet.safetensors. */
SQ_MUST_USE sq_status sq_export_supernet(sq_model *model, const char *folder);

/* The ONNX graph of a path as malloc'd bytes: input "input" (batch, c, h, w) normalised FP32, output "output". */
SQ_MUST_USE sq_status sq_onnx_encode(sq_model *model, const int *path, const sq_export_options *options, void **bytes,
                                     size_t *size);

#endif
