/* What may be drawn. */
#include "supernet/train/search_mask.h"

#include "kernels/base/text.h"

void sq_scope_all(sq_scope *scope, const sq_space *space)
{
    for (int l = 0; l < space->layer_count; l++) {
        scope->count[l] = space->layers[l].choice_count;
        for (int c = 0; c < scope->count[l]; c++)
            scope->choices[l][c] = c;
    }
}

void sq_scope_fix(sq_scope *scope, int layer, int choice)
{
    scope->count[layer] = 1;
    scope->choices[layer][0] = choice;
}

bool sq_scope_holds(const sq_scope *scope, const sq_space *space, const int *path)
{
    for (int l = 0; l < space->layer_count; l++) {
        bool is_there = false;
        for (int c = 0; c < scope->count[l]; c++)
            is_there = is_there || scope->choices[l][c] == path[l];
        if (!is_there)
            return false;
    }
    return true;
}

int sq_scope_count(const sq_scope *scope, const sq_space *space, int layer)
{
    return scope ? scope->count[layer] : space->layers[layer].choice_count;
}

int sq_scope_choice(const sq_scope *scope, int layer, int index)
{
    return scope ? scope->choices[layer][index] : index;
}

int sq_scope_draw(const sq_scope *scope, const sq_space *space, int layer, sq_rng *rng)
{
    const int count = sq_scope_count(scope, space, layer);
    return sq_scope_choice(scope, layer, count > 1 ? (int)sq_rng_below(rng, (uint32_t)count) : 0);
}

uint64_t sq_scope_hash(uint64_t hash, const sq_scope *scope, const sq_space *space)
{
    for (int l = 0; scope && l < space->layer_count; l++) {
        hash = sq_hash(hash, &scope->count[l], sizeof scope->count[l]);
        hash = sq_hash(hash, scope->choices[l], (size_t)scope->count[l] * sizeof *scope->choices[l]);
    }
    return hash;
}
