#ifndef SQ_INTERRUPT_H
#define SQ_INTERRUPT_H

#include <stdbool.h>

/* SIGINT, SIGTERM and SIGUSR1 ask a loop to finish what it is doing, save and stop. Every long loop polls. A second
 * SIGINT ends the process at once. */
void sq_interrupt_listen(void);
bool sq_interrupt_asked(void);
const char *sq_interrupt_name(void); /* "SIGTERM", for the message; "" when none came */

#endif
