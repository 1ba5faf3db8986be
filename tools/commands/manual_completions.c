/* Completions for bash, zsh and fish. */
#include "tools/commands/manual_completions.h"

#include <stdio.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "tools/commands/manual.h"

/* ---- Words ---- */

static void put_names(FILE *file, const sq_command *const *list, const char *more)
{
    for (; *list; list++)
        (void)fprintf(file, "%s ", (*list)->name); /* the stream's errors are asked for once, at its end */
    (void)fputs(more, file);
}

static void put_options(FILE *file, const sq_command *c)
{
    char list[SQ_MANUAL_OPTIONS][32];
    const int count = sq_manual_options(c, list);
    for (int i = 0; i < count; i++)
        (void)fprintf(file, "%s ", list[i]);
    (void)fputs("--help", file);
}

static void put_keys(FILE *file)
{
    const char *key, *initial, *meaning;
    for (int i = 0; sq_config_describe(i, &key, &initial, &meaning); i++)
        (void)fprintf(file, "%s%s=", i ? " " : "", key);
}

/* In single quotes, as sh and fish have them; a quote in it becomes a typographic one. */
static void put_quoted(FILE *file, const char *text)
{
    (void)fputc('\'', file);
    for (; *text; text++)
        (void)(*text == '\'' ? fputs("\xe2\x80\x99", file) : *text == '\\' ? 0 : fputc(*text, file));
    (void)fputc('\'', file);
}

/* A branch of `case $command in`, in bash and zsh: what may follow a command, or "command part". */
static void put_case(FILE *file, const char *before, const sq_command *c, const char *begin, const char *end)
{
    (void)fprintf(file, "    '%s%s') %s", before, c->name, begin);
    if (c->parts)
        put_names(file, c->parts, "--help");
    else
        put_options(file, c);
    (void)fputs(end, file);
}

static void put_cases(FILE *file, const sq_command *const *commands, const char *begin, const char *end)
{
    char before[64];
    (void)fprintf(file, "    help) %s", begin);
    put_names(file, commands, "config");
    (void)fputs(end, file);
    for (const sq_command *const *c = commands; *c; c++) {
        put_case(file, "", *c, begin, end);
        (void)snprintf(before, sizeof before, "%s ", (*c)->name);
        for (const sq_command *const *part = (*c)->parts; part && *part; part++)
            put_case(file, before, *part, begin, end);
    }
}

/* ---- bash ---- */

static void put_bash(FILE *file, const sq_command *const *commands)
{
    (void)fputs("# bash completion of squall; made of its --help\n_squall() {\n"
                "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words=\"\" "
                "command=${COMP_WORDS[1]}\n"
                "    COMPREPLY=()\n    if [ \"$COMP_CWORD\" = 1 ]; then\n        COMPREPLY=($(compgen -W \"",
                file);
    put_names(file, commands, "help --version");
    (void)fputs(
        "\" -- \"$word\"))\n        return\n    fi\n    if [ \"$before\" = --set ]; then\n        compopt -o nospace "
        "2>/dev/null\n        COMPREPLY=($(compgen -W \"",
        file);
    put_keys(file);
    (void)fputs("\" -- \"$word\"))\n        return\n    fi\n    case $command in\n", file);
    for (const sq_command *const *c = commands; *c; c++)
        if ((*c)->parts)
            (void)fprintf(file, "    %s) [ \"$COMP_CWORD\" -gt 2 ] && command=\"$command ${COMP_WORDS[2]}\" ;;\n",
                          (*c)->name);
    (void)fputs("    esac\n    case $command in\n", file);
    put_cases(file, commands, "words=\"", "\" ;;\n");
    (void)fputs("    esac\n    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
                "    [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- \"$word\"))\n}\n"
                "complete -o filenames -F _squall squall\n",
                file);
}

/* ---- zsh ---- */

static void put_zsh(FILE *file, const sq_command *const *commands)
{
    (void)fputs("#compdef squall\n# zsh completion of squall; made of its --help\nlocal -a words_of names\n"
                "local command=${words[2]}\nif (( CURRENT == 2 )); then\n    names=(",
                file);
    for (const sq_command *const *c = commands; *c; c++) {
        char text[256];
        (void)snprintf(text, sizeof text, "%s:%s", (*c)->name, (*c)->summary);
        put_quoted(file, text);
        (void)fputc(' ', file);
    }
    (void)fputs("help)\n    _describe command names\n    return\nfi\nif [[ ${words[CURRENT-1]} == --set ]]; then\n    "
                "compadd -S '' -- ",
                file);
    put_keys(file);
    (void)fputs("\n    return\nfi\ncase $command in\n    ", file);
    const char *separator = "";
    for (const sq_command *const *c = commands; *c; c++)
        if ((*c)->parts) {
            (void)fprintf(file, "%s%s", separator, (*c)->name);
            separator = "|";
        }
    (void)fputs(") (( CURRENT > 3 )) && command=\"$command ${words[3]}\" ;;\nesac\ncase $command in\n", file);
    put_cases(file, commands, "words_of=(", ") ;;\n");
    (void)fputs("esac\ncompadd -- $words_of\n_files\n", file);
}

/* ---- fish ---- */

static void put_fish_options(FILE *file, const char *seen, const sq_command *c)
{
    char list[SQ_MANUAL_OPTIONS][32];
    const int count = sq_manual_options(c, list);
    for (int i = 0; i < count; i++)
        (void)fprintf(file, "complete -c squall -n '%s' -%c %s\n", seen, list[i][1] == '-' ? 'l' : 's',
                      list[i] + (list[i][1] == '-' ? 2 : 1));
}

static void put_fish(FILE *file, const sq_command *const *commands)
{
    char seen[256];
    (void)fputs("# fish completion of squall; made of its --help\n", file);
    for (const sq_command *const *c = commands; *c; c++) {
        (void)fprintf(file, "complete -c squall -f -n __fish_use_subcommand -a %s -d ", (*c)->name);
        put_quoted(file, (*c)->summary);
        (void)fputc('\n', file);
        (void)snprintf(seen, sizeof seen, "__fish_seen_subcommand_from %s", (*c)->name);
        if (!(*c)->parts)
            put_fish_options(file, seen, *c);
        for (const sq_command *const *part = (*c)->parts; part && *part; part++) {
            (void)fprintf(file, "complete -c squall -f -n '%s' -a %s -d ", seen, (*part)->name);
            put_quoted(file, (*part)->summary);
            char both[512];
            (void)snprintf(both, sizeof both, "%s; and __fish_seen_subcommand_from %s", seen, (*part)->name);
            (void)fputc('\n', file);
            put_fish_options(file, both, *part);
        }
    }
    (void)fputs("complete -c squall -l set -x -a '", file);
    put_keys(file);
    (void)fputs("'\n", file);
}

sq_status sq_manual_write_completions(const char *folder, const sq_command *const *commands)
{
    static const struct {
        const char *name;
        void (*put)(FILE *file, const sq_command *const *commands);
    } shells[] = {{"squall.bash", put_bash}, {"_squall", put_zsh}, {"squall.fish", put_fish}};
    char path[SQ_PATH_BYTES];
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++) {
        sq_file_writer w;
        SQ_TRY(sq_text_path(path, sizeof path, folder, shells[i].name));
        SQ_TRY(sq_file_begin(&w, path));
        shells[i].put(w.stream, commands);
        SQ_TRY(sq_file_finish(&w, path));
    }
    return SQ_OK;
}
