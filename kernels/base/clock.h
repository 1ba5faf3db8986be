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

/* A short sleep between two looks at something that another process does. */
static inline void sq_pause(void)
{
    (void)nanosleep(&(struct timespec){0, 50000}, NULL); /* woken earlier: looks earlier */
}

/* The same for who has waited `seconds` already: none in the first millisecond, which is what most reductions take. */
static inline void sq_pause_after(double seconds)
{
    if (seconds > 1e-3)
        sq_pause();
}

#endif
