/* The interface between count_launches.c, which plans launches, and count_machine.cpp, which runs some blocks of each
 * launch from nvcc's PTX. */
#ifndef COUNT_MACHINE_H
#define COUNT_MACHINE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Reads every *.ptx file in a folder. Returns 0, or prints an error and returns 1. */
int count_open(const char *ptx_folder);
/* Sets the first columns of the CSV rows of the next planned launch. If prefix is NULL, launches are no longer
 * counted. */
void count_begin(const char *prefix);
/* Returns the rows since count_begin, each with its newline. The text is valid until the next count_begin. Returns NULL
 * if a kernel could not run; the reason is on stderr. */
const char *count_rows(void);
const char *count_columns(void); /* names of the columns after the prefix */

#ifdef __cplusplus
}
#endif
#endif
