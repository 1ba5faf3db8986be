#ifndef SQ_SIGNALS_H
#define SQ_SIGNALS_H

#include <stdbool.h>

/* SIGINT, SIGTERM and SIGUSR1 request that a loop finishes its current step, saves and stops. Every long loop polls
 * sq_signals_received. A second SIGINT ends the process at once. */
void sq_signals_listen(void);
bool sq_signals_received(void);
const char *sq_signals_name(void); /* "SIGTERM", for messages; "" if no signal was received */

#endif
