#ifndef SQ_WATCHDOG_H
#define SQ_WATCHDOG_H

/* A watchdog timer for MPI_Init and MPI_Finalize, which wait for all ranks without a time limit. If the watchdog is not
 * stopped in time, the process prints "squall: <text>" on stderr and exits. */

typedef struct sq_watchdog sq_watchdog;

/* Starts a timer of `seconds`. text is copied. exit_code 0: the exit code of SQ_COMMUNICATION. Returns NULL if memory
 * or a thread is not available; the process then runs without a time limit. */
sq_watchdog *sq_watchdog_start(double seconds, const char *text, int exit_code);
void sq_watchdog_stop(sq_watchdog *watchdog); /* accepts NULL */

#endif
