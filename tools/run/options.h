#ifndef SQ_OPTIONS_H
#define SQ_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* Command line options. */

enum { SQ_MAX_OVERRIDES = 256, SQ_MAX_OPTIONS = 24 };

typedef struct {
    const char *name;   /* "--arch" or "-o" */
    const char **value; /* takes a value; or NULL */
    bool *flag;         /* is set */
    const char *key;    /* the value becomes the override "key=value" */
} sq_option;

/* --set key=value, --device, --graphs, --engine, --seed and --threads are understood by every command that gives
 * `overrides`. */
typedef struct {
    const char *overrides[SQ_MAX_OVERRIDES];
    int override_count;
    char storage[SQ_MAX_OVERRIDES][512]; /* of overrides made from options */
    const char *arguments[8];
    int argument_count;
} sq_options;

/* Reads argv[1..]; *is_help when --help is among them. Returns 0, or 2 after telling what is wrong. */
int sq_options_read(sq_options *out, const sq_option *options, int argc, char **argv, bool *is_help);

/* A whole number given as an option. Returns 0, or 2 after telling what is wrong. */
int sq_options_number(const char *command, const char *name, const char *text, int64_t minimum, int64_t maximum,
                      int *out);

#endif
