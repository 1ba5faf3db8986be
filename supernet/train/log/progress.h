#ifndef SQ_PROGRESS_H
#define SQ_PROGRESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernels/base/status.h"

/* Output of a long loop: a progress line on stderr (rewritten in place on a terminal, separate lines elsewhere), and
 * <run>/log.jsonl with one JSON object per line. */

typedef struct sq_progress sq_progress;

/* Opens <run>/log.jsonl for appending. First removes the lines that a resumed run writes again, which are the lines
 * with a "step" above `from` (0: every line, negative: none), and an incomplete last line. retries: retries of each
 * write (kernels/base/retry.h). is_quiet: no output on stderr. */
SQ_MUST_USE sq_status sq_progress_open(sq_progress **out, const char *run, int64_t from, int retries, bool is_quiet);
void sq_progress_close(sq_progress *progress);

/* Shows a progress line such as "train   1200/2000  60%  loss 0.412  top-1 88.1%  1,204 images/s  left 42 s". */
void sq_progress_show(sq_progress *progress, const char *line);
/* Prints a permanent line (event, warning) above the progress line. */
void sq_progress_note(sq_progress *progress, const char *line);
/* Writes the object as one line and releases it. */
SQ_MUST_USE sq_status sq_progress_log(sq_progress *progress, json_t *object);

#endif
