#ifndef SQ_COMMAND_H
#define SQ_COMMAND_H

/* The subcommands. Each file tools/<name>.c defines one of these; squall.c lists them. A command parses its own options
 * with getopt_long, prints its failure through command_fail() and returns the exit code. Output for people goes to
 * stdout, progress to stderr. */

#include "tools/config.h"

typedef struct {
    const char *name, *summary;
    const char *usage; /* "squall train CONFIG [options]" */
    const char *help;  /* the whole text of `squall help NAME` and `squall NAME --help`, below the usage line */
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
} sq_command;

extern const sq_command sq_command_train, sq_command_search, sq_command_evaluate, sq_command_export, sq_command_info,
    sq_command_measure;

/* "squall train: <sq_error_text()>" on stderr; returns the exit code of status. */
int sq_command_fail(const char *name, sq_status status);
/* The same for wrong usage, with "see squall help NAME"; returns 2. */
int sq_command_usage(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What several commands open first, and how they close it: configuration, space (with the data's class count), data
 * sets. */
typedef struct {
    sq_config *config;
    sq_space *space;
    sq_dataset *all;      /* the whole training source */
    sq_dataset *train;    /* without the held-out part */
    sq_dataset *held_out; /* what the search scores on */
    sq_dataset *val;      /* the test split; only opened when asked */
    sq_backend *backend;
} sq_session;

/* Reads nothing that it does not need: flags say what to open. */
enum { SQ_OPEN_DATA = 1, SQ_OPEN_VAL = 2, SQ_OPEN_BACKEND = 4 };
SQ_MUST_USE sq_status sq_session_open(sq_session *out, const char *config_path, const char *const *overrides,
                                      int override_count, unsigned flags);
void sq_session_close(sq_session *session);
/* Loader options for training (augmented, shuffled) or evaluation (centre crop, ordered). */
sq_loader_options sq_session_loader(const sq_session *session, bool is_training);

#endif
