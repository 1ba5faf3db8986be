/* Replaces serve.c in a build without libmicrohttpd. */
#include "tools/report/watch.h"

sq_status sq_server_start(sq_server **out, sq_live *live, int port)
{
    (void)out;
    (void)port;
    return sq_fail(SQ_UNSUPPORTED, "%s: --serve: this build has no libmicrohttpd", live->run);
}

void sq_server_stop(sq_server *server)
{
    (void)server;
}

const char *sq_server_address(const sq_server *server)
{
    (void)server;
    return "";
}

void sq_server_run(sq_server *server, int milliseconds)
{
    (void)server;
    (void)milliseconds;
}
