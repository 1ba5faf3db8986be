#ifndef SQ_EVALUATOR_H
#define SQ_EVALUATOR_H

#include "data/loader/image_set.h"
#include "supernet/model/model.h"

/* Calibrates the batch norms of one path and scores the path. `squall evaluate` and the export use the evaluator; a
 * search evaluates many paths at once (candidate_group.h). */

/* The images of an evaluation. The image sets are borrowed. */
typedef struct {
    const sq_image_set *calibration, *validation;
    int calibration_batch, evaluation_batch;
    bool use_average; /* score with the moving average of the weights */
} sq_evaluation_data;

/* Checks the data. SQ_INVALID: the calibration images do not fill one batch, or a calibration batch has fewer than 2
 * images. */
SQ_MUST_USE sq_status sq_evaluation_data_check(const sq_evaluation_data *data);

/* Returns the bytes of all boundaries of one batch, which a candidate group stores. */
size_t sq_evaluation_boundary_bytes(const sq_memory_plan *plan);

typedef struct sq_evaluator sq_evaluator;

/* Creates an evaluator. weights must outlive the evaluator. */
SQ_MUST_USE sq_status sq_evaluator_create(sq_evaluator **out, sq_backend *backend, const sq_space *space,
                                          sq_model *weights, const sq_evaluation_data *data);
void sq_evaluator_destroy(sq_evaluator *evaluator); /* accepts NULL */

/* Sets the path's batch-norm statistics to the mean of the batch statistics over the calibration batches. */
SQ_MUST_USE sq_status sq_evaluator_calibrate(sq_evaluator *evaluator, const int *path);
/* Scores the path with its current statistics on the first `images` validation images (0: on all of them). */
SQ_MUST_USE sq_status sq_evaluator_score(sq_evaluator *evaluator, const int *path, int images, sq_result *out);
/* Copies the path's statistics from another model of the same space, for example from the model that was trained. */
SQ_MUST_USE sq_status sq_evaluator_adopt(sq_evaluator *evaluator, sq_model *source, const int *path);
/* Returns the model that has the calibrated statistics. It runs SQ_EVALUATE with the evaluation batch. */
sq_model *sq_evaluator_model(sq_evaluator *evaluator);

#endif
