#ifndef SQ_BATCH_CHOICE_H
#define SQ_BATCH_CHOICE_H

#include "data/loader/image_set.h"
#include "supernet/model/model.h"

/* The evaluation batch that scores most images a second: a path's forward is timed at 16, 32, ... 1,024 images, as far
 * as `images` has them and budget_bytes hold the activations; doubling must gain three per cent to go on being the
 * choice. A clock decides, so whoever asks must keep the answer (sq_batch_choice_read) for a search that is resumed:
 * sums of losses may round differently with another batch.
 *
 * weights  borrowed; nothing of it is changed
 * out      1 .. 1,024 */
SQ_MUST_USE sq_status sq_batch_choose(int *out, sq_backend *backend, const sq_space *space, sq_model *weights,
                                      const sq_image_set *images, size_t budget_bytes);

/* {"evaluation_batch": N}. Reading: *batch 0 where there is no such file; SQ_INVALID names a file that is none. */
SQ_MUST_USE sq_status sq_batch_choice_write(const char *path, int batch);
SQ_MUST_USE sq_status sq_batch_choice_read(const char *path, int *batch);

#endif
