#ifndef SQ_CLOCK_H
#define SQ_CLOCK_H

#include <time.h>

/* Returns the time of a monotonic clock in seconds. Only differences between two times are meaningful. Progress lines
 * and measurements use the clock, results never do. */
static inline double sq_seconds_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail with this clock */
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Sleeps for 50 us, in a loop that polls another process. */
static inline void sq_pause(void)
{
    (void)nanosleep(&(struct timespec){0, 50000}, NULL); /* a signal may end the sleep early */
}

/* Does nothing in the first millisecond of polling, because most reductions end within that time. After the first
 * millisecond, sleeps like sq_pause. `seconds`: the time since polling started. */
static inline void sq_pause_after(double seconds)
{
    if (seconds > 1e-3)
        sq_pause();
}

#endif
