/* Splits command lines and replaces placeholders. A command line is split before its placeholders are replaced, so that
 * no value can add an argument. */
#include "search/cost/measure/argument_vector.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t\r\n";

/* Copies one argument from `from` to `to`, which has room for the rest of the text. Returns the end of the argument in
 * `from`; NULL: a quote is still open. */
static const char *take_argument(char *to, const char *from)
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
    char **arguments = calloc(strlen(text) / 2 + 2, sizeof *arguments);
    sq_status status = arguments ? SQ_OK : sq_fail(SQ_NO_MEMORY, "%s: command", where);
    int count = 0;
    for (const char *at = text + strspn(text, blanks); status == SQ_OK && *at; at += strspn(at, blanks)) {
        arguments[count] = malloc(strlen(at) + 1);
        if (!arguments[count])
            status = sq_fail(SQ_NO_MEMORY, "%s: command", where);
        else if (!(at = take_argument(arguments[count++], at)))
            status = sq_fail(SQ_INVALID, "%s: an open quote in: %s", where, text);
        if (status != SQ_OK)
            break;
    }
    if (status == SQ_OK && (count == 0 || !arguments[0][0]))
        status = sq_fail(SQ_INVALID, "%s: empty, expected a program and its arguments", where);
    if (status == SQ_OK)
        *out = arguments;
    else
        sq_argument_vector_free(arguments);
    return status;
}

const char *sq_argument_vector_placeholder(const char *argument, size_t *length)
{
    for (const char *open = strchr(argument, '{'); open; open = strchr(open + 1, '{')) {
        const size_t letters = strspn(open + 1, "abcdefghijklmnopqrstuvwxyz");
        if (letters && open[1 + letters] == '}' && (open == argument || open[-1] != '$')) {
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

/* Writes the argument with its placeholders replaced to `to`, unless `to` is NULL. Returns the length. */
static size_t fill(char *to, const char *argument, const sq_argument_value *values)
{
    size_t used = 0, length;
    for (const char *next; (next = sq_argument_vector_placeholder(argument, &length)); argument = next + length) {
        const char *value = value_of(values, next, length);
        const size_t plain = (size_t)(next - argument) + (value ? 0 : length), filled = value ? strlen(value) : 0;
        if (to) {
            memcpy(to + used, argument, plain);
            memcpy(to + used + plain, value ? value : "", filled);
        }
        used += plain + filled;
    }
    if (to)
        strcpy(to + used, argument);
    return used + strlen(argument);
}

sq_status sq_argument_vector_fill(char ***out, char *const *arguments, const sq_argument_value *values)
{
    size_t count = 0;
    while (arguments[count])
        count++;
    char **filled = calloc(count + 1, sizeof *filled);
    bool is_whole = filled;
    for (size_t i = 0; is_whole && i < count; i++) {
        filled[i] = malloc(fill(NULL, arguments[i], values) + 1);
        is_whole = filled[i];
        if (is_whole)
            (void)fill(filled[i], arguments[i], values); /* the length is already known */
    }
    if (!is_whole) {
        sq_argument_vector_free(filled);
        return sq_fail(SQ_NO_MEMORY, "%s: its arguments", arguments[0]);
    }
    *out = filled;
    return SQ_OK;
}

void sq_argument_vector_free(char **arguments)
{
    for (char **argument = arguments; argument && *argument; argument++)
        free(*argument);
    free(arguments);
}
