#ifndef SQ_STAGES_H
#define SQ_STAGES_H

#include "supernet/train/search_mask.h"

/* A search in stages (HURRICANE: later layers first, then earlier ones): the searched layers in groups, each group
 * searched while all others are fixed, to what they were given at the start or to what an earlier stage found. */

enum { SQ_MAX_STAGES = 16 };

typedef struct {
    int first, last; /* searched layers, as positions in an architecture's tuple, from 0 */
    int64_t steps;   /* of training before this stage's search */
    double lr;       /* at its beginning */
} sq_stage;

typedef struct {
    sq_stage list[SQ_MAX_STAGES];
    int count;
} sq_stages;

/* groups: "9-20, 1-8", layers counted from 1 in the order of the stages, every searched layer in exactly one group; empty:
 * one group of all, which is SPOS. steps, lrs: one number a stage, or one for all; empty: `steps_otherwise`,
 * `lr_otherwise`. SQ_INVALID names what is wrong. */
SQ_MUST_USE sq_status sq_stages_read(sq_stages *out, const sq_space *space, const char *groups, const char *steps,
                                     const char *lrs, int64_t steps_otherwise, double lr_otherwise);

/* What a stage may draw: its own layers free, all others fixed to path's. */
void sq_stages_search_mask(const sq_stages *stages, int stage, const sq_space *space, const int *path,
                           sq_search_mask *out);

/* The same from text: "9-20" free, counted from 1; all others fixed to path's. SQ_INVALID names what is wrong. */
SQ_MUST_USE sq_status sq_search_mask_read(sq_search_mask *out, const sq_space *space, const char *ranges,
                                          const int *path);

/* Training steps of all stages. */
int64_t sq_stages_steps(const sq_stages *stages);

#endif
