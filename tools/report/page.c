/* Writes the page. Security: text of a run enters the page only in escaped form, as JSON without <, > and & or as the
 * title, and the scripts insert the text only as text, never as HTML. The browser runs only scripts with the page's
 * nonce, and the page loads nothing from other sites. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/text.h"
#include "search/cost/fit/svg.h"
#include "tools/report/report.h"

static const sq_asset *find(const char *name)
{
    const sq_asset *a = sq_report_assets;
    while (a->name && strcmp(a->name, name) != 0)
        a++;
    return a;
}

static void put_asset(FILE *file, const sq_asset *a)
{
    if (a->bytes)
        (void)fwrite(a->data, 1, a->bytes, file); /* the caller checks the stream's errors at the end */
}

/* Writes <, > and & as \u003c and so on. The result is valid JSON, but cannot close the element that contains the
 * JSON. */
static void put_json(FILE *file, const char *text)
{
    for (size_t length = strcspn(text, "<>&"); *text; length = strcspn(text, "<>&")) {
        (void)fwrite(text, 1, length, file);
        text += length;
        if (*text)
            (void)fprintf(file, "\\u%04x", (unsigned)*text++);
    }
}

static void put_script(FILE *file, const char *name, uint64_t nonce)
{
    const sq_asset *a = find(name);
    if (a->bytes == 0)
        return;
    (void)fprintf(file, "<script nonce=\"%016" PRIx64 "\">\n", nonce);
    put_asset(file, a);
    (void)fprintf(file, "</script>\n");
}

static void put_head(FILE *file, const json_t *data, uint64_t nonce, bool is_live)
{
    const json_t *first = json_array_get(json_object_get(data, "runs"), 0);
    const char *name = json_string_value(json_object_get(first, "name"));
    (void)fprintf(file,
                  "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                  "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; connect-src %s; "
                  "img-src data:; style-src 'unsafe-inline'; script-src 'nonce-%016" PRIx64 "'\">\n"
                  "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                  "<meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n<title>",
                  is_live ? "'self'" : "'none'", nonce);
    sq_svg_text(file, name ? name : "run", 100);
    (void)fprintf(file, " \xc2\xb7 Squall</title>\n<style>\n");
    put_asset(file, find("page.css"));
    (void)fprintf(file, "</style>\n</head>\n");
}

char *sq_report_dump(const json_t *data)
{
    return json_dumps(data, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(7));
}

sq_status sq_report_page(FILE *file, const json_t *data, bool is_live)
{
    static const char *const scripts[] = {"base.js", "charts.js", "training.js", "search.js", "network.js", "page.js"};
    char *text = sq_report_dump(data);
    if (!text)
        return sq_fail(SQ_NO_MEMORY, "report: JSON");
    const uint64_t nonce = sq_hash(SQ_HASH_START, text, strlen(text)); /* a text cannot contain its own hash */
    put_head(file, data, nonce, is_live);
    put_asset(file, find("page.html"));
    (void)fprintf(file, "<script type=\"application/json\" id=\"data\">");
    put_json(file, text);
    (void)fprintf(file, "</script>\n");
    if (find("chart.js")->bytes) {
        put_script(file, "chart-licence.js", nonce);
        put_script(file, "chart.js", nonce);
    }
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
        put_script(file, scripts[i], nonce);
    (void)fprintf(file, "</body>\n</html>\n");
    free(text);
    return SQ_OK;
}
