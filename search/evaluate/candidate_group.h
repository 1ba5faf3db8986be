#ifndef SQ_CANDIDATE_GROUP_H
#define SQ_CANDIDATE_GROUP_H

#include "search/evaluate/evaluator.h"

/* Many candidates evaluated together: sorted into a tree by their paths, so that candidates which share their first
 * layers share those layers' work. The tree is walked once for each batch of images, in order of depth first; every
 * node runs its block's program on what its parent left. Statistics of norms belong to a node, not to a block: two
 * nodes of the same block behind different layers have different ones, and copies within the device keep them apart.
 * The results are those of sq_evaluator_calibrate and sq_evaluator_score of each candidate alone, to the bit. */

typedef struct sq_candidate_group sq_candidate_group;

typedef struct {
    sq_evaluation_data data;
    size_t budget_bytes; /* memory for shared work beyond the models of one candidate: every boundary, the images on a
                            device, the output of the fixed layers. Whatever does not fit is computed or copied again */
} sq_candidate_group_options;

/* `weights` must outlive the group. Where the budget cannot hold one batch's boundaries, nothing is shared. */
SQ_MUST_USE sq_status sq_candidate_group_create(sq_candidate_group **out, sq_backend *backend, const sq_space *space,
                                                sq_model *weights, const sq_candidate_group_options *options);
void sq_candidate_group_destroy(sq_candidate_group *group); /* accepts NULL */

/* From now on every candidate begins with path[0 .. depth): what these layers make of all images, and their statistics,
 * are computed once, at the next evaluation, and kept within the budget. depth 0: nothing is fixed. */
void sq_candidate_group_fix(sq_candidate_group *group, const int *path, int depth);

/* Calibrates and scores `count` paths on the first `images` of the validation set (0: all); results[count].
 * SQ_INVALID: a path that does not begin as it was fixed. */
SQ_MUST_USE sq_status sq_candidate_group_evaluate(sq_candidate_group *group, const int *const *paths, int count,
                                                  size_t images, sq_result *results);

typedef struct {
    int64_t candidates; /* evaluated so far */
    int64_t runs;       /* of blocks' programs so far */
    int64_t alone;      /* that one candidate after the other would have taken */
    double fixed_seconds, calibration_seconds, scoring_seconds; /* of the fixed layers once; of the tree's passes */
    size_t kept_bytes, prefix_bytes; /* of the budget, in all; of these the fixed layers' output */
    bool is_shared;                  /* false: the budget does not hold one batch's boundaries */
} sq_evaluation_counters;
sq_evaluation_counters sq_candidate_group_counters(const sq_candidate_group *group);

#endif
