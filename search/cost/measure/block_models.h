#ifndef SQ_BLOCK_MODELS_H
#define SQ_BLOCK_MODELS_H

#include "search/cost/block_list.h"

/* ONNX files of blocks and paths, for measuring on a device. The random weights keep the size of values from layer to
 * layer: no overflow, and no denormals, which are ten times slower on some processors. */

typedef struct {
    int batch, opset;
    bool is_half;  /* FP16 instead of FP32 */
    uint64_t seed; /* of the weights */
} sq_block_models_options;

typedef struct sq_block_models sq_block_models;
SQ_MUST_USE sq_status sq_block_models_open(sq_block_models **out, const sq_space *space,
                                           const sq_block_models_options *options);
void sq_block_models_close(sq_block_models *models); /* accepts NULL */

/* Writes one block with the input of its layer. */
SQ_MUST_USE sq_status sq_block_models_write_block(sq_block_models *models, int layer, int choice, const char *file);
/* Writes the whole network. */
SQ_MUST_USE sq_status sq_block_models_write_path(sq_block_models *models, const int *path, const char *file);

/* Whole paths in addition to the blocks: random, and all different if the space has enough. */
typedef struct {
    int (*paths)[SQ_MAX_LAYERS];
    int count;
} sq_path_list;
SQ_MUST_USE sq_status sq_path_list_draw(sq_path_list *out, const sq_space *space, uint64_t seed, int count);
void sq_path_list_clear(sq_path_list *list);

/* Writes <folder>/block_0000.onnx ... and network_0000.onnx ..., and their lists: blocks.csv, a table.csv without times
 * and with each block's file, and networks.csv (arch,model,blocks: in order, left-out layers without). */
SQ_MUST_USE sq_status sq_block_models_write_all(sq_block_models *models, const sq_block_list *blocks,
                                                const sq_path_list *paths, const char *folder);
/* "block_0003.onnx" or, from index blocks->count on, "network_0000.onnx" in the folder. SQ_INVALID: too long. */
SQ_MUST_USE sq_status sq_block_models_name(const sq_block_list *blocks, const char *folder, int index, char *path,
                                           size_t bytes);

#endif
