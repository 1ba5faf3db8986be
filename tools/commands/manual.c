/* Manual pages (man(7)) out of help texts. Completions are manual_completions.c's. */
#include "tools/commands/manual.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "tools/commands/manual_completions.h"

enum { NAME_BYTES = 64 };

/* ---- Options of a help text ---- */

static bool is_option_line(const char *line)
{
    return strncmp(line, "  -", 3) == 0;
}

static bool is_known(char list[][32], int count, const char *word)
{
    for (int i = 0; i < count; i++)
        if (strcmp(list[i], word) == 0)
            return true;
    return false;
}

/* Options of one line, behind those that are there. */
static int collect(const char *line, size_t length, char out[SQ_MANUAL_OPTIONS][32], int count)
{
    for (const char *p = line; p < line + length; p++) {
        if (*p != '-' || (p > line && !strchr(" [(", p[-1])))
            continue;
        const size_t word = strspn(p, "-abcdefghijklmnopqrstuvwxyz");
        char text[32];
        if (word < 2 || word >= sizeof text || strspn(p, "-") == word)
            continue;
        (void)snprintf(text, sizeof text, "%.*s", (int)word, p);
        if (count < SQ_MANUAL_OPTIONS && !is_known(out, count, text))
            memcpy(out[count++], text, sizeof text);
        p += word - 1;
    }
    return count;
}

int sq_manual_options(const sq_command *command, char out[SQ_MANUAL_OPTIONS][32])
{
    int count = 0;
    for (const char *line = command->help; *line;) {
        const size_t length = strcspn(line, "\n");
        if (is_option_line(line))
            count = collect(line, length, out, count);
        line += length + (line[length] == '\n');
    }
    return count;
}

/* ---- roff ---- */

/* Text that roff takes for nothing else. */
static void put_roff(FILE *file, const char *text, size_t length)
{
    if (length && (*text == '.' || *text == '\''))
        (void)fputs("\\&", file); /* the stream's errors are asked for once, at its end */
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

/* "  --limit M   most ..." is a tagged paragraph: what stands before the first two spaces is the tag. */
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

/* A help text: options become tagged paragraphs, deeper lines behind one belong to it, other indented lines stay as
 * they are. */
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

static void put_head(FILE *file, const char *name, int section, const char *summary)
{
    (void)fputs(".TH ", file);
    for (const char *p = name; *p; p++)
        (void)(*p == '-' ? fputs("\\-", file) : fputc(toupper((unsigned char)*p), file));
    (void)fprintf(file, " %d \"\" \"Squall %s\" \"Squall\"\n.SH NAME\n", section, SQUALL_VERSION);
    put_text(file, name);
    (void)fputs(" \\- ", file);
    put_text(file, summary);
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
    (void)fputs(".SH COMMANDS\n", file);
    for (; *parts; parts++) {
        (void)fputs(".TP\n.BR ", file);
        put_text(file, name);
        (void)fputs("\\-", file);
        put_text(file, (*parts)->name);
        (void)fputs(" (1)\n", file);
        put_text(file, (*parts)->summary);
        (void)fputc('\n', file);
    }
}

static sq_status write_command(const char *folder, const char *before, const sq_command *c)
{
    char name[NAME_BYTES], path[SQ_PATH_BYTES];
    sq_file_writer w;
    (void)snprintf(name, sizeof name, "%s-%s", before, c->name);
    SQ_TRY(begin(&w, path, folder, name, 1));
    put_head(w.stream, name, 1, c->summary);
    (void)fputs(".SH SYNOPSIS\n.nf\n", w.stream);
    for (const char *line = c->usage; *line;) {
        const size_t length = strcspn(line, "\n"), indent = strspn(line, " ");
        put_roff(w.stream, line + indent, length - indent);
        (void)fputc('\n', w.stream);
        line += length + (line[length] == '\n');
    }
    (void)fputs(".fi\n.SH DESCRIPTION\n", w.stream);
    put_help(w.stream, c->help);
    if (c->parts)
        put_parts(w.stream, name, c->parts);
    (void)fputs(".SH SEE ALSO\n.BR squall (1),\n.BR squall\\-config (5)\n", w.stream);
    SQ_TRY(sq_file_finish(&w, path));
    for (const sq_command *const *part = c->parts; part && *part; part++)
        SQ_TRY(write_command(folder, name, *part));
    return SQ_OK;
}

static sq_status write_overview(const char *folder, const sq_command *const *commands, const char *overview)
{
    char path[SQ_PATH_BYTES];
    sq_file_writer w;
    SQ_TRY(begin(&w, path, folder, "squall", 1));
    put_head(w.stream, "squall", 1, "one-shot supernet training, search and export");
    (void)fputs(".SH SYNOPSIS\n.B squall\nCOMMAND [arguments]\n.SH DESCRIPTION\n", w.stream);
    put_help(w.stream, overview);
    put_parts(w.stream, "squall", commands);
    (void)fputs(".SH SEE ALSO\n.BR squall\\-config (5)\n", w.stream);
    return sq_file_finish(&w, path);
}

static sq_status write_keys(const char *folder)
{
    char path[SQ_PATH_BYTES];
    const char *key, *initial, *meaning;
    sq_file_writer w;
    SQ_TRY(begin(&w, path, folder, "squall-config", 5));
    put_head(w.stream, "squall-config", 5, "keys of Squall's configuration files");
    (void)fputs(".SH DESCRIPTION\nYAML; a.b stands for b under a. \\-\\-set key=value replaces one key.\n", w.stream);
    for (int i = 0; sq_config_describe(i, &key, &initial, &meaning); i++) {
        (void)fputs(".TP\n.BI ", w.stream);
        put_text(w.stream, key);
        (void)fputs(" \" ", w.stream);
        put_text(w.stream, *initial ? initial : "(empty)");
        (void)fputs("\"\n", w.stream);
        put_text(w.stream, meaning);
        (void)fputc('\n', w.stream);
    }
    (void)fputs(".SH SEE ALSO\n.BR squall (1)\n", w.stream);
    return sq_file_finish(&w, path);
}

sq_status sq_manual_write(const char *folder, const sq_command *const *commands, const char *overview)
{
    static const char *const folders[] = {"man1", "man5", "completions"};
    char path[SQ_PATH_BYTES];
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        SQ_TRY(sq_text_path(path, sizeof path, folder, folders[i]));
        SQ_TRY(sq_folder_make(path));
    }
    SQ_TRY(write_overview(folder, commands, overview));
    SQ_TRY(write_keys(folder));
    for (const sq_command *const *c = commands; *c; c++)
        SQ_TRY(write_command(folder, "squall", *c));
    return sq_manual_write_completions(path, commands);
}
