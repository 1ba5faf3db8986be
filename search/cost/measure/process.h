#ifndef SQ_PROCESS_H
#define SQ_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/base/status.h"

/* Runs another program without a shell. Returns the program's output or an error that states why the program failed. */

enum { SQ_PROCESS_KEPT_BYTES = 16 << 20 };

typedef struct {
    const char *name;       /* for messages: "onnxruntime: block_07.onnx" */
    char *const *arguments; /* the program (found by PATH), its arguments, then NULL */
    int core_count;         /* pin the program to this many of the cores that this process may use; 0: do not pin */
    double limit_seconds;   /* above 0 */
} sq_process_options;

typedef struct {
    char *text; /* stdout and stderr in the order of writing, zero-terminated; zero bytes in the output become '?' */
    size_t bytes;
    bool is_cut; /* the text has only the end of the output, at least SQ_PROCESS_KEPT_BYTES */
    int cores;   /* number of cores that the program was pinned to: core_count, or fewer if fewer are allowed; 0: not
                  * pinned */
} sq_process_output;

/* Runs the program to completion in a new process group. The program's standard input is /dev/null. All processes of
 * the group are killed before the function returns.
 *
 * returns   SQ_IO: the program could not be started ("command 'x' not found"); SQ_DEVICE: the program had a nonzero
 *           exit status, was ended by a signal or exceeded the time limit, and the message has the last line of output;
 *           SQ_INTERRUPTED: this process received a signal
 * cost      blocks until the program ends; polls 20 times per second */
SQ_MUST_USE sq_status sq_process_run(sq_process_output *out, const sq_process_options *options);
void sq_process_clear(sq_process_output *output); /* frees the text */

/* Copies the last line of text that is not blank to `line`: at most `bytes` - 1 characters, with blanks in place of
 * control characters. Returns line. */
char *sq_process_last_line(char *line, size_t bytes, const char *text);

#endif
