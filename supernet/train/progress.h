#ifndef SQ_PROGRESS_H
#define SQ_PROGRESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernels/base/status.h"

/* What people and programs see of a long loop: a progress line on stderr (rewritten in place on a terminal, plain lines
 * elsewhere) and one JSON object a line in <run>/log.jsonl. */

typedef struct sq_progress sq_progress;

/* Appends to <run>/log.jsonl after cutting away whatever a resumed run will write again: lines whose "step" is above
 * `from` (0: every line, negative: none), and a torn last line. retries: of each write (kernels/base/retry.h).
 * is_quiet: nothing on stderr. */
SQ_MUST_USE sq_status sq_progress_open(sq_progress **out, const char *run, int64_t from, int retries, bool is_quiet);
void sq_progress_close(sq_progress *progress);

/* One line for people: "train   1200/2000  60%  loss 0.412  top-1 88.1%  1,204 images/s  left 42 s". */
void sq_progress_show(sq_progress *progress, const char *line);
/* A line that stays (events, warnings), above the progress line. */
void sq_progress_note(sq_progress *progress, const char *line);
/* Writes the object as one line and releases it. */
SQ_MUST_USE sq_status sq_progress_log(sq_progress *progress, json_t *object);

#endif
