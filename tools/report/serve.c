/* Serves the live report. Security: a request is checked before any part of it is used. No request can make the server
 * read a file outside the run or write a file. */
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "tools/report/report.h"
#include "tools/report/watch.h"

enum { TOKEN_BYTES = 16 };

struct sq_server {
    struct MHD_Daemon *daemon;
    char token[2 * TOKEN_BYTES + 1], hosts[2][32], address[128];
    sq_live *live; /* borrowed */
};

/* ---- Responses ---- */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned code, char *text, size_t bytes,
                              const char *type)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(bytes, text, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        free(text);
        return MHD_NO;
    }
    const bool is_ready =
        MHD_add_response_header(response, "Content-Type", type) == MHD_YES &&
        MHD_add_response_header(response, "Cache-Control", "no-store") == MHD_YES &&
        MHD_add_response_header(response, "X-Content-Type-Options", "nosniff") == MHD_YES &&
        MHD_add_response_header(response, "Referrer-Policy", "no-referrer") == MHD_YES &&
        MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin") == MHD_YES &&
        MHD_add_response_header(response, "Content-Security-Policy", "frame-ancestors 'none'") == MHD_YES;
    const enum MHD_Result result = is_ready ? MHD_queue_response(connection, code, response) : MHD_NO;
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned code, const char *why)
{
    char *text = strdup(why);
    return text ? answer(connection, code, text, strlen(text), "text/plain; charset=utf-8") : MHD_NO;
}

static enum MHD_Result send_page(sq_server *s, struct MHD_Connection *connection)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    const sq_status status = file ? sq_report_page(file, s->live->data, true) : sq_fail(SQ_NO_MEMORY, "page");
    if (file && fclose(file) == 0 && status == SQ_OK)
        return answer(connection, MHD_HTTP_OK, text, bytes, "text/html; charset=utf-8");
    free(text);
    return refuse(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "no memory\n");
}

static enum MHD_Result send_data(sq_server *s, struct MHD_Connection *connection)
{
    char *text = sq_report_dump(s->live->data);
    return text ? answer(connection, MHD_HTTP_OK, text, strlen(text), "application/json")
                : refuse(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "no memory\n");
}

/* ---- Checks ---- */

/* Compares every byte, so that the time does not depend on the number of equal bytes. */
static bool is_token(const sq_server *s, const char *path)
{
    unsigned char difference = 0;
    if (strlen(path) < sizeof s->token - 1)
        return false;
    for (size_t i = 0; i < sizeof s->token - 1; i++)
        difference |= (unsigned char)(path[i] ^ s->token[i]);
    return difference == 0;
}

/* Returns whether a request names a host of this server. Requests with other host names come from other sites that
 * resolve to this machine (DNS rebinding). */
static bool is_own_host(const sq_server *s, const char *host)
{
    return host && (strcmp(host, s->hosts[0]) == 0 || strcmp(host, s->hosts[1]) == 0);
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *upload, size_t *upload_bytes, void **state)
{
    sq_server *s = context;
    (void)version;
    (void)upload;
    (void)state;
    if (*upload_bytes) { /* the request is refused, so its body is not read */
        *upload_bytes = 0;
        return MHD_YES;
    }
    if (!is_own_host(s, MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host")))
        return refuse(connection, MHD_HTTP_FORBIDDEN, "another host's name\n");
    if (strcmp(method, "GET") != 0)
        return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET\n");
    if (url[0] != '/' || !is_token(s, url + 1))
        return refuse(connection, MHD_HTTP_NOT_FOUND, "no such page\n");
    const char *name = url + sizeof s->token;
    if (strcmp(name, "/") != 0 && strcmp(name, "/data") != 0)
        return refuse(connection, MHD_HTTP_NOT_FOUND, "no such page\n");
    sq_live_refresh(s->live);
    return strcmp(name, "/") == 0 ? send_page(s, connection) : send_data(s, connection);
}

/* ---- Start and stop ---- */

static sq_status make_token(sq_server *s)
{
    unsigned char bytes[TOKEN_BYTES];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return sq_fail(SQ_IO, "watch: random bytes: %s", strerror(errno));
    for (size_t i = 0; i < sizeof bytes; i++)
        (void)snprintf(s->token + 2 * i, 3, "%02x", bytes[i]);
    return SQ_OK;
}

static sq_status listen_at(sq_server *s, int port)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->daemon = MHD_start_daemon(MHD_NO_FLAG, 0, NULL, NULL, handle, s, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&own,
                                 MHD_OPTION_CONNECTION_LIMIT, 32u, MHD_OPTION_CONNECTION_TIMEOUT, 20u, MHD_OPTION_END);
    if (!s->daemon)
        return sq_fail(SQ_IO, "watch: 127.0.0.1:%d: %s", port, strerror(errno));
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT);
    const unsigned bound = info ? info->port : (unsigned)port;
    (void)snprintf(s->hosts[0], sizeof s->hosts[0], "127.0.0.1:%u", bound);
    (void)snprintf(s->hosts[1], sizeof s->hosts[1], "localhost:%u", bound);
    (void)snprintf(s->address, sizeof s->address, "http://%s/%s/", s->hosts[0], s->token);
    return SQ_OK;
}

sq_status sq_server_start(sq_server **out, sq_live *live, int port)
{
    sq_server *s = calloc(1, sizeof *s);
    if (!s)
        return sq_fail(SQ_NO_MEMORY, "watch: server");
    s->live = live;
    sq_status status = make_token(s);
    if (status == SQ_OK)
        status = listen_at(s, port);
    if (status == SQ_OK)
        *out = s;
    else
        sq_server_stop(s);
    return status;
}

void sq_server_stop(sq_server *s)
{
    if (!s)
        return;
    if (s->daemon)
        MHD_stop_daemon(s->daemon);
    free(s);
}

const char *sq_server_address(const sq_server *s)
{
    return s->address;
}

void sq_server_run(sq_server *s, int milliseconds)
{
    (void)MHD_run_wait(s->daemon, milliseconds); /* a signal ends the call; the caller checks for signals */
}
