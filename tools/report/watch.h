#ifndef SQ_WATCH_H
#define SQ_WATCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "kernels/base/status.h"

/* A run as it goes on: in a terminal (watch_view.c), and as the report on this machine's own address (serve.c). */

/* What a view shows, out of a run as sq_report_run has it: lines of at most `width` columns, each ended by '\n'.
 *
 * width   columns, at least 20; what is longer is cut
 * height  most lines; 0: any
 * returns whether the run has come to its end: trained, and searched if it has a search */
bool sq_watch_view(FILE *file, const json_t *run, int width, int height);

/* One line, for pipes: "step 800/4000  loss 1.23  top-1 61.0 %  1,204 images/s  80 of 140 candidates, best 85.17 %". */
void sq_watch_line(char *text, size_t bytes, const json_t *run);

/* Blocks of eight heights for the means of `width` equal parts of the values; those that are no numbers are passed
 * over. */
void sq_watch_sparkline(FILE *file, const json_t *values, int width);

/* ---- The server ---- */

typedef struct sq_server sq_server;

/* Serves the live report of a run on 127.0.0.1 and nowhere else, until sq_server_stop. Only GET of /<token>/ and
 * /<token>/data is answered, and only for the Host 127.0.0.1:<port> or localhost:<port>; nothing is ever written, no
 * file is handed out. The token is 128 random bits.
 *
 * port    0: one that is free
 * devices more folders to look for devices in, ended by NULL; borrowed
 * returns SQ_UNSUPPORTED without libmicrohttpd; SQ_IO: the port is taken, or there is no randomness */
SQ_MUST_USE sq_status sq_server_start(sq_server **out, const char *run, const char *const *devices, int port);
void sq_server_stop(sq_server *server); /* accepts NULL */
/* "http://127.0.0.1:40001/3f.../"; lives as long as the server. */
const char *sq_server_address(const sq_server *server);
/* Answers what is asked for, for at most so long. A signal ends it early. */
void sq_server_run(sq_server *server, int milliseconds);

#endif
