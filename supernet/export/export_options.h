#ifndef SQ_EXPORT_OPTIONS_H
#define SQ_EXPORT_OPTIONS_H

#include "supernet/space/space.h"

typedef struct {
    const char *folder;       /* created if necessary */
    bool is_folded;           /* ONNX with batch norms folded into the convolutions */
    int opset;                /* SQ_ONNX_LEAST_OPSET or higher */
    const char *classes_json; /* list of class names (sq_export_classes), or NULL */
    /* The architecture to write down, and its space; NULL: the model's space and path. The space of a single path has
     * nothing to search, so its architecture is given in the space that it comes from. */
    const sq_space *arch_space;
    const int *arch_path;
    double crop_fraction;
    double accuracy; /* top-1, as a fraction, of exactly these weights; NaN: unknown */
} sq_export_options;

enum { SQ_ONNX_LEAST_OPSET = 13 };

#endif
