/* Records the command lines that produced a run, quoted for a shell. */
#include "tools/run/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/text.h"

enum { LINE_BYTES = 16384 };

/* Appends a word, in single quotes if the word has characters that are special to a shell. */
static void put_word(FILE *file, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,+@%";
    if (*word && strspn(word, plain) == strlen(word)) {
        (void)fputs(word, file); /* a truncated line is still useful */
        return;
    }
    (void)fputc('\'', file);
    for (; *word; word++)
        (void)(*word == '\'' ? fputs("'\\''", file) : fputc(*word == '\n' ? ' ' : *word, file));
    (void)fputc('\'', file);
}

/* Returns the command line, such as "squall train x.yaml -o run"; the caller frees the text. NULL if the system does
 * not provide the command line. */
static char *command_line(int processes)
{
    char words[LINE_BYTES], *text = NULL;
    size_t bytes = 0;
    FILE *in = fopen("/proc/self/cmdline", "rb");
    const size_t length = in ? fread(words, 1, sizeof words - 1, in) : 0;
    FILE *out = length ? open_memstream(&text, &bytes) : NULL;
    words[length] = 0;
    if (out) {
        if (processes > 1)
            (void)fprintf(out, "mpirun -n %d ", processes);
        (void)fputs("squall", out);
        for (size_t at = strlen(words) + 1; at < length; at += strlen(words + at) + 1) {
            (void)fputc(' ', out);
            put_word(out, words + at);
        }
        (void)fclose(out); /* out is a memory stream */
    }
    if (in)
        (void)fclose(in); /* opened for reading, so closing cannot lose data */
    return text;
}

static int is_last(const char *path, const char *text)
{
    char *line = NULL;
    size_t limit = 0;
    int is_same = 0;
    FILE *file = fopen(path, "rb");
    while (file && getline(&line, &limit, file) > 0)
        is_same = strncmp(line, text, strlen(text)) == 0 && strcmp(line + strlen(text), "\n") == 0;
    free(line);
    if (file)
        (void)fclose(file); /* opened for reading, so closing cannot lose data */
    return is_same;
}

void sq_history_add(const char *run, int processes)
{
    char path[SQ_PATH_BYTES], *text = command_line(processes);
    if (text && sq_text_path(path, sizeof path, run, "commands.txt") == SQ_OK && !is_last(path, text)) {
        FILE *file = fopen(path, "ab");
        if (file) {
            (void)fprintf(file, "%s\n", text);
            (void)fclose(file); /* a lost line is not an error */
        }
    }
    free(text);
}
