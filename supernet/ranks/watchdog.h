#ifndef SQ_WATCHDOG_H
#define SQ_WATCHDOG_H

/* A watchdog timer for calls without a time limit: MPI_Init and MPI_Finalize wait for all ranks. If it is not stopped
 * in time, the process prints "squall: <text>" on stderr and exits. */

typedef struct sq_watchdog sq_watchdog;

/* text is copied. exit_code 0: the exit code of SQ_COMMUNICATION. Returns NULL without memory or a thread; then there
 * is no time limit. */
sq_watchdog *sq_watchdog_start(double seconds, const char *text, int exit_code);
void sq_watchdog_stop(sq_watchdog *watchdog); /* accepts NULL */

#endif
