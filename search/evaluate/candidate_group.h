#ifndef SQ_CANDIDATE_GROUP_H
#define SQ_CANDIDATE_GROUP_H

#include "search/evaluate/evaluator.h"

/* Evaluates many candidates at once. The candidates form a prefix tree, so that candidates with common first layers
 * share the work of these layers. For each batch of images the tree is visited once in depth-first order; at a node,
 * the program of the node's block runs on the output of the parent node. Batch-norm statistics belong to a node and not
 * to a block, because the inputs of two nodes with the same block differ. The statistics of such nodes are copied
 * within the device to and from the block's memory. The results equal those of sq_evaluator_calibrate and
 * sq_evaluator_score for each candidate alone, bit for bit. */

typedef struct sq_candidate_group sq_candidate_group;

typedef struct {
    sq_evaluation_data data;
    size_t budget_bytes; /* memory beyond the models of one candidate, for all boundaries, the images on a device, and
                          * the output of the fixed layers. What does not fit is computed or copied again */
} sq_candidate_group_options;

/* Creates a group. weights must outlive the group. If the budget is too small for the boundaries of one batch,
 * candidates are evaluated one by one. */
SQ_MUST_USE sq_status sq_candidate_group_create(sq_candidate_group **out, sq_backend *backend, const sq_space *space,
                                                sq_model *weights, const sq_candidate_group_options *options);
void sq_candidate_group_destroy(sq_candidate_group *group); /* accepts NULL */

/* Declares that every candidate begins with path[0 .. depth). The next evaluation computes the statistics of these
 * layers and, within the budget, the output of these layers for all images. Later evaluations reuse statistics and
 * output. depth 0: no layer is fixed. */
void sq_candidate_group_fix(sq_candidate_group *group, const int *path, int depth);

/* Calibrates `count` paths and scores them on the first `images` images of the validation set (0: all). Writes
 * results[count]. SQ_INVALID: a path does not begin with the fixed layers. */
SQ_MUST_USE sq_status sq_candidate_group_evaluate(sq_candidate_group *group, const int *const *paths, int count,
                                                  size_t images, sq_result *results);

typedef struct {
    int64_t candidates; /* evaluated so far */
    int64_t runs;       /* runs of block programs so far */
    int64_t alone;      /* runs that would have been necessary without sharing */
    double fixed_seconds, calibration_seconds, scoring_seconds; /* spent on the fixed layers; on the tree */
    size_t kept_bytes, prefix_bytes; /* budget in use; part of it for the output of the fixed layers */
    bool is_shared;                  /* false: the budget is too small for the boundaries of one batch */
} sq_evaluation_counters;
sq_evaluation_counters sq_candidate_group_counters(const sq_candidate_group *group);

#endif
