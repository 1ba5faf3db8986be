#ifndef SQ_MEASURED_H
#define SQ_MEASURED_H

#include <stddef.h>

#include "kernels/base/status.h"

/* Whole networks measured on a device: for checking a latency table, or for fitting one. */

typedef struct {
    size_t count;      /* measurements; an architecture may occur more than once */
    int layers;        /* of an architecture */
    int *paths;        /* [count * layers], numbers >= 0; row i belongs to ms[i] */
    int *lines;        /* [count] line of the file, for messages */
    double *ms;        /* [count] milliseconds, > 0 */
    double *deviation; /* [count] standard deviation in milliseconds, 0 where the file has none */
} sq_measured;

/* Reads a CSV with a header: a column `arch`, a column of times, any others.
 *
 * column   name of the times' column, or NULL: "ms", "us" or "s". A name that ends in _ms, _us or _s says its unit; any
 *          other name (a device's) is in milliseconds. A name without unit also finds the column name_ms, name_us,
 *          name_s. Deviations come from name_std (device), name_std_ms (name_ms) or std_ms (ms), in the same unit.
 * arch     a tuple "(2, 1, 0)" or "2,1,0" in quotes, 2;1;0, or bare digits with one digit per layer: 78184888
 * returns  SQ_INVALID "file:line: what": no such column, an empty arch, a different number of layers than in the first
 * row, a time that is not a finite number above 0, a deviation below 0, no rows
 *
 * Empty lines and lines that begin with # are skipped. Free with sq_measured_free. */
SQ_MUST_USE sq_status sq_measured_read(sq_measured **out, const char *path, const char *column);
void sq_measured_free(sq_measured *measured); /* accepts NULL */

/* One more than the largest number at each position, into limits[layers]. */
void sq_measured_limits(const sq_measured *measured, int *limits);

#endif
