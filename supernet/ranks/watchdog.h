#ifndef SQ_WATCHDOG_H
#define SQ_WATCHDOG_H

/* For a call that nobody can take back: MPI's own beginning and end wait for all ranks, without a limit. If it is not
 * over in time, the process ends: "squall: <text>" on stderr, and the exit code, 0: that of SQ_COMMUNICATION. */

typedef struct sq_watchdog sq_watchdog;

/* text is copied. NULL when there is no memory or thread for it: then nobody watches. */
sq_watchdog *sq_watchdog_start(double seconds, const char *text, int exit_code);
void sq_watchdog_stop(sq_watchdog *watch); /* accepts NULL */

#endif
