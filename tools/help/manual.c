/* Manual pages (man(7)) from the help pages. */
#include "tools/help/manual.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "tools/help/help.h"
#include "tools/run/config/keys.h"

enum { NAME_BYTES = 64 };
#define PREFIX "squall-"

static bool is_option_line(const char *line)
{
    return strncmp(line, "  -", 3) == 0;
}

/* ---- roff ---- */

/* Writes text with the characters escaped that roff interprets. */
static void put_roff(FILE *file, const char *text, size_t length)
{
    if (length && (*text == '.' || *text == '\''))
        (void)fputs("\\&", file); /* sq_file_finish checks the stream's errors */
    for (size_t i = 0; i < length; i++)
        if (text[i] == '\\')
            (void)fputs("\\e", file);
        else if (text[i] == '-')
            (void)fputs("\\-", file);
        else
            (void)fputc(text[i], file);
}

static void put_text(FILE *file, const char *text)
{
    put_roff(file, text, strlen(text));
}

/* "  --limit M   most ..." becomes a tagged paragraph. The tag ends before the first two spaces. */
static void put_option(FILE *file, const char *line, size_t length)
{
    const char *start = line + 2;
    size_t tag = 0;
    length -= 2;
    while (tag < length && strncmp(start + tag, "  ", 2) != 0)
        tag++;
    (void)fputs(".TP\n.B ", file);
    put_roff(file, start, tag);
    (void)fputc('\n', file);
    while (tag < length && start[tag] == ' ')
        tag++;
    put_roff(file, start + tag, length - tag);
    (void)fputc('\n', file);
}

/* Options become tagged paragraphs that include the deeper lines below them. Other indented lines keep their line
 * breaks. */
static void put_help(FILE *file, const char *text)
{
    bool is_in_option = false;
    while (*text) {
        const size_t length = strcspn(text, "\n"), indent = strspn(text, " ");
        if (is_option_line(text)) {
            put_option(file, text, length);
            is_in_option = true;
        } else if (length == 0) {
            (void)fputs(".PP\n", file);
            is_in_option = false;
        } else if (indent >= 4 && is_in_option) {
            put_roff(file, text + indent, length - indent);
            (void)fputc('\n', file);
        } else if (indent >= 2) {
            (void)fputs(".br\n", file);
            put_roff(file, text + indent, length - indent);
            (void)fputc('\n', file);
        } else {
            if (is_in_option)
                (void)fputs(".PP\n", file);
            is_in_option = false;
            put_roff(file, text, length);
            (void)fputc('\n', file);
        }
        text += length + (text[length] == '\n');
    }
}

/* ---- Pages ---- */

static void put_head(FILE *file, const char *name, int section, const sq_help_page *page)
{
    (void)fputs(".TH ", file);
    for (const char *p = name; *p; p++)
        (void)(*p == '-' ? fputs("\\-", file) : fputc(toupper((unsigned char)*p), file));
    (void)fprintf(file, " %d \"\" \"Squall %s\" \"Squall\"\n.SH NAME\n", section, SQUALL_VERSION);
    put_text(file, name);
    (void)fputs(" \\- ", file);
    put_roff(file, page->summary, page->summary_length);
    (void)fputc('\n', file);
}

static sq_status begin(sq_file_writer *w, char path[SQ_PATH_BYTES], const char *folder, const char *name, int section)
{
    char file[NAME_BYTES + 16];
    (void)snprintf(file, sizeof file, "man%d/%s.%d", section, name, section);
    SQ_TRY(sq_text_path(path, SQ_PATH_BYTES, folder, file));
    return sq_file_begin(w, path);
}

static void put_parts(FILE *file, const char *name, const sq_command *const *parts)
{
    char page_name[2 * NAME_BYTES];
    sq_help_page page;
    const char *prefix = strncmp(name, PREFIX, strlen(PREFIX)) == 0 ? name + strlen(PREFIX) : "";
    (void)fputs(".SH COMMANDS\n", file);
    for (; *parts; parts++) {
        (void)snprintf(page_name, sizeof page_name, "%s%s%s", prefix, *prefix ? "-" : "", (*parts)->name);
        if (!sq_help_find(page_name, &page))
            continue;
        (void)fputs(".TP\n.BR ", file);
        put_text(file, name);
        (void)fputs("\\-", file);
        put_text(file, (*parts)->name);
        (void)fputs(" (1)\n", file);
        put_roff(file, page.summary, page.summary_length);
        (void)fputc('\n', file);
    }
}

static void put_synopsis(FILE *file, const sq_help_page *page)
{
    (void)fputs(".SH SYNOPSIS\n.nf\n", file);
    put_roff(file, page->usage, page->usage_length);
    (void)fputs("\n.fi\n.SH DESCRIPTION\n", file);
}

/* name: "squall-lut-measure" */
static sq_status write_command(const char *folder, const char *name, const sq_command *c)
{
    char path[SQ_PATH_BYTES], part_name[2 * NAME_BYTES];
    sq_help_page page, shared;
    sq_file_writer w;
    if (!sq_help_find(name + strlen(PREFIX), &page))
        return sq_fail(SQ_INVALID, "%s: no help page", name);
    SQ_TRY(begin(&w, path, folder, name, 1));
    put_head(w.stream, name, 1, &page);
    put_synopsis(w.stream, &page);
    put_help(w.stream, page.text);
    if (c->has_config && sq_help_find("options", &shared))
        put_help(w.stream, shared.text);
    if (c->parts)
        put_parts(w.stream, name, c->parts);
    (void)fputs(".SH SEE ALSO\n.BR squall (1),\n.BR squall\\-config (5)\n", w.stream);
    SQ_TRY(sq_file_finish(&w, path));
    for (const sq_command *const *part = c->parts; part && *part; part++) {
        (void)snprintf(part_name, sizeof part_name, "%s-%s", name, (*part)->name);
        SQ_TRY(write_command(folder, part_name, *part));
    }
    return SQ_OK;
}

static sq_status write_overview(const char *folder, const sq_command *const *commands)
{
    static const char marker[] = "{commands}\n";
    char path[SQ_PATH_BYTES];
    sq_help_page page;
    sq_file_writer w;
    if (!sq_help_find("squall", &page))
        return sq_fail(SQ_INVALID, "tools/help/squall.txt: missing");
    SQ_TRY(begin(&w, path, folder, "squall", 1));
    put_head(w.stream, "squall", 1, &page);
    put_synopsis(w.stream, &page);
    const char *list = strstr(page.text, marker);
    put_help(w.stream, list ? list + sizeof marker - 1 : page.text);
    put_parts(w.stream, "squall", commands);
    (void)fputs(".SH SEE ALSO\n.BR squall\\-config (5)\n", w.stream);
    return sq_file_finish(&w, path);
}

static void put_key(FILE *file, const sq_key *key)
{
    (void)fputs(".TP\n.BI ", file);
    put_text(file, key->key);
    (void)fputs(" \" ", file);
    put_text(file, *key->initial ? key->initial : "(empty)");
    (void)fputs("\"\n", file);
    put_text(file, key->meaning);
    (void)fputc('\n', file);
}

static sq_status write_keys(const char *folder)
{
    char path[SQ_PATH_BYTES];
    sq_help_page page;
    sq_file_writer w;
    if (!sq_help_find("config", &page))
        return sq_fail(SQ_INVALID, "tools/help/config.txt: missing");
    SQ_TRY(begin(&w, path, folder, "squall-config", 5));
    put_head(w.stream, "squall-config", 5, &page);
    (void)fputs(".SH DESCRIPTION\n", w.stream);
    put_help(w.stream, page.text);
    for (int i = 0; i < sq_key_count; i++)
        put_key(w.stream, &sq_keys[i]);
    (void)fputs(".SH SEE ALSO\n.BR squall (1)\n", w.stream);
    return sq_file_finish(&w, path);
}

sq_status sq_manual_write(const char *folder, const sq_command *const *commands)
{
    static const char *const folders[] = {"man1", "man5"};
    char path[SQ_PATH_BYTES], name[NAME_BYTES];
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        SQ_TRY(sq_text_path(path, sizeof path, folder, folders[i]));
        SQ_TRY(sq_folder_make(path));
    }
    SQ_TRY(write_overview(folder, commands));
    SQ_TRY(write_keys(folder));
    for (const sq_command *const *c = commands; *c; c++) {
        (void)snprintf(name, sizeof name, PREFIX "%s", (*c)->name);
        SQ_TRY(write_command(folder, name, *c));
    }
    return SQ_OK;
}
