#ifndef SQ_EXPORT_H
#define SQ_EXPORT_H

#include "supernet/model/model.h"

/* Hands out one network: model.safetensors (PyTorch module names of the single path), arch.json, model.onnx. */

typedef struct {
    const char *folder;         /* made if needed */
    bool is_folded;             /* ONNX with batch norm folded into the convolutions */
    int opset;                  /* 13 or higher */
    const char *classes_json;   /* list of class names (sq_export_classes), or NULL */
    const sq_space *arch_space; /* where the architecture is a path of; NULL: the model's own space and path. A single
                                   path's space has nothing to search, so its architecture stands in the larger one */
    const int *arch_path;
    double crop_fraction;
    double accuracy; /* share of exactly these weights; NaN: unknown */
} sq_export_options;

/* How an image becomes the network's input: channel i is (pixel - mean[i]) / deviation[i], pixels in `range`, channels
 * (and so mean and deviation) in `order`. Follows from what the graphs do; unused means are 0 and deviations 1. */
typedef struct {
    float mean[3], deviation[3];
    const char *range, *order; /* "0..1" or "0..255"; "RGB" or "BGR" */
} sq_export_pixels;
sq_export_pixels sq_export_pixels_of(const sq_block_options *options);

/* "[a, b, c]" with the fewest digits that read back as the same floats. */
void sq_export_triple(const float values[3], char *text, size_t bytes);

/* '["a", "b"]', malloc'd. A name that is not UTF-8 is taken as Latin-1: every class keeps its place. */
SQ_MUST_USE sq_status sq_export_classes(const char *const *names, int count, char **json);

/* `model` holds calibrated statistics for `path` (an evaluator's model). Norms without gamma and beta get 1 and 0, so
 * that a PyTorch module loads strictly. Every file is written whole or not at all; the weights are read back and
 * compared. */
SQ_MUST_USE sq_status sq_export_network(sq_model *model, const int *path, const sq_export_options *options);

/* Every weight of the supernet under its supernet name, into <folder>/supernet.safetensors. */
SQ_MUST_USE sq_status sq_export_supernet(sq_model *model, const char *folder);

/* The ONNX graph of a path as malloc'd bytes: input "input" (batch, c, h, w) normalised FP32, output "output". */
SQ_MUST_USE sq_status sq_onnx_encode(sq_model *model, const int *path, const sq_export_options *options, void **bytes,
                                     size_t *size);

/* Some layers of a path by themselves, for measuring on a device: no metadata, norms folded. */
typedef struct {
    int first, last; /* layers [first, last) */
    int batch;       /* 0: free */
    int opset;
    bool is_half; /* FP16 weights and values instead of FP32 */
} sq_onnx_range;
SQ_MUST_USE sq_status sq_onnx_encode_layers(sq_model *model, const int *path, const sq_onnx_range *range, void **bytes,
                                            size_t *size);

#endif
