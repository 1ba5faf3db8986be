#ifndef SQ_STAGES_H
#define SQ_STAGES_H

#include "supernet/train/search_mask.h"

/* A search in stages. Each stage searches one group of layers while all other layers are fixed: to their choice at the
 * start, or to the choice that an earlier stage found. HURRICANE searches later layers first, then earlier ones. */

enum { SQ_MAX_STAGES = 16 };

typedef struct {
    int first, last; /* searched layers, as positions in an architecture's tuple, from 0 */
    int64_t steps;   /* of training before this stage's search */
    double lr;       /* at the beginning of that training */
} sq_stage;

typedef struct {
    sq_stage list[SQ_MAX_STAGES];
    int count;
} sq_stages;

/* Stages as the configuration writes them. */
typedef struct {
    const char *groups; /* "9-20, 1-8": layers from 1, in the order of the stages; empty: one group of all, as SPOS */
    const char *steps, *lrs; /* one number per stage, or a common one; empty: the numbers below */
    int64_t initial_steps;
    double initial_lr;
} sq_stages_text;

/* SQ_INVALID names the invalid key. Each searched layer must be in exactly one group. */
SQ_MUST_USE sq_status sq_stages_read(sq_stages *out, const sq_space *space, const sq_stages_text *text);

/* The mask of a stage: its layers are free, all others are fixed to the path's choices. */
void sq_stages_search_mask(const sq_stages *stages, int stage, const sq_space *space, const int *path,
                           sq_search_mask *out);

/* The same for ranges of layers: "9-20" is free, counted from 1. SQ_INVALID names the invalid text. */
SQ_MUST_USE sq_status sq_search_mask_read(sq_search_mask *out, const sq_space *space, const char *ranges,
                                          const int *path);

/* Training steps of all stages. */
int64_t sq_stages_steps(const sq_stages *stages);

#endif
