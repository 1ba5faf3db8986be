#ifndef SQ_CLOCK_H
#define SQ_CLOCK_H

#include <time.h>

/* Seconds of a clock that only runs forward; differences count. For progress lines and measurements, never for results.
 */
static inline double sq_seconds_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail with this clock */
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif
