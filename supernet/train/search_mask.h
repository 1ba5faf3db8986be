#ifndef SQ_SEARCH_MASK_H
#define SQ_SEARCH_MASK_H

#include "kernels/base/rng.h"
#include "supernet/space/space.h"

/* The choices of each layer that samplers and searchers may draw: all choices, or one choice in some layers (a stage
 * of a search by layer groups). Fixed layers are still part of every path. */

typedef struct {
    int count[SQ_MAX_LAYERS];
    int choices[SQ_MAX_LAYERS][SQ_MAX_CHOICES]; /* ascending */
} sq_search_mask;

void sq_search_mask_all(sq_search_mask *search_mask, const sq_space *space);
void sq_search_mask_fix(sq_search_mask *search_mask, int layer, int choice);
bool sq_search_mask_allows(const sq_search_mask *search_mask, const sq_space *space, const int *path);

/* The number of allowed choices of the layer, and the allowed choice at position `index`. search_mask NULL: every
 * choice is allowed. */
int sq_search_mask_count(const sq_search_mask *search_mask, const sq_space *space, int layer);
int sq_search_mask_choice(const sq_search_mask *search_mask, int layer, int index);

/* Draws an allowed choice with equal probability; uses no random number if there is only one. search_mask NULL:
 * every choice. */
int sq_search_mask_draw(const sq_search_mask *search_mask, const sq_space *space, int layer, sq_rng *rng);

/* Continues an FNV-1a hash over the allowed choices. search_mask NULL: returns `hash`. */
uint64_t sq_search_mask_hash(uint64_t hash, const sq_search_mask *search_mask, const sq_space *space);

#endif
