/* The interface between count_launches.c, which plans launches, and count_machine.cpp, which runs blocks of a launch
 * from nvcc's PTX. */
#ifndef COUNT_MACHINE_H
#define COUNT_MACHINE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Reads every *.ptx of a folder. Returns 0, or prints an error and returns 1. */
int count_open(const char *ptx_folder);
/* Sets the first columns of the CSV rows of one planned launch. NULL: stop counting launches. */
void count_begin(const char *prefix);
/* Rows since count_begin, each with its newline; valid until the next count_begin. NULL: a kernel could not run; the
 * reason is on stderr. */
const char *count_rows(void);
const char *count_columns(void); /* of the rows, after the prefix */

#ifdef __cplusplus
}
#endif
#endif
