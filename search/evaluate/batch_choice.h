#ifndef SQ_BATCH_CHOICE_H
#define SQ_BATCH_CHOICE_H

#include "data/loader/image_set.h"
#include "supernet/model/model.h"

/* Chooses the evaluation batch by measuring times. */

typedef struct {
    sq_backend *backend;
    const sq_space *space;
    sq_model *weights; /* not changed */
    const sq_image_set *images;
    size_t budget_bytes; /* limit for the activations of a batch */
} sq_batch_candidates;

/* Chooses the batch that scores most images per second, from 1 to 1,024. The forward pass of one path is timed with 16,
 * 32, ... images, as far as the image set and the budget allow. A larger batch is chosen only if it saves 3 % of the
 * time per image. The choice depends on measured times and can differ from run to run, and another batch may change the
 * rounding of summed losses. A search that can be resumed must therefore save the choice. */
SQ_MUST_USE sq_status sq_batch_choose(int *out, const sq_batch_candidates *candidates);

/* Write and read the choice as {"evaluation_batch": N}. If the file does not exist, *batch becomes 0. SQ_INVALID: the
 * file has no such number. */
SQ_MUST_USE sq_status sq_batch_choice_write(const char *path, int batch);
SQ_MUST_USE sq_status sq_batch_choice_read(const char *path, int *batch);

#endif
