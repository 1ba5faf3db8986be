#ifndef SQ_BLOCK_BACKWARD_H
#define SQ_BLOCK_BACKWARD_H

#include "supernet/model/builder.h"

/* Emits a block's operations in mode BACKWARD. */
void sq_builder_backward(sq_builder *b);

#endif
