/* Lists the distinct blocks of a space. */
#include "search/cost/block_list.h"

#include <stdlib.h>

int sq_block_list_find(const sq_block_list *list, const sq_block_key *key)
{
    for (int i = 0; i < list->count; i++)
        if (sq_block_key_compare(&list->blocks[i].key, key) == 0)
            return i;
    return SQ_NONE;
}

sq_status sq_block_list_make(sq_block_list *out, const sq_space *space)
{
    size_t most = 0;
    for (int l = 0; l < space->layer_count; l++)
        most += (size_t)space->layers[l].choice_count;
    sq_block_list list = {calloc(most, sizeof *list.blocks), 0};
    if (!list.blocks)
        return sq_fail(SQ_NO_MEMORY, "%s: %zu blocks", space->name, most);
    for (int l = 0; l < space->layer_count; l++)
        for (int c = 0; c < space->layers[l].choice_count; c++) {
            const sq_block_key key = sq_block_key_of(space, l, c);
            if (key.kind != SQ_BLOCK_SKIP && sq_block_list_find(&list, &key) == SQ_NONE)
                list.blocks[list.count++] = (sq_block_place){key, l, c};
        }
    *out = list;
    return SQ_OK;
}

void sq_block_list_clear(sq_block_list *list)
{
    free(list->blocks);
    *list = (sq_block_list){0};
}
