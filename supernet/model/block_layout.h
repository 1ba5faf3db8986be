#ifndef SQ_BLOCK_LAYOUT_H
#define SQ_BLOCK_LAYOUT_H

#include "supernet/model/block.h"

/* The layout of tensors at the borders of blocks: boundaries between layers, and a batch of input. */

/* Type and pitch of the tensor that layer `boundary` reads; boundary == layer_count: the logits. */
sq_dtype sq_block_boundary_dtype(const sq_space *space, const sq_block_options *options, int boundary);
int sq_block_boundary_pitch(const sq_space *space, const sq_block_options *options, int boundary);

/* c rounded up to a multiple of the options' alignment. */
int sq_block_aligned(const sq_block_options *options, int c);

/* Offsets of labels and augmentation parameters in SQ_ROLE_INPUT for a batch, and the total size, in bytes. Images
 * begin at offset 0. */
typedef struct {
    size_t labels, augment, bytes;
} sq_input_layout;
sq_input_layout sq_block_input(const sq_space *space, int batch);

#endif
