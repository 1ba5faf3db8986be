#ifndef SQ_PROCESS_H
#define SQ_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/base/status.h"

/* Running another program without a shell: its output, or why it failed. */

enum { SQ_PROCESS_KEPT_BYTES = 16 << 20 };

typedef struct {
    const char *name;       /* for messages: "onnxruntime: block_07.onnx" */
    char *const *arguments; /* the program (found by PATH), its arguments, then NULL */
    int core_count;         /* pin the program to this many of our allowed cores; 0: do not pin */
    double limit_seconds;   /* above 0 */
} sq_process_options;

typedef struct {
    char *text; /* stdout and stderr in order, zero-terminated; zero bytes in the output become '?' */
    size_t bytes;
    bool is_cut; /* the text is only the last SQ_PROCESS_KEPT_BYTES of the output */
    int cores;   /* number of cores that it was pinned to: core_count, or all allowed ones; 0: not pinned */
} sq_process_output;

/* Runs the program to completion, without input, in a new process group. All processes of the group are killed
 * before the function returns.
 *
 * returns   SQ_IO: not started ("command 'x' not found"); SQ_DEVICE: exit status, signal or time limit, with the last
 *           line of output; SQ_INTERRUPTED: this process got a signal
 * cost      blocks; polls 20 times per second */
SQ_MUST_USE sq_status sq_process_run(sq_process_output *out, const sq_process_options *options);
void sq_process_clear(sq_process_output *output); /* frees the text */

/* Copies the last line that is not blank, at most `bytes` - 1 printable characters. Returns line. */
char *sq_process_last_line(char *line, size_t bytes, const char *text);

#endif
