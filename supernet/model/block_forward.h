#ifndef SQ_BLOCK_FORWARD_H
#define SQ_BLOCK_FORWARD_H

#include "supernet/model/builder.h"

/* Emits a block's operations in modes FORWARD, COLLECT and EVALUATE. */
void sq_builder_forward(sq_builder *b);

#endif
