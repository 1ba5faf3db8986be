/* Command line options. */
#include "tools/run/options.h"

#include <stdio.h>
#include <string.h>

#include "kernels/base/text.h"
#include "tools/run/messages.h"

static const sq_option common[] = {{"--device", NULL, NULL, "device"},
                                   {"--seed", NULL, NULL, "seed"},
                                   {"--threads", NULL, NULL, "threads"},
                                   {"--graphs", NULL, NULL, "graphs"},
                                   {"--engine", NULL, NULL, "engine"},
                                   {"--set", NULL, NULL, ""},
                                   {NULL, NULL, NULL, NULL}};

static const sq_option *find_option(const sq_option *options, const char *name, size_t length)
{
    for (; options->name; options++)
        if (strlen(options->name) == length && strncmp(options->name, name, length) == 0)
            return options;
    return NULL;
}

static bool add_override(sq_options *out, const char *key, const char *value)
{
    if (out->override_count == SQ_MAX_OVERRIDES)
        return false;
    char *text = out->storage[out->override_count];
    const int needed = *key ? snprintf(text, sizeof *out->storage, "%s=%s", key, value)
                            : snprintf(text, sizeof *out->storage, "%s", value);
    out->overrides[out->override_count++] = text;
    return needed >= 0 && (size_t)needed < sizeof *out->storage;
}

static int unknown_option(const char *command, const sq_option *options, const char *name)
{
    char hint[SQ_TEXT_SUGGESTION];
    const char *names[2 * SQ_MAX_OPTIONS];
    int count = 0;
    for (const sq_option *o = options; o->name; o++)
        names[count++] = o->name;
    for (const sq_option *o = common; o->name; o++)
        names[count++] = o->name;
    return sq_command_usage(command, "unknown option '%s'%s", name,
                            sq_text_suggestion(hint, sizeof hint, name, names, count));
}

int sq_options_read(sq_options *out, const sq_option *options, int argc, char **argv, bool *is_help)
{
    memset(out, 0, sizeof *out);
    *is_help = false;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i], *equals = strchr(word, '=');
        const size_t length = equals && word[0] == '-' ? (size_t)(equals - word) : strlen(word);
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            *is_help = true;
            return 0;
        }
        if (word[0] != '-' || !word[1]) {
            if (out->argument_count == 8)
                return sq_command_usage(argv[0], "'%s' is one argument too many", word);
            out->arguments[out->argument_count++] = word;
            continue;
        }
        const sq_option *o = find_option(options, word, length);
        o = o ? o : find_option(common, word, length);
        if (!o)
            return unknown_option(argv[0], options, word);
        if (o->flag) {
            *o->flag = true;
            continue;
        }
        const char *value = length < strlen(word) ? word + length + 1 : i + 1 < argc ? argv[++i] : NULL;
        if (!value)
            return sq_command_usage(argv[0], "%s needs a value", o->name);
        if (o->value)
            *o->value = value;
        if (o->key && !add_override(out, o->key, value))
            return sq_command_usage(argv[0], "%s %s: too long, or too many", o->name, value);
    }
    return 0;
}

int sq_options_number(const char *command, const char *name, const char *text, int64_t minimum, int64_t maximum,
                      int *out)
{
    int64_t value;
    if (!sq_text_int(text, minimum, maximum, &value))
        return sq_command_usage(command, "%s: '%s', wanted a whole number from %lld to %lld", name, text,
                                (long long)minimum, (long long)maximum);
    *out = (int)value;
    return 0;
}
