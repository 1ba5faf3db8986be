#ifndef SQ_OPTIONS_H
#define SQ_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/base/status.h"

/* Command line options. A command describes its options in one table. sq_options_read uses the table to fill the
 * command's argument struct, and the completions and the check of the help pages use the same table. */

typedef enum {
    SQ_OPTION_FLAG, /* bool; takes no value */
    SQ_OPTION_TEXT, /* const char *, borrowed from argv */
    SQ_OPTION_INT,  /* int, minimum to maximum */
    SQ_OPTION_LONG, /* int64_t, minimum to maximum */
    SQ_OPTION_REAL, /* double, minimum to maximum */
    SQ_OPTION_WORD, /* int: the index of the value in the list `words` */
    SQ_OPTION_KEY   /* no field: the value becomes the override "key=value" */
} sq_option_type;

typedef struct {
    const char *name; /* "--arch" or "-o" */
    sq_option_type type;
    size_t offset; /* offset of the field in the command's argument struct */
    double minimum, maximum;
    const char *words; /* WORD: a list such as "never auto"; KEY: the configuration key, "" for a whole "key=value" */
} sq_option;

/* These macros are rows of an option table. The macros require that the argument struct of the file is called
 * `arguments`. */
#define SQ_FLAG(name, field)                                                                                           \
    {                                                                                                                  \
        name, SQ_OPTION_FLAG, offsetof(arguments, field), 0, 0, NULL                                                   \
    }
#define SQ_TEXT(name, field)                                                                                           \
    {                                                                                                                  \
        name, SQ_OPTION_TEXT, offsetof(arguments, field), 0, 0, NULL                                                   \
    }
#define SQ_INT(name, field, low, high)                                                                                 \
    {                                                                                                                  \
        name, SQ_OPTION_INT, offsetof(arguments, field), low, high, NULL                                               \
    }
#define SQ_LONG(name, field, low, high)                                                                                \
    {                                                                                                                  \
        name, SQ_OPTION_LONG, offsetof(arguments, field), low, high, NULL                                              \
    }
#define SQ_REAL(name, field, low, high)                                                                                \
    {                                                                                                                  \
        name, SQ_OPTION_REAL, offsetof(arguments, field), low, high, NULL                                              \
    }
#define SQ_WORD(name, field, words)                                                                                    \
    {                                                                                                                  \
        name, SQ_OPTION_WORD, offsetof(arguments, field), 0, 0, words                                                  \
    }
#define SQ_KEY(name, key)                                                                                              \
    {                                                                                                                  \
        name, SQ_OPTION_KEY, 0, 0, 0, key                                                                              \
    }
#define SQ_OPTIONS_END                                                                                                 \
    {                                                                                                                  \
        NULL, SQ_OPTION_FLAG, 0, 0, 0, NULL                                                                            \
    }

enum { SQ_UNSET = -1 }; /* default of a number if another source provides the value of a missing option */

/* All options that a command accepts. */
typedef struct {
    const char *command;    /* for messages: "lut measure" */
    const sq_option *table; /* ends with SQ_OPTIONS_END */
    bool has_config;        /* also accepts sq_config_options */
} sq_option_set;

/* The options --set, --device, --graphs, --engine, --threads and --seed. */
extern const sq_option sq_config_options[];

/* Returns row i of all options that a set accepts; NULL after the last row. A row of the command's own table hides the
 * row of the same name in sq_config_options. */
const sq_option *sq_option_at(const sq_option_set *set, int i);

enum { SQ_MAX_ARGUMENTS = 8 };

/* A parsed command line. A struct of zeros is empty. */
typedef struct {
    char **overrides; /* "key=value", owned */
    int override_count, override_capacity;
    const char *arguments[SQ_MAX_ARGUMENTS]; /* words that are not options; borrowed from argv */
    int argument_count;
} sq_options;

/* Reads argv[1..] into `out` and into the fields of `arguments`. Returns 0. After a mistake, prints a message and
 * returns 2 (usage) or another exit code. The caller calls sq_options_clear in either case. */
int sq_options_read(sq_options *out, void *arguments, const sq_option_set *set, int argc, char **argv);
void sq_options_clear(sq_options *options);

/* Appends the override "key=value", or only "value" if the key is empty. Returns SQ_NO_MEMORY if memory runs out. */
SQ_MUST_USE sq_status sq_options_add(sq_options *options, const char *key, const char *value);

/* Removes the overrides from index `count` on. */
void sq_options_truncate(sq_options *options, int count);

/* Returns the value of the last override of a key; NULL if there is none. */
const char *sq_options_find(const sq_options *options, const char *key);

#endif
