#ifndef SQ_CHECKPOINT_H
#define SQ_CHECKPOINT_H

#include "supernet/model/model.h"

/* A run's folder holds ckpt-00012345/{model.safetensors, optim.safetensors, state.json} and the link `last`. A
 * checkpoint is written under a temporary name, synced and renamed, so a folder named ckpt-* is complete; its files
 * contain checksums. model.safetensors has weights and running statistics by PyTorch name, optim.safetensors momentum
 * and moving average, state.json step, hashes and sums. */

typedef struct {
    int64_t step; /* steps done */
    uint64_t seed;
    uint64_t space_hash;
    uint64_t search_mask_hash; /* 0: every choice may be drawn */
    int batch;                 /* images per step */
    double loss_sum;           /* of the current log interval, so that a resumed run writes the same log */
    int64_t top1, images;
    int64_t nonfinite; /* skips and rollbacks because of nonfinite values */
    int64_t lost;      /* steps whose update was skipped or rolled back; log.jsonl lists them */
} sq_training_state;

/* Which checkpoints are kept. Checkpoints of later steps than the one just written (damaged ones) are ignored. */
typedef struct {
    int newest;     /* number of newest ones to keep; below 1: 1 */
    int64_t every;  /* keeps all steps that are a multiple of it; 0: none */
    int64_t anchor; /* keeps the newest step that is a multiple of it; 0: none */
} sq_retention;

/* Writes run/ckpt-<step>, moves the link `last`, and removes older checkpoints that `keep` does not cover. On failure
 * (full disk) the previous checkpoint and `last` are unchanged, no partial files are left, and errno is the error of
 * the failing call. SQ_NONFINITE: a tensor is nonfinite; no checkpoint ever contains such values. */
SQ_MUST_USE sq_status sq_checkpoint_write(const char *run, sq_model *model, const sq_training_state *state,
                                          const sq_retention *keep);
/* Cleans up after a killed run: removes partial checkpoints, and those up to `step` that `keep` does not cover. */
SQ_MUST_USE sq_status sq_checkpoint_tidy(const char *run, int64_t step, const sq_retention *keep);

/* The folder of a run's checkpoint. SQ_INVALID: the path is too long. */
SQ_MUST_USE sq_status sq_checkpoint_folder(const char *run, int64_t step, char *out, size_t bytes);

/* Reads one checkpoint folder. SQ_INVALID names the file and the problem: damaged, or a different space. has_optimiser
 * false: only the model (search, export). out->space_hash is the expected hash; 0: any.
 */
SQ_MUST_USE sq_status sq_checkpoint_read(const char *folder, sq_model *model, bool has_optimiser,
                                         sq_training_state *out);

/* Loads the checkpoint's moving average as the model's weights. With train.ema, searches and --arch runs evaluate it.
 */
SQ_MUST_USE sq_status sq_checkpoint_read_average(const char *folder, sq_model *model);

/* Finds the newest usable checkpoint of a run: writes its folder to `out` and its step to *step. Damaged ones are
 * skipped, and reported to `note` (may be NULL). SQ_DATA: there is none. */
SQ_MUST_USE sq_status sq_checkpoint_find(const char *run, char *out, size_t bytes, int64_t *step,
                                         void (*note)(const char *line));

#endif
