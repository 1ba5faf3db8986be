#ifndef SQ_EXPORT_H
#define SQ_EXPORT_H

#include "supernet/export/export_options.h"
#include "supernet/model/model.h"

/* Exports one network as files: model.safetensors (PyTorch module names of the single path), arch.json, model.onnx. */

/* A JSON list '["a", "b"]', malloc'd. A name that is not UTF-8 is read as Latin-1. */
SQ_MUST_USE sq_status sq_export_classes(const char *const *names, int count, char **json);

/* model: with running statistics that are calibrated for `path`. Norms without gamma and beta are written with 1 and 0,
 * so that PyTorch's load_state_dict accepts the file with strict=True. Each file is written completely or not at all;
 * the weights are read back and compared. */
SQ_MUST_USE sq_status sq_export_network(sq_model *model, const int *path, const sq_export_options *options);

/* Writes all weights of the supernet, with the supernet's names, to <folder>/supernet.safetensors. */
SQ_MUST_USE sq_status sq_export_supernet(sq_model *model, const char *folder);

#endif
