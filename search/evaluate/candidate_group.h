#ifndef SQ_CANDIDATE_GROUP_H
#define SQ_CANDIDATE_GROUP_H

#include "search/evaluate/evaluator.h"

/* Evaluation of many candidates at once. The candidates form a prefix tree, so that those with common first layers
 * share the work of these layers. Each batch of images walks the tree once in depth-first order; a node runs the
 * program of its block on its parent's output. Batch-norm statistics belong to a node, not to a block: two nodes of the
 * same block have different statistics, which copies within the device keep apart. The results equal those of
 * sq_evaluator_calibrate and sq_evaluator_score of each candidate alone, bit for bit. */

typedef struct sq_candidate_group sq_candidate_group;

typedef struct {
    sq_evaluation_data data;
    size_t budget_bytes; /* memory for shared work beyond the models of one candidate: every boundary, the images on a
                            device, the output of the fixed layers. The rest is computed or copied again */
} sq_candidate_group_options;

/* weights: must outlive the group. Nothing is shared when the budget does not hold the boundaries of one batch. */
SQ_MUST_USE sq_status sq_candidate_group_create(sq_candidate_group **out, sq_backend *backend, const sq_space *space,
                                                sq_model *weights, const sq_candidate_group_options *options);
void sq_candidate_group_destroy(sq_candidate_group *group); /* accepts NULL */

/* Declares that every candidate begins with path[0 .. depth). The next evaluation computes the statistics of these
 * layers and, within the budget, their output for all images; later ones reuse them. depth 0: no layer is fixed. */
void sq_candidate_group_fix(sq_candidate_group *group, const int *path, int depth);

/* Calibrates and scores `count` paths on the first `images` of the validation set (0: all); results[count].
 * SQ_INVALID: a path that does not begin with the fixed layers. */
SQ_MUST_USE sq_status sq_candidate_group_evaluate(sq_candidate_group *group, const int *const *paths, int count,
                                                  size_t images, sq_result *results);

typedef struct {
    int64_t candidates; /* evaluated so far */
    int64_t runs;       /* of block programs so far */
    int64_t alone;      /* runs that evaluating each candidate alone would have needed */
    double fixed_seconds, calibration_seconds, scoring_seconds; /* of the fixed layers; of the two passes of the tree */
    size_t kept_bytes, prefix_bytes; /* of the budget in use; the part for the output of the fixed layers */
    bool is_shared;                  /* false: the budget does not hold the boundaries of one batch */
} sq_evaluation_counters;
sq_evaluation_counters sq_candidate_group_counters(const sq_candidate_group *group);

#endif
