#ifndef SQ_COMMAND_H
#define SQ_COMMAND_H

#include "tools/run/messages.h"
#include "tools/run/options.h"

/* A subcommand is defined in tools/commands/<name>.c and listed in tools/squall.c. Its help is tools/help/<name>.txt,
 * or <command>-<name>.txt for a part of a command. Results go to stdout; progress and errors go to stderr. */

typedef struct sq_command {
    const char *name;
    const sq_option *options;       /* ends with SQ_OPTIONS_END; NULL: none */
    bool has_config;                /* also accepts sq_config_options */
    const void *defaults;           /* the argument struct before the options are read; NULL: none */
    size_t arguments_bytes;         /* size of the argument struct */
    int argument_min, argument_max; /* smallest and largest number of words that are not options */
    const char *expected;           /* for the message about a wrong number of words: "one run" */
    int (*run)(const sq_options *options, const void *arguments); /* returns the exit code */
    const struct sq_command *const *parts;                        /* subcommands, used instead of run; ends with NULL */
    bool works_on_ranks; /* can run in several processes of mpirun or srun; other commands refuse to */
} sq_command;

/* Initializes fields of sq_command: the file's `options` table, the size of its `arguments` struct, and the struct's
 * default values, which are the macro's arguments. */
#define SQ_ARGUMENTS(...)                                                                                              \
    .options = options, .defaults = &(const arguments){__VA_ARGS__}, .arguments_bytes = sizeof(arguments)

/* Returns the options that a command accepts. full_name also names the part of a command: "lut measure". */
sq_option_set sq_command_option_set(const sq_command *command, const char *full_name);

/* Reads the options of argv[1..], checks the number of arguments and runs the command. Returns the exit code. */
int sq_command_run(const sq_command *command, const char *full_name, int argc, char **argv);

#endif
