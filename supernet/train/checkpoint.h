#ifndef SQ_CHECKPOINT_H
#define SQ_CHECKPOINT_H

#include "supernet/model/model.h"

/* A run's folder holds ckpt-00012345/{model.safetensors, optim.safetensors, state.json} and the link `last`. A
 * checkpoint is written under a temporary name, synced and renamed, so a folder named ckpt-* is complete; its files
 * carry checksums. model: weights and running statistics by PyTorch name. optim: momentum and moving average. state:
 * step, hashes, sums. */

typedef struct {
    int64_t step; /* steps done */
    uint64_t seed;
    uint64_t space_hash;
    uint64_t search_mask_hash; /* of what was drawn; 0: every choice */
    int batch;                 /* images per step */
    double loss_sum;           /* of the log interval in progress, so that a resumed log equals an undisturbed one */
    int64_t top1, images;
    int64_t nonfinite; /* how often a loss, gradients or weights were not finite, and the run went on */
    int64_t lost;      /* steps whose update was left out or taken back for it; log.jsonl names them */
} sq_training_state;

/* Which checkpoints stay. What lies beyond the newest written one (damaged, passed over) neither counts nor goes. */
typedef struct {
    int newest;     /* so many newest ones; below 1: 1 */
    int64_t every;  /* and all whose step is a multiple of it; 0: none */
    int64_t anchor; /* and the newest whose step is a multiple of it; 0: none */
} sq_retention;

/* Writes run/ckpt-<step>, moves `last`, removes older ones that need not stay. On failure (full disk) the previous
 * checkpoint and `last` are untouched and nothing partial stays; errno is the failing call's. SQ_NONFINITE: a tensor is
 * not finite, which no checkpoint ever holds. */
SQ_MUST_USE sq_status sq_checkpoint_write(const char *run, sq_model *model, const sq_training_state *state,
                                          const sq_retention *keep);
/* Removes what a killed run left: half-written checkpoints, and those up to `step` that need not stay. */
SQ_MUST_USE sq_status sq_checkpoint_tidy(const char *run, int64_t step, const sq_retention *keep);

/* The folder of a run's checkpoint. SQ_INVALID: the path is too long. */
SQ_MUST_USE sq_status sq_checkpoint_folder(const char *run, int64_t step, char *out, size_t bytes);

/* Restores from one checkpoint folder. SQ_INVALID names the file and what is wrong: damaged, of another space, other
 * seed. has_optimiser false reads only the model (search, export). out->space_hash says which space is wanted; 0: any.
 */
SQ_MUST_USE sq_status sq_checkpoint_read(const char *folder, sq_model *model, bool has_optimiser,
                                         sq_training_state *out);

/* Puts the checkpoint's moving average in place of the model's weights: what --arch runs and searches evaluate when
 * train.ema is set. */
SQ_MUST_USE sq_status sq_checkpoint_read_average(const char *folder, sq_model *model);

/* The newest usable checkpoint of a run, tried from `last` backwards; damaged ones are reported through `note` (may be
 * NULL) and passed over. Writes its folder to out. SQ_DATA when there is none; *step is that of the found one. */
SQ_MUST_USE sq_status sq_checkpoint_find(const char *run, char *out, size_t bytes, int64_t *step,
                                         void (*note)(const char *line));

#endif
