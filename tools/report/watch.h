#ifndef SQ_WATCHDOG_H
#define SQ_WATCHDOG_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "kernels/base/status.h"

/* A run as it goes on (live.c): in a terminal (watch_view.c), and as the report on this machine's own address
 * (serve.c).
 */

/* ---- Reading ---- */

/* The run, as old as `next_seconds` allows. */
typedef struct {
    const char *run, *const *devices; /* its folder; more folders to look for devices in, ended by NULL; borrowed */
    json_t *data;                     /* the page's, as it was read last; NULL before; freed by sq_live_clear */
    int readings;                     /* that came to their end */
    double next_seconds;              /* of the clock: when it is read again */
} sq_live;

/* Reads the run, and says when it is time to do so again: ten times as long as it took, 1 to 30 seconds, also after a
 * failure. Returns what sq_report_run does; `data` is then what it was. */
SQ_MUST_USE sq_status sq_live_read(sq_live *live);
/* Reads it again when it is time; where that fails, what was read stays. */
void sq_live_refresh(sq_live *live);
void sq_live_clear(sq_live *live);

/* ---- Showing ---- */

/* What a view shows, out of a run as sq_report_run has it: lines of at most `width` columns, each ended by '\n'.
 *
 * width   columns, at least 20; what is longer is cut
 * height  most lines; 0: any
 * returns whether the run has come to its end: trained, and searched if it has a search */
bool sq_watch_view(FILE *file, const json_t *run, int width, int height);

/* One line, for pipes: "step 800/4000  loss 1.23  top-1 61.0 %  1,204 images/s  80 candidates, best 85.17 %". Returns
 * as sq_watch_view does. */
bool sq_watch_line(char *text, size_t bytes, const json_t *run);

/* Blocks of eight heights for the means of `width` equal parts of the values; those that are no numbers are passed
 * over. */
void sq_watch_sparkline(FILE *file, const json_t *values, int width);

/* ---- The server ---- */

typedef struct sq_server sq_server;

/* Serves the live report of a run that was read once on 127.0.0.1 and nowhere else, until sq_server_stop. Only GET of
 * /<token>/ and
 * /<token>/data is answered, and only for the Host 127.0.0.1:<port> or localhost:<port>; nothing is ever written, no
 * file is handed out. The token is 128 random bits.
 *
 * live    borrowed; who asks for the page refreshes it
 * port    0: one that is free
 * returns SQ_UNSUPPORTED without libmicrohttpd; SQ_IO: the port is taken, or there is no randomness */
SQ_MUST_USE sq_status sq_server_start(sq_server **out, sq_live *live, int port);
void sq_server_stop(sq_server *server); /* accepts NULL */
/* "http://127.0.0.1:40001/3f.../"; lives as long as the server. */
const char *sq_server_address(const sq_server *server);
/* Answers what is asked for, for at most so long. A signal ends it early. */
void sq_server_run(sq_server *server, int milliseconds);

#endif
