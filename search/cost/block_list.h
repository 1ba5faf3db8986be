#ifndef SQ_BLOCK_LIST_H
#define SQ_BLOCK_LIST_H

#include "search/cost/block_key.h"

/* The list has the distinct blocks of a space, in order of layer and choice. Skip blocks are left out because an
 * exported network does not contain them. */

typedef struct {
    sq_block_key key;
    int layer, choice; /* of the block's first occurrence */
} sq_block_place;

typedef struct {
    sq_block_place *blocks;
    int count;
} sq_block_list;

SQ_MUST_USE sq_status sq_block_list_make(sq_block_list *out, const sq_space *space);
void sq_block_list_clear(sq_block_list *list);
/* Returns the index of a key, or SQ_NONE. */
int sq_block_list_find(const sq_block_list *list, const sq_block_key *key);

#endif
