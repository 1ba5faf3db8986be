#ifndef SQ_EXPORT_OPTIONS_H
#define SQ_EXPORT_OPTIONS_H

#include "supernet/space/space.h"

typedef struct {
    const char *folder;       /* created if necessary */
    bool is_folded;           /* ONNX with batch norms folded into the convolutions */
    int opset;                /* SQ_ONNX_LEAST_OPSET or higher */
    const char *classes_json; /* list of class names (sq_export_classes), or NULL */
    /* The architecture that arch.json and the ONNX metadata state, and the space of that architecture. NULL: the
     * model's space and the exported path. A space of a single path has no searched layers, so the caller passes the
     * space from which the single path was taken. */
    const sq_space *arch_space;
    const int *arch_path;
    double crop_fraction;
    double accuracy; /* top-1 accuracy of the exported weights, 0..1; NaN: unknown */
} sq_export_options;

enum { SQ_ONNX_LEAST_OPSET = 13 };

#endif
