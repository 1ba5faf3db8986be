#ifndef SQ_MEASURED_H
#define SQ_MEASURED_H

#include <stddef.h>

#include "kernels/base/status.h"

/* Reads latencies of whole networks that were measured on a device. They serve to check a latency table or to fit
 * one. */

typedef struct {
    size_t count;      /* measurements; an architecture may occur more than once */
    int layers;        /* of an architecture */
    int *paths;        /* [count * layers] choices >= 0; row i belongs to ms[i] */
    int *lines;        /* [count] line of the file, for messages */
    double *ms;        /* [count] milliseconds, > 0 */
    double *deviation; /* [count] standard deviation in milliseconds, 0 where the file has none */
} sq_measured;

/* Reads a CSV file with a header. The file has a column `arch`, a column of times, and any other columns.
 *
 * column   name of the column of times; NULL: the first of "ms", "us" and "s" that the header has. If no column has the
 *          name, the columns <name>_ms, <name>_us and <name>_s are tried. The times of a column whose name ends in _ms,
 *          _us or _s are in that unit; all other columns are in milliseconds. Deviations have the same unit. They come
 *          from the column <name>_std for a column <name>, from <name>_std_ms for <name>_ms, and from std_ms for ms.
 * arch     a tuple "(2, 1, 0)" or "2,1,0" in quotes, 2;1;0, or bare digits with one digit per layer: 78184888
 * returns  SQ_INVALID "file:line: what": no such column, an empty arch, a different number of layers than in the first
 *          row, a time that is not a finite number above 0, a deviation below 0, no rows
 *
 * Empty lines and lines that begin with # are skipped. Free with sq_measured_free. */
SQ_MUST_USE sq_status sq_measured_read(sq_measured **out, const char *path, const char *column);
void sq_measured_free(sq_measured *measured); /* accepts NULL */

/* Sets each limits[layer] to one more than the layer's largest choice among the measurements. */
void sq_measured_limits(const sq_measured *measured, int *limits);

#endif
