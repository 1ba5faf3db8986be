#include "supernet/train/signals.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t received;

static void record(int number)
{
    if (received == SIGINT && number == SIGINT)
        _exit(130); /* 128 + SIGINT, at the second SIGINT */
    received = number;
}

void sq_signals_listen(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGUSR1};
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = record;
    action.sa_flags = SA_RESTART;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        (void)sigaction(signals[i], &action, NULL); /* cannot fail for these signals */
    action.sa_handler = SIG_IGN;                    /* then write() returns an error for a file over the size limit */
    (void)sigaction(SIGXFSZ, &action, NULL);
}

bool sq_signals_received(void)
{
    return received != 0;
}

const char *sq_signals_name(void)
{
    return received == SIGINT ? "SIGINT" : received == SIGTERM ? "SIGTERM" : received == SIGUSR1 ? "SIGUSR1" : "";
}
