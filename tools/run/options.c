/* Reads the options of a command line. */
#include "tools/run/options.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/text.h"
#include "tools/run/messages.h"

enum { MAX_NAMES = 64 }; /* largest number of options that a suggestion considers */

const sq_option sq_config_options[] = {SQ_KEY("--set", ""),
                                       SQ_KEY("--device", "device"),
                                       SQ_KEY("--graphs", "graphs"),
                                       SQ_KEY("--engine", "engine"),
                                       SQ_KEY("--threads", "threads"),
                                       SQ_KEY("--seed", "seed"),
                                       SQ_OPTIONS_END};

/* ---- The accepted options ---- */

static const sq_option *find_option(const sq_option *table, const char *name, size_t length)
{
    for (; table && table->name; table++)
        if (strlen(table->name) == length && strncmp(table->name, name, length) == 0)
            return table;
    return NULL;
}

const sq_option *sq_option_at(const sq_option_set *set, int i)
{
    for (const sq_option *o = set->table; o && o->name; o++)
        if (i-- == 0)
            return o;
    for (const sq_option *o = sq_config_options; set->has_config && o->name; o++)
        if (!find_option(set->table, o->name, strlen(o->name)) && i-- == 0)
            return o;
    return NULL;
}

static const sq_option *find(const sq_option_set *set, const char *name, size_t length)
{
    const sq_option *own = find_option(set->table, name, length);
    return own || !set->has_config ? own : find_option(sq_config_options, name, length);
}

static int unknown_option(const sq_option_set *set, const char *name)
{
    char hint[SQ_TEXT_SUGGESTION];
    const char *names[MAX_NAMES];
    int count = 0;
    for (const sq_option *o = sq_option_at(set, 0); o && count < MAX_NAMES; o = sq_option_at(set, count))
        names[count++] = o->name;
    return sq_command_usage(set->command, "unknown option '%s'%s", name,
                            sq_text_suggestion(hint, sizeof hint, name, names, count));
}

/* ---- Values ---- */

/* Returns the index of a value in a list such as "never auto"; -1: not found. */
static int find_word(const char *words, const char *value)
{
    const size_t length = strlen(value);
    for (int index = 0; *words; index++) {
        const size_t word = strcspn(words, " ");
        if (word == length && strncmp(words, value, length) == 0)
            return index;
        words += word + (words[word] == ' ');
    }
    return -1;
}

static int wrong_number(const sq_option_set *set, const sq_option *o, const char *value)
{
    return sq_command_usage(set->command, "%s: found '%s', expected a %snumber from %.15g to %.15g", o->name, value,
                            o->type == SQ_OPTION_REAL ? "" : "whole ", o->minimum, o->maximum);
}

static int set_whole(const sq_option_set *set, const sq_option *o, const char *value, void *field)
{
    int64_t number;
    if (!sq_text_int(value, (int64_t)o->minimum, (int64_t)o->maximum, &number))
        return wrong_number(set, o, value);
    if (o->type == SQ_OPTION_LONG)
        *(int64_t *)field = number;
    else
        *(int *)field = (int)number;
    return 0;
}

static int set_word(const sq_option_set *set, const sq_option *o, const char *value, int *field)
{
    const int index = find_word(o->words, value);
    if (index < 0)
        return sq_command_usage(set->command, "%s: found '%s', expected one of: %s", o->name, value, o->words);
    *field = index;
    return 0;
}

static int set_value(sq_options *out, void *arguments, const sq_option_set *set, const sq_option *o, const char *value)
{
    void *field = (char *)arguments + o->offset;
    switch (o->type) {
    case SQ_OPTION_FLAG:
        break; /* takes no value */
    case SQ_OPTION_TEXT:
        *(const char **)field = value;
        break;
    case SQ_OPTION_INT:
    case SQ_OPTION_LONG:
        return set_whole(set, o, value, field);
    case SQ_OPTION_REAL:
        return sq_text_double(value, o->minimum, o->maximum, field) ? 0 : wrong_number(set, o, value);
    case SQ_OPTION_WORD:
        return set_word(set, o, value, field);
    case SQ_OPTION_KEY: {
        const sq_status status = sq_options_add(out, o->words, value);
        return status == SQ_OK ? 0 : sq_command_fail(set->command, status);
    }
    }
    return 0;
}

/* ---- Public ---- */

int sq_options_read(sq_options *out, void *arguments, const sq_option_set *set, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i], *equals = strchr(word, '=');
        const size_t length = equals ? (size_t)(equals - word) : strlen(word);
        if (word[0] != '-' || !word[1]) {
            if (out->argument_count == SQ_MAX_ARGUMENTS)
                return sq_command_usage(set->command, "'%s': more than %d arguments", word, SQ_MAX_ARGUMENTS);
            out->arguments[out->argument_count++] = word;
            continue;
        }
        const sq_option *o = find(set, word, length);
        if (!o)
            return unknown_option(set, word);
        if (o->type == SQ_OPTION_FLAG) {
            *(bool *)((char *)arguments + o->offset) = true;
            continue;
        }
        const char *value = equals ? equals + 1 : i + 1 < argc ? argv[++i] : NULL;
        if (!value)
            return sq_command_usage(set->command, "%s needs a value", o->name);
        const int code = set_value(out, arguments, set, o, value);
        if (code)
            return code;
    }
    return 0;
}

void sq_options_clear(sq_options *options)
{
    sq_options_truncate(options, 0);
    free(options->overrides);
    memset(options, 0, sizeof *options);
}

static sq_status grow(sq_options *options)
{
    const int capacity = options->override_capacity ? 2 * options->override_capacity : 16;
    char **list = realloc(options->overrides, (size_t)capacity * sizeof *list);
    if (!list)
        return sq_fail(SQ_NO_MEMORY, "options: %d overrides", capacity);
    options->overrides = list;
    options->override_capacity = capacity;
    return SQ_OK;
}

sq_status sq_options_add(sq_options *options, const char *key, const char *value)
{
    const size_t bytes = strlen(key) + strlen(value) + 2;
    if (options->override_count == options->override_capacity)
        SQ_TRY(grow(options));
    char *text = malloc(bytes);
    if (!text)
        return sq_fail(SQ_NO_MEMORY, "options: %zu bytes", bytes);
    (void)snprintf(text, bytes, "%s%s%s", key, *key ? "=" : "", value); /* text has the exact size */
    options->overrides[options->override_count++] = text;
    return SQ_OK;
}

void sq_options_truncate(sq_options *options, int count)
{
    while (options->override_count > count)
        free(options->overrides[--options->override_count]);
}

const char *sq_options_find(const sq_options *options, const char *key)
{
    const size_t length = strlen(key);
    for (int i = options->override_count; i-- > 0;)
        if (strncmp(options->overrides[i], key, length) == 0 && options->overrides[i][length] == '=')
            return options->overrides[i] + length + 1;
    return NULL;
}
