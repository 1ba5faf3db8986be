/* squall watch */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "supernet/train/signals.h"
#include "tools/commands/commands.h"
#include "tools/report/report.h"
#include "tools/report/watch.h"

enum { TICK_MS = 250, LINE_BYTES = 1024, PLAIN_WIDTH = 80 };

typedef struct {
    const char *latency;
    int port; /* 0: any free port */
    bool is_once, is_served;
} arguments;

typedef struct {
    sq_live live;
    bool is_once, is_terminal, is_ended;
    int shown, width, height; /* the number of the reading that is shown, and the size of the view */
    char line[LINE_BYTES];    /* the last line that was written to a pipe */
} watch;

/* ---- Showing ---- */

static void measure_terminal(watch *w)
{
    struct winsize size = {0};
    const bool is_known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    w->width = is_known ? size.ws_col : PLAIN_WIDTH;
    w->height = is_known && size.ws_row > 1 ? size.ws_row - 1 : 0;
}

/* Returns the last run, which is the current stage of a search in stages. */
static const json_t *present(const watch *w)
{
    const json_t *runs = json_object_get(w->live.data, "runs");
    return json_array_get(runs, json_array_size(runs) - 1);
}

/* Overwrites the screen from the upper left corner, and clears the rest of each line and of the screen, so that the
 * screen does not flicker and no old text remains after the terminal is resized. */
static void put_screen(const char *text)
{
    (void)fputs("\033[H", stdout);
    for (; *text; text++) {
        if (*text == '\n')
            (void)fputs("\033[K", stdout);
        (void)fputc(*text, stdout);
    }
    (void)fputs("\033[J", stdout);
}

static sq_status show_screen(watch *w)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    if (!file)
        return sq_fail(SQ_NO_MEMORY, "watch");
    w->is_ended = sq_watch_view(file, present(w), w->width, w->height);
    if (fclose(file) != 0) {
        free(text);
        return sq_fail(SQ_NO_MEMORY, "watch");
    }
    if (w->is_once)
        (void)fwrite(text, 1, bytes, stdout); /* fflush later returns the error */
    else
        put_screen(text);
    free(text);
    return SQ_OK;
}

/* Prints the line of the run if the text differs from the last printed line. */
static void show_line(watch *w)
{
    char line[LINE_BYTES];
    w->is_ended = sq_watch_line(line, sizeof line, present(w));
    if (strcmp(line, w->line) != 0)
        (void)printf("%s\n", line);
    (void)snprintf(w->line, sizeof w->line, "%s", line);
}

/* Returns SQ_INTERRUPTED without an error text if the reader of the pipe has exited. */
static sq_status show(watch *w)
{
    measure_terminal(w);
    w->shown = w->live.readings;
    if (w->is_terminal || w->is_once)
        SQ_TRY(show_screen(w));
    else
        show_line(w);
    return fflush(stdout) == 0 ? SQ_OK : SQ_INTERRUPTED;
}

/* ---- The loop ---- */

static void wait_a_tick(sq_server *server)
{
    const struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
    if (server)
        sq_server_run(server, TICK_MS);
    else
        (void)nanosleep(&tick, NULL); /* a signal ends the sleep early */
}

static sq_status loop(watch *w, sq_server *server)
{
    SQ_TRY(show(w));
    while (!w->is_once && !sq_signals_received() && !(w->is_ended && !server && !w->is_terminal)) {
        const int width = w->width, height = w->height;
        wait_a_tick(server);
        sq_live_refresh(&w->live);
        measure_terminal(w);
        if (w->shown != w->live.readings || w->width != width || w->height != height)
            SQ_TRY(show(w));
    }
    return SQ_OK;
}

static sq_status run_watch(watch *w, bool is_served, int port)
{
    sq_server *server = NULL;
    sq_status status = sq_live_read(&w->live); /* refuses a folder without a run before the server starts */
    if (status == SQ_OK && is_served)
        status = sq_server_start(&server, &w->live, port);
    if (status == SQ_OK && server) {
        (void)fprintf(stderr, "live report: %s\n", sq_server_address(server));
        w->is_terminal = false; /* prints lines below the address instead of a full screen */
    }
    if (status == SQ_OK)
        status = loop(w, server);
    sq_server_stop(server);
    return status;
}

static int run(const sq_options *options, const void *given)
{
    const arguments *a = given;
    const char *const devices[] = {a->latency, NULL};
    watch w = {.is_once = a->is_once};
    w.live = (sq_live){.run = options->arguments[0], .devices = devices};
    w.is_terminal = isatty(STDOUT_FILENO) == 1;
    (void)signal(SIGPIPE, SIG_IGN); /* a write then fails, and show() returns the error */
    const sq_status status = run_watch(&w, a->is_served, a->port);
    sq_live_clear(&w.live);
    return status == SQ_OK || status == SQ_INTERRUPTED ? 0 : sq_command_fail("watch", status);
}

static const sq_option options[] = {SQ_FLAG("--serve", is_served), SQ_INT("--port", port, 0, 65535),
                                    SQ_FLAG("--once", is_once), SQ_TEXT("--latency", latency), SQ_OPTIONS_END};

const sq_command sq_command_watch = {
    .name = "watch", SQ_ARGUMENTS(.port = 0), .argument_min = 1, .argument_max = 1, .expected = "one run", .run = run};
