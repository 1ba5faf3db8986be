#ifndef SQ_CLOCK_H
#define SQ_CLOCK_H

#include <time.h>

/* Seconds of a monotonic clock; only differences are meaningful. For progress lines and measurements, never for
 * results. */
static inline double sq_seconds_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail with this clock */
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A short sleep (50 us) in a loop that polls another process. */
static inline void sq_pause(void)
{
    (void)nanosleep(&(struct timespec){0, 50000}, NULL); /* a signal may end it early */
}

/* The same, but does not sleep in the first millisecond of polling, in which most reductions end. `seconds`: the time
 * since polling started. */
static inline void sq_pause_after(double seconds)
{
    if (seconds > 1e-3)
        sq_pause();
}

#endif
