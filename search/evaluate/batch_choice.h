#ifndef SQ_BATCH_CHOICE_H
#define SQ_BATCH_CHOICE_H

#include "data/loader/image_set.h"
#include "supernet/model/model.h"

/* Choosing the evaluation batch by time. */

typedef struct {
    sq_backend *backend;
    const sq_space *space;
    sq_model *weights; /* not changed */
    const sq_image_set *images;
    size_t budget_bytes; /* for the activations of a batch */
} sq_batch_candidates;

/* Chooses the batch that scores most images per second, from 1 to 1,024. A path's forward pass is timed at 16, 32, ...
 * images, as far as the image set and the budget allow; a larger batch must save 3 % per image. The clock decides, and
 * sums of losses may round differently with another batch, so a search that can be resumed must save the choice. */
SQ_MUST_USE sq_status sq_batch_choose(int *out, const sq_batch_candidates *candidates);

/* The choice as {"evaluation_batch": N}. Reading gives 0 when there is no file. SQ_INVALID: not such a file. */
SQ_MUST_USE sq_status sq_batch_choice_write(const char *path, int batch);
SQ_MUST_USE sq_status sq_batch_choice_read(const char *path, int *batch);

#endif
