#include "supernet/ranks/watchdog.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "kernels/base/status.h"

struct sq_watchdog {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    struct timespec end;
    bool is_over;
    int exit_code;
    char text[256];
};

static void *watchdog(void *context)
{
    sq_watchdog *w = context;
    int waited = 0;
    (void)pthread_mutex_lock(&w->lock); /* locking and unlocking cannot fail */
    while (!w->is_over && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&w->ended, &w->lock, &w->end);
    if (!w->is_over) {
        (void)fprintf(stderr, "squall: %s\n", w->text);
        _exit(w->exit_code); /* not exit(), because atexit functions could wait for the same ranks */
    }
    (void)pthread_mutex_unlock(&w->lock);
    return NULL;
}

sq_watchdog *sq_watchdog_start(double seconds, const char *text, int exit_code)
{
    sq_watchdog *w = calloc(1, sizeof *w);
    pthread_condattr_t monotonic;
    double whole;
    if (!w)
        return NULL;
    w->exit_code = exit_code ? exit_code : sq_exit_code(SQ_COMMUNICATION);
    (void)snprintf(w->text, sizeof w->text, "%s", text);
    (void)pthread_mutex_init(&w->lock, NULL); /* cannot fail with default attributes */
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->ended, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    (void)clock_gettime(CLOCK_MONOTONIC, &w->end);
    const double end = modf((double)w->end.tv_nsec / 1e9 + seconds, &whole);
    w->end.tv_sec += (time_t)whole;
    w->end.tv_nsec = (long)(end * 1e9);
    if (pthread_create(&w->thread, NULL, watchdog, w) == 0)
        return w;
    free(w);
    return NULL;
}

void sq_watchdog_stop(sq_watchdog *w)
{
    if (!w)
        return;
    (void)pthread_mutex_lock(&w->lock);
    w->is_over = true;
    (void)pthread_cond_signal(&w->ended);
    (void)pthread_mutex_unlock(&w->lock);
    (void)pthread_join(w->thread, NULL);
    (void)pthread_cond_destroy(&w->ended);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}
