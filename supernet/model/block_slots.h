#ifndef SQ_BLOCK_SLOTS_H
#define SQ_BLOCK_SLOTS_H

#include "supernet/model/builder.h"

/* Allocates all tensors of a block, in the same order in every mode. Returns the size in bytes of the weights that have
 * decay. These weights come first in the block's range. */
size_t sq_builder_allocate_all(sq_builder *b);

#endif
