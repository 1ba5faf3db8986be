#ifndef SQ_MESSAGES_H
#define SQ_MESSAGES_H

#include <jansson.h>
#include <stdbool.h>

#include "kernels/base/status.h"

/* Messages of the commands. With several ranks, only rank 0 prints a failure that all ranks find. */

/* Prints "squall train: <sq_error_text()>" on stderr unless another rank reports the failure. Returns the exit code of
 * status. */
int sq_command_fail(const char *name, sq_status status);

/* Prints a usage error that names the help page. Returns 2. */
int sq_command_usage(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Returns whether this rank must not print errors that all ranks find before they are connected, because rank 0 of the
 * same launcher prints these errors. */
bool sq_command_is_silent(void);

/* Prints one row of a "name value" table on stdout. */
void sq_print_row(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints object as one line of JSON on stdout and releases it. NULL fails with SQ_NO_MEMORY. */
SQ_MUST_USE sq_status sq_print_json(json_t *object);

#endif
