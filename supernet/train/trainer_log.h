#ifndef SQ_TRAINER_LOG_H
#define SQ_TRAINER_LOG_H

#include "supernet/train/trainer_state.h"

/* The output of a training run on rank 0: progress line, log.jsonl, timing.jsonl, TensorBoard events. log.jsonl
 * contains nothing that depends on the clock, so a resumed run writes the same bytes. */

SQ_MUST_USE sq_status sq_trainer_open_files(sq_trainer *t);
void sq_trainer_close_files(sq_trainer *t);
/* Writes a line of log.jsonl, with the number of paths per step if there are several. Releases `event`. */
SQ_MUST_USE sq_status sq_trainer_log_event(sq_trainer *t, json_t *event);
/* Logs the interval that ends with step `done`, and begins the next interval. All ranks call this function. */
SQ_MUST_USE sq_status sq_trainer_log_interval(sq_trainer *t, int64_t done);

#endif
