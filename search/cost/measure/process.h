#ifndef SQ_PROCESS_H
#define SQ_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/base/status.h"

/* One start of another program: what it prints, or why it failed. No shell. */

enum { SQ_PROCESS_KEPT_BYTES = 16 << 20 };

typedef struct {
    const char *name;     /* for messages: "onnxruntime: block_07.onnx" */
    char *const *words;   /* program (found by PATH) and arguments, then NULL */
    int core_count;       /* pinned to the first of our allowed cores; 0: as we are */
    double limit_seconds; /* above 0 */
} sq_process_options;

typedef struct {
    char *text; /* stdout and stderr as they came, with a zero byte behind; zero bytes in it became '?' */
    size_t bytes;
    bool is_cut; /* the last SQ_PROCESS_KEPT_BYTES of more */
    int cores;   /* that it was pinned to: core_count, or as many as are allowed; 0: not pinned */
} sq_process_output;

/* Runs the program to its end. It reads nothing, has its own process group, and nothing of that group outlives the
 * call, however it ends.
 *
 * returns   SQ_IO: not started ("command 'x' not found"); SQ_DEVICE: exit status, signal or the time limit, with the
 *           last line that it printed; SQ_INTERRUPTED: a signal asked us to stop
 * cost      blocks; wakes up 20 times a second */
SQ_MUST_USE sq_status sq_process_run(sq_process_output *out, const sq_process_options *options);
void sq_process_clear(sq_process_output *output); /* frees the text */

/* The last line that is not blank, made fit for a message (at most `bytes` - 1, printable). Returns line. */
char *sq_process_last_line(char *line, size_t bytes, const char *text);

#endif
