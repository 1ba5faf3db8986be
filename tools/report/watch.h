#ifndef SQ_WATCHDOG_H
#define SQ_WATCHDOG_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "kernels/base/status.h"

/* These functions show a run while it is running: periodic reading (live.c), the view in a terminal (watch_view.c), and
 * the live report (serve.c). */

/* ---- Reading ---- */

/* The last reading of a run. */
typedef struct {
    const char *run, *const *devices; /* the run's folder; more folders of devices, ends with NULL; borrowed */
    json_t *data;                     /* the last reading as JSON; NULL before the first; freed by sq_live_clear */
    int readings;                     /* number of successful readings */
    double next_seconds;              /* time of the next reading */
} sq_live;

/* Reads the run and sets the time of the next reading, also after a failure. The pause is ten times the duration of
 * this reading, limited to 1 to 30 seconds. Returns the status of sq_report_run; a failure keeps the old `data`. */
SQ_MUST_USE sq_status sq_live_read(sq_live *live);
/* Reads the run again if the time of the next reading has come. A failure keeps the old data. */
void sq_live_refresh(sq_live *live);
void sq_live_clear(sq_live *live);

/* ---- Showing ---- */

/* Writes the view of a run from sq_report_run as lines of at most `width` columns, each with a final '\n'.
 *
 * width   columns, at least 20; longer lines are truncated
 * height  largest number of lines; 0: no limit
 * returns whether the run is finished: trained, and searched if it has a search */
bool sq_watch_view(FILE *file, const json_t *run, int width, int height);

/* Writes one line, for pipes: "step 800/4000  loss 1.23  top-1 61.0 %  1,204 images/s  80 candidates, best 85.17 %".
 * Returns the same as sq_watch_view. */
bool sq_watch_line(char *text, size_t bytes, const json_t *run);

/* Writes a sparkline: block characters of eight heights for the means of `width` equal parts of the values. NaN values
 * are skipped. */
void sq_watch_sparkline(FILE *file, const json_t *values, int width);

/* ---- The server ---- */

typedef struct sq_server sq_server;

/* Serves the live report of a run on 127.0.0.1 only, until sq_server_stop. The server answers only GET
 * requests for /<token>/ and /<token>/data with the host 127.0.0.1:<port> or localhost:<port>. The server writes
 * nothing and serves no files. The token has 128 random bits.
 *
 * live    borrowed; must have been read at least once; each request refreshes the reading
 * port    0: any free port
 * returns SQ_UNSUPPORTED without libmicrohttpd; SQ_IO: the port is in use, or there are no random bytes */
SQ_MUST_USE sq_status sq_server_start(sq_server **out, sq_live *live, int port);
void sq_server_stop(sq_server *server); /* accepts NULL */
/* Returns the address, such as "http://127.0.0.1:40001/3f.../", which is valid until sq_server_stop. */
const char *sq_server_address(const sq_server *server);
/* Answers requests for at most `milliseconds`. A signal ends the call earlier. */
void sq_server_run(sq_server *server, int milliseconds);

#endif
