#ifndef SQ_CHECKPOINT_H
#define SQ_CHECKPOINT_H

#include "supernet/model/model.h"

/* A run's folder holds ckpt-00012345/{model.safetensors, optim.safetensors, state.json} and the link `last`. A
 * checkpoint is written under a temporary name, synced and renamed, so a folder ckpt-<step> is complete. All three
 * files contain checksums. model.safetensors has the weights and running statistics by PyTorch name, optim.safetensors
 * the momentum and the moving average, state.json the step, hashes and sums. */

typedef struct {
    int64_t step; /* number of completed steps */
    uint64_t seed;
    uint64_t space_hash;
    uint64_t search_mask_hash; /* 0: every choice may be drawn */
    int batch;                 /* images per step */
    double loss_sum;           /* this and the next two: of the current log interval; a resumed run continues them */
    int64_t top1, images;
    int64_t nonfinite; /* skips and rollbacks because of nonfinite values */
    int64_t lost;      /* steps whose update was skipped or rolled back, which log.jsonl lists */
} sq_training_state;

/* Which checkpoints are kept. Checkpoints of later steps than the one just written are damaged, and are ignored. */
typedef struct {
    int newest;     /* keeps this number of newest checkpoints, at least 1 */
    int64_t every;  /* keeps all checkpoints whose step is a multiple of `every`; 0: none */
    int64_t anchor; /* keeps the newest checkpoint whose step is a multiple of `anchor`; 0: none */
} sq_retention;

/* Writes run/ckpt-<step>, moves the link `last`, and removes older checkpoints that `keep` does not cover. On failure,
 * for example because of a full disk, the previous checkpoint and `last` are unchanged, no partial files are left, and
 * errno is the error of the failing call. SQ_NONFINITE: a tensor is nonfinite. Checkpoints contain no such values. */
SQ_MUST_USE sq_status sq_checkpoint_write(const char *run, sq_model *model, const sq_training_state *state,
                                          const sq_retention *keep);
/* Cleans up after a kill: removes partial checkpoints, and checkpoints up to `step` that `keep` does not cover. */
SQ_MUST_USE sq_status sq_checkpoint_tidy(const char *run, int64_t step, const sq_retention *keep);

/* Writes the folder of a run's checkpoint to `out`. SQ_INVALID: the path is too long. */
SQ_MUST_USE sq_status sq_checkpoint_folder(const char *run, int64_t step, char *out, size_t bytes);

/* Reads one checkpoint folder. has_optimiser false: reads only the model (for searches and exports). Before the call,
 * out->space_hash is the expected hash; 0: any space. SQ_INVALID names a file that is damaged or belongs to a different
 * space. */
SQ_MUST_USE sq_status sq_checkpoint_read(const char *folder, sq_model *model, bool has_optimiser,
                                         sq_training_state *out);

/* Loads the checkpoint's moving average as the model's weights. With train.ema, searches and --arch runs evaluate the
 * moving average. */
SQ_MUST_USE sq_status sq_checkpoint_read_average(const char *folder, sq_model *model);

/* Finds the newest usable checkpoint of a run, and writes its folder to `out` and its step to *step. Damaged
 * checkpoints are skipped and reported to `note` (may be NULL). SQ_DATA: there is no usable checkpoint. */
SQ_MUST_USE sq_status sq_checkpoint_find(const char *run, char *out, size_t bytes, int64_t *step,
                                         void (*note)(const char *line));

#endif
