/* Between count_launches.c, which plans, and count_machine.cpp, which runs blocks of a launch from nvcc's PTX. */
#ifndef COUNT_MACHINE_H
#define COUNT_MACHINE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Reads every *.ptx of a folder. Returns 0, or 1 after a line on stderr. */
int count_open(const char *ptx_folder);
/* Sets the first columns of the CSV rows of one planned launch; NULL: launches are not counted. */
void count_begin(const char *prefix);
/* Rows since count_begin, each with its newline; valid until the next count_begin. NULL: a kernel could not be run, and a
 * line on stderr says why. */
const char *count_rows(void);
const char *count_columns(void); /* of the rows, after the prefix */

#ifdef __cplusplus
}
#endif
#endif
