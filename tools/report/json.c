/* Converts strings, notes and files into JSON, for all parts of the report. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "search/cost/fit/svg.h"
#include "tools/report/report.h"

enum { TEXT_BYTES = 4096, LARGEST_FILE = 1 << 30 };

json_t *sq_report_text(const char *text)
{
    char *clean = strdup(text);
    for (unsigned char *s = (unsigned char *)clean; s && *s;) {
        const int length = sq_utf8_length(s);
        if (length == 0)
            *s = *s == '\n' ? '\n' : '?';
        s += length ? length : 1;
    }
    json_t *string = clean ? json_string(clean) : NULL;
    free(clean);
    return string;
}

void sq_report_note(json_t *notes, const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    json_array_append_new(notes, sq_report_text(text));
}

json_t *sq_report_json(const char *folder, const char *name, json_t *notes)
{
    char path[SQ_PATH_BYTES], *text = NULL;
    size_t bytes = 0;
    json_error_t error;
    if (!sq_path_find(path, sizeof path, folder, name))
        return NULL;
    if (sq_file_read(path, LARGEST_FILE, &text, &bytes) != SQ_OK) {
        sq_report_note(notes, "%s", sq_error_text());
        return NULL;
    }
    json_t *root = json_loadb(text, bytes, 0, &error);
    free(text);
    if (!root)
        sq_report_note(notes, "%s:%d: %s; it is passed over", name, error.line, error.text);
    return root;
}
