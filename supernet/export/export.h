#ifndef SQ_EXPORT_H
#define SQ_EXPORT_H

#include "supernet/export/export_options.h"
#include "supernet/model/model.h"

/* Exports one network as the files model.safetensors (with the PyTorch module names of a single-path network),
 * arch.json and model.onnx. */

/* Writes the names to *json as a JSON list '["a", "b"]', which the caller frees. A name that is not UTF-8 is read as
 * Latin-1. */
SQ_MUST_USE sq_status sq_export_classes(const char *const *names, int count, char **json);

/* Exports the network of `path`. The running statistics of `model` must be calibrated for `path`. Norms without gamma
 * and beta are written with gamma 1 and beta 0, so that PyTorch's load_state_dict accepts model.safetensors with
 * strict=True. Each file is written completely or not at all. model.safetensors is read back and compared. */
SQ_MUST_USE sq_status sq_export_network(sq_model *model, const int *path, const sq_export_options *options);

/* Writes all weights of the supernet, with the supernet's names, to <folder>/supernet.safetensors. */
SQ_MUST_USE sq_status sq_export_supernet(sq_model *model, const char *folder);

#endif
