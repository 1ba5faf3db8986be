#ifndef SQ_WATCH_H
#define SQ_WATCH_H

/* For a call that nobody can take back: MPI's own beginning and end wait for all ranks, without a limit. If it is not
 * over in time, the process ends: "squall: <text>" on stderr, and the exit code, 0: that of SQ_COMMUNICATION. */

typedef struct sq_watch sq_watch;

/* text is copied. NULL when there is no memory or thread for it: then nobody watches. */
sq_watch *sq_watch_begin(double seconds, const char *text, int exit_code);
void sq_watch_end(sq_watch *watch); /* accepts NULL */

#endif
