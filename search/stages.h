#ifndef SQ_STAGES_H
#define SQ_STAGES_H

#include "supernet/train/search_mask.h"

/* Divides a search into stages. Each stage searches one group of layers while all other layers are fixed. A layer is
 * fixed to its initial choice until a stage has searched it, and then to the choice that this stage found. HURRICANE
 * (arXiv 1910.11609) searches later layers first. */

enum { SQ_MAX_STAGES = 16 };

typedef struct {
    int first, last; /* searched layers, as positions in an architecture's tuple, from 0 */
    int64_t steps;   /* training steps before this stage's search */
    double lr;       /* learning rate at the beginning of this training */
} sq_stage;

typedef struct {
    sq_stage list[SQ_MAX_STAGES];
    int count;
} sq_stages;

/* The stages as text from the configuration. */
typedef struct {
    const char *groups;      /* "9-20, 1-8": groups in the order of the stages, from layer 1; empty: one group */
    const char *steps, *lrs; /* one number per stage, or a common number; empty: the initial_ values */
    int64_t initial_steps;
    double initial_lr;
} sq_stages_text;

/* Reads the stages. Each searched layer must be in exactly one group. SQ_INVALID: the message names the invalid key. */
SQ_MUST_USE sq_status sq_stages_read(sq_stages *out, const sq_space *space, const sq_stages_text *text);

/* Makes the search mask of a stage. The stage's layers are free, and all other layers are fixed to the path's
 * choices. */
void sq_stages_search_mask(const sq_stages *stages, int stage, const sq_space *space, const int *path,
                           sq_search_mask *out);

/* Makes the search mask in which the layers in `ranges` are free ("9-20", counted from 1) and all others are fixed to
 * the path's choices. SQ_INVALID: the message quotes the invalid text. */
SQ_MUST_USE sq_status sq_search_mask_read(sq_search_mask *out, const sq_space *space, const char *ranges,
                                          const int *path);

/* Returns the sum of the training steps of all stages. */
int64_t sq_stages_steps(const sq_stages *stages);

#endif
