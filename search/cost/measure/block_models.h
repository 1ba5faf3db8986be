#ifndef SQ_BLOCK_MODELS_H
#define SQ_BLOCK_MODELS_H

#include "search/cost/block_list.h"

/* Writes ONNX files of blocks and paths, to be measured on a device. The random weights keep the magnitude of values
 * similar from layer to layer. This avoids overflow, and it avoids denormals, which are ten times slower on some
 * processors. */

typedef struct {
    int batch, opset;
    bool is_half;  /* FP16 instead of FP32 */
    uint64_t seed; /* of the weights */
} sq_block_models_options;

typedef struct sq_block_models sq_block_models;
SQ_MUST_USE sq_status sq_block_models_open(sq_block_models **out, const sq_space *space,
                                           const sq_block_models_options *options);
void sq_block_models_close(sq_block_models *models); /* accepts NULL */

/* Writes a network of one block, whose input has the shape of the layer's input. */
SQ_MUST_USE sq_status sq_block_models_write_block(sq_block_models *models, int layer, int choice, const char *file);
/* Writes the whole network. */
SQ_MUST_USE sq_status sq_block_models_write_path(sq_block_models *models, const int *path, const char *file);

/* Random whole paths, which are measured in addition to the blocks. The paths differ from each other if the space has
 * enough paths. */
typedef struct {
    int (*paths)[SQ_MAX_LAYERS];
    int count;
} sq_path_list;
SQ_MUST_USE sq_status sq_path_list_draw(sq_path_list *out, const sq_space *space, uint64_t seed, int count);
void sq_path_list_clear(sq_path_list *list);

/* Writes <folder>/block_0000.onnx ... and network_0000.onnx ..., and two lists of these files. blocks.csv has the key
 * columns of table.csv, and each block's file. networks.csv has the columns arch, model and blocks; blocks names the
 * files of the path's blocks in order, without skip blocks. */
SQ_MUST_USE sq_status sq_block_models_write_all(sq_block_models *models, const sq_block_list *blocks,
                                                const sq_path_list *paths, const char *folder);
/* Writes the path of a model to `path`: <folder>/block_0003.onnx for index 3. From index blocks->count on, the models
 * are networks: <folder>/network_0000.onnx. SQ_INVALID: the path is too long. */
SQ_MUST_USE sq_status sq_block_models_name(const sq_block_list *blocks, const char *folder, int index, char *path,
                                           size_t bytes);

#endif
