/* A command line as words: split first, filled after, so that no value can add a word. */
#include "search/cost/measure/argument_vector.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t\r\n";

/* One word's text from `from` into `to` (as long as the rest); returns where it ends, NULL for a quote without end. */
static const char *take_word(char *to, const char *from)
{
    char quote = 0;
    for (; *from && (quote || !strchr(blanks, *from)); from++) {
        const bool is_escape = *from == '\\' && quote != '\'' && from[1] && (!quote || strchr("\"\\", from[1]));
        if (is_escape)
            *to++ = *++from;
        else if (quote ? *from == quote : *from == '\'' || *from == '"')
            quote = quote ? 0 : *from;
        else
            *to++ = *from;
    }
    *to = 0;
    return quote ? NULL : from;
}

sq_status sq_argument_vector_split(char ***out, const char *text, const char *where)
{
    char **words = calloc(strlen(text) / 2 + 2, sizeof *words);
    sq_status status = words ? SQ_OK : sq_fail(SQ_NO_MEMORY, "%s: command", where);
    int count = 0;
    for (const char *at = text + strspn(text, blanks); status == SQ_OK && *at; at += strspn(at, blanks)) {
        words[count] = malloc(strlen(at) + 1);
        if (!words[count])
            status = sq_fail(SQ_NO_MEMORY, "%s: command", where);
        else if (!(at = take_word(words[count++], at)))
            status = sq_fail(SQ_INVALID, "%s: a quote without end in: %s", where, text);
        if (status != SQ_OK)
            break;
    }
    if (status == SQ_OK && (count == 0 || !words[0][0]))
        status = sq_fail(SQ_INVALID, "%s: empty, expected a program and its arguments", where);
    if (status == SQ_OK)
        *out = words;
    else
        sq_argument_vector_free(words);
    return status;
}

const char *sq_argument_vector_placeholder(const char *word, size_t *length)
{
    for (const char *open = strchr(word, '{'); open; open = strchr(open + 1, '{')) {
        const size_t letters = strspn(open + 1, "abcdefghijklmnopqrstuvwxyz");
        if (letters && open[1 + letters] == '}' && (open == word || open[-1] != '$')) {
            *length = letters + 2;
            return open;
        }
    }
    return NULL;
}

static const char *value_of(const sq_argument_value *values, const char *placeholder, size_t length)
{
    for (; values->name; values++)
        if (strlen(values->name) == length - 2 && strncmp(values->name, placeholder + 1, length - 2) == 0)
            return values->value;
    return NULL;
}

/* The word filled into `to`, or its length alone where `to` is NULL. */
static size_t fill(char *to, const char *word, const sq_argument_value *values)
{
    size_t used = 0, length;
    for (const char *next; (next = sq_argument_vector_placeholder(word, &length)); word = next + length) {
        const char *value = value_of(values, next, length);
        const size_t plain = (size_t)(next - word) + (value ? 0 : length), filled = value ? strlen(value) : 0;
        if (to) {
            memcpy(to + used, word, plain);
            memcpy(to + used + plain, value ? value : "", filled);
        }
        used += plain + filled;
    }
    if (to)
        strcpy(to + used, word);
    return used + strlen(word);
}

sq_status sq_argument_vector_fill(char ***out, char *const *words, const sq_argument_value *values)
{
    size_t count = 0;
    while (words[count])
        count++;
    char **filled = calloc(count + 1, sizeof *filled);
    bool is_whole = filled;
    for (size_t i = 0; is_whole && i < count; i++) {
        filled[i] = malloc(fill(NULL, words[i], values) + 1);
        is_whole = filled[i];
        if (is_whole)
            (void)fill(filled[i], words[i], values); /* its length is known */
    }
    if (!is_whole) {
        sq_argument_vector_free(filled);
        return sq_fail(SQ_NO_MEMORY, "%s: its arguments", words[0]);
    }
    *out = filled;
    return SQ_OK;
}

void sq_argument_vector_free(char **words)
{
    for (char **word = words; word && *word; word++)
        free(*word);
    free(words);
}
