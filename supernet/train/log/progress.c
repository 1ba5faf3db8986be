
#include "supernet/train/log/progress.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "kernels/base/retry.h"
#include "kernels/base/text.h"

enum { LINE_BYTES = 16384 };

struct sq_progress {
    char path[SQ_PATH_BYTES];
    size_t log_bytes; /* size of the file's complete lines */
    int retries;
    bool is_quiet, is_terminal, has_line;
};

/* Whether the line is incomplete, or a run that resumes after step `from` writes the line again. */
static bool is_stale(const char *line, int64_t from)
{
    const char *key = strstr(line, "\"step\":");
    if (!strchr(line, '\n'))
        return true;
    return from == 0 || (from > 0 && (!key || strtoll(key + 7, NULL, 10) > from));
}

/* Truncates the file before the first stale line. *bytes: the remaining size. */
static sq_status cut_log(const char *path, int64_t from, size_t *bytes)
{
    char *line = malloc(LINE_BYTES);
    FILE *file = fopen(path, "r+");
    long keep = 0;
    sq_status status = line ? SQ_OK : sq_fail(SQ_NO_MEMORY, "%s: a line", path);
    if (!file && errno != ENOENT && status == SQ_OK)
        status = sq_fail(SQ_IO, "%s: %s", path, strerror(errno));
    while (status == SQ_OK && file && fgets(line, LINE_BYTES, file) && !is_stale(line, from))
        keep = ftell(file);
    if (status == SQ_OK && file && ftruncate(fileno(file), keep) != 0)
        status = sq_fail(SQ_IO, "%s: %s", path, strerror(errno));
    if (file)
        (void)fclose(file); /* cannot lose data, because nothing is written through the stream */
    *bytes = (size_t)keep;
    free(line);
    return status;
}

static sq_status append(sq_progress *p, const char *line)
{
    sq_retry retry = sq_retry_begin(p->retries);
    sq_status status;
    do
        status = sq_file_append(p->path, p->log_bytes, line, strlen(line));
    while (sq_retry_again(&retry, status));
    p->log_bytes += status == SQ_OK ? strlen(line) : 0;
    return status;
}

sq_status sq_progress_open(sq_progress **out, const char *run, int64_t from, int retries, bool is_quiet)
{
    sq_progress *p = calloc(1, sizeof *p);
    if (!p)
        return sq_fail(SQ_NO_MEMORY, "%s: log", run);
    p->is_quiet = is_quiet;
    p->retries = retries;
    p->is_terminal = isatty(STDERR_FILENO) == 1;
    sq_status status = sq_text_path(p->path, sizeof p->path, run, "log.jsonl");
    if (status == SQ_OK)
        status = cut_log(p->path, from, &p->log_bytes);
    if (status == SQ_OK)
        status = append(p, "");
    if (status == SQ_OK)
        *out = p;
    else
        sq_progress_close(p);
    return status;
}

static void end_line(sq_progress *p)
{
    if (p->has_line)
        (void)fputc('\n', stderr);
    p->has_line = false;
}

void sq_progress_close(sq_progress *p)
{
    if (!p)
        return;
    end_line(p);
    free(p);
}

void sq_progress_show(sq_progress *p, const char *line)
{
    if (p->is_quiet)
        return;
    (void)fprintf(stderr, p->is_terminal ? "\r%s\033[K" : "%s\n", line);
    (void)fflush(stderr);
    p->has_line = p->is_terminal;
}

void sq_progress_note(sq_progress *p, const char *line)
{
    if (p->is_quiet)
        return;
    end_line(p);
    (void)fprintf(stderr, "%s\n", line);
}

sq_status sq_progress_log(sq_progress *p, json_t *object)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *line = object ? open_memstream(&text, &bytes) : NULL;
    const bool has_all = line && json_dumpf(object, line, JSON_COMPACT) == 0 && fputc('\n', line) != EOF;
    const bool is_whole = line && fclose(line) == 0 && has_all;
    json_decref(object);
    const sq_status status = is_whole ? append(p, text) : sq_fail(SQ_NO_MEMORY, "%s: a line", p->path);
    free(text);
    return status;
}
