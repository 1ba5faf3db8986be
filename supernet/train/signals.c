/* Signals set a flag; loops look at it. */
#include "supernet/train/signals.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t asked;

static void remember(int number)
{
    if (asked == SIGINT && number == SIGINT)
        _exit(130); /* asked twice: at once */
    asked = number;
}

void sq_signals_listen(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGUSR1};
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = remember;
    action.sa_flags = SA_RESTART;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        (void)sigaction(signals[i], &action, NULL); /* these can be caught */
    action.sa_handler = SIG_IGN; /* a file over the limit is an error of write(), told like a full disk */
    (void)sigaction(SIGXFSZ, &action, NULL);
}

bool sq_signals_received(void)
{
    return asked != 0;
}

const char *sq_signals_name(void)
{
    return asked == SIGINT ? "SIGINT" : asked == SIGTERM ? "SIGTERM" : asked == SIGUSR1 ? "SIGUSR1" : "";
}
