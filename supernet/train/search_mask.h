#ifndef SQ_SEARCH_MASK_H
#define SQ_SEARCH_MASK_H

#include "kernels/base/rng.h"
#include "supernet/space/space.h"

/* Which choices of each layer may be drawn: all of them, or some layers fixed to one (a stage of a search by layer
 * groups). What is fixed is still part of every path. */

typedef struct {
    int count[SQ_MAX_LAYERS];
    int choices[SQ_MAX_LAYERS][SQ_MAX_CHOICES]; /* in ascending order */
} sq_search_mask;

void sq_search_mask_all(sq_search_mask *search_mask, const sq_space *space);
void sq_search_mask_fix(sq_search_mask *search_mask, int layer, int choice);
bool sq_search_mask_allows(const sq_search_mask *search_mask, const sq_space *space, const int *path);

/* How many choices of the layer may be drawn, and the index-th of them; scope NULL: every choice. */
int sq_search_mask_count(const sq_search_mask *search_mask, const sq_space *space, int layer);
int sq_search_mask_choice(const sq_search_mask *search_mask, int layer, int index);

/* A choice of the layer, uniformly; no number is drawn where there is only one. scope NULL: every choice. */
int sq_search_mask_draw(const sq_search_mask *search_mask, const sq_space *space, int layer, sq_rng *rng);

/* FNV-1a of what may be drawn, for fingerprints; scope NULL gives `hash` back. */
uint64_t sq_search_mask_hash(uint64_t hash, const sq_search_mask *search_mask, const sq_space *space);

#endif
