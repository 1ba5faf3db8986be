#include "supernet/train/search_mask.h"

#include "kernels/base/text.h"

void sq_search_mask_all(sq_search_mask *search_mask, const sq_space *space)
{
    for (int l = 0; l < space->layer_count; l++) {
        search_mask->count[l] = space->layers[l].choice_count;
        for (int c = 0; c < search_mask->count[l]; c++)
            search_mask->choices[l][c] = c;
    }
}

void sq_search_mask_fix(sq_search_mask *search_mask, int layer, int choice)
{
    search_mask->count[layer] = 1;
    search_mask->choices[layer][0] = choice;
}

bool sq_search_mask_allows(const sq_search_mask *search_mask, const sq_space *space, const int *path)
{
    for (int l = 0; l < space->layer_count; l++) {
        bool is_allowed = false;
        for (int c = 0; c < search_mask->count[l]; c++)
            is_allowed = is_allowed || search_mask->choices[l][c] == path[l];
        if (!is_allowed)
            return false;
    }
    return true;
}

int sq_search_mask_count(const sq_search_mask *search_mask, const sq_space *space, int layer)
{
    return search_mask ? search_mask->count[layer] : space->layers[layer].choice_count;
}

int sq_search_mask_choice(const sq_search_mask *search_mask, int layer, int index)
{
    return search_mask ? search_mask->choices[layer][index] : index;
}

int sq_search_mask_draw(const sq_search_mask *search_mask, const sq_space *space, int layer, sq_rng *rng)
{
    const int count = sq_search_mask_count(search_mask, space, layer);
    return sq_search_mask_choice(search_mask, layer, count > 1 ? (int)sq_rng_below(rng, (uint32_t)count) : 0);
}

uint64_t sq_search_mask_hash(uint64_t hash, const sq_search_mask *search_mask, const sq_space *space)
{
    for (int l = 0; search_mask && l < space->layer_count; l++) {
        hash = sq_hash(hash, &search_mask->count[l], sizeof search_mask->count[l]);
        hash = sq_hash(hash, search_mask->choices[l], (size_t)search_mask->count[l] * sizeof *search_mask->choices[l]);
    }
    return hash;
}
